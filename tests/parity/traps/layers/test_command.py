"""`parity layers`: the numbers that both frameworks give, and the check that finds a wrong one or a stale page."""

from dataclasses import replace

import pytest
from conftest import ROOT, assert_user_error, run_python

from parity.traps.layers import command, page
from parity.traps.layers.catalogue import DIFFERENCES
from parity.traps.layers.command import LayerFlags, find_wrong


@pytest.fixture(scope="module")
def computed() -> dict:
    """The numbers of both frameworks, one process each."""
    return command.compute_all(DIFFERENCES.values())


def test_both_frameworks_give_the_stored_numbers_and_what_is_right_is(computed):
    assert find_wrong(DIFFERENCES.values(), computed) == []
    assert computed["keras"].keys() == computed["port"].keys() == DIFFERENCES.keys()
    assert computed["right"].keys() == {entry.id for entry in DIFFERENCES.values() if entry.right}


@pytest.mark.parametrize("name", ["size", "largest"])
def test_a_stored_number_that_is_changed_is_found(computed, name):
    for entry in DIFFERENCES.values():
        stored = getattr(entry, name)
        unit = 10.0 ** (int(f"{stored:e}".split("e")[1]) - 1)  # of the last of two digits
        (wrong,) = find_wrong([replace(entry, **{name: stored + unit})], computed)
        assert wrong.startswith(f"{entry.id}: {name} is stored as")


def test_the_first_port_is_never_right(computed):
    for entry in DIFFERENCES.values():
        swapped = {**computed, "right": {entry.id: computed["port"][entry.id]}}
        assert f"{entry.id}: what is right differs by" in "".join(find_wrong([entry], swapped))


ENTRY = replace(DIFFERENCES["gelu"], size=0.5, largest=2.0)


@pytest.mark.parametrize(
    ("port", "right", "words"),
    [
        ([1.0, 2.5], [1.0, 2.0], []),
        ([1.0, 2.5], [1.0, 2.0 + 3e-5], ["what is right differs by 3e-05"]),
        ([1.0, 2.5], [1.0, float("nan")], ["what is right differs by nan"]),
        ([float("nan"), 2.5], [1.0, 2.0], ["size is stored as 0.5, computed as nan"]),
        ([1.0, 2.0], [1.0, 2.0], ["size is stored as 0.5, computed as 0", "there is no difference, 0"]),
        ([1.0], [1.0, 2.0], ["2 numbers in Keras, 1 and 2 in PyTorch"]),
        ([], [], ["2 numbers in Keras, 0 and 0 in PyTorch"]),
    ],
)
def test_what_is_wrong_is_told(port, right, words):
    wrong = find_wrong([ENTRY], {"keras": {"gelu": [1.0, 2.0]}, "port": {"gelu": port}, "right": {"gelu": right}})
    assert len(wrong) == len(words)
    assert all(one == f"gelu: {said}" for one, said in zip(wrong, words, strict=True))


def test_samples_of_one_law_may_differ_by_two_percent():
    drawn = replace(ENTRY, mode="start")
    for right, count in ((2.03, 0), (2.05, 1)):
        numbers = {"keras": {"gelu": [2.0]}, "port": {"gelu": [2.5]}, "right": {"gelu": [right]}}
        assert len(find_wrong([drawn], numbers)) == count


def test_the_command_writes_the_page_that_is_committed(tmp_path):
    ended = run_python("-m", "parity", "layers", "--output", tmp_path / "layers.md")
    assert ended.status == 0 and f"{len(DIFFERENCES)} differences" in ended.out, ended
    committed = (ROOT / command.PAGE).read_text(encoding="utf-8")
    assert (tmp_path / "layers.md").read_text(encoding="utf-8") == committed, "run python -m parity layers"


def test_the_command_refuses_a_folder_that_is_not_there(tmp_path):
    assert_user_error(run_python("-m", "parity", "layers", "--output", tmp_path / "no" / "layers.md"), "no folder")


def test_the_check_finds_a_stale_page(tmp_path, computed, monkeypatch, capsys):
    monkeypatch.setattr(command, "compute_all", lambda entries: computed)  # computed once is enough
    path = tmp_path / "layers.md"
    path.write_text(page.render())
    assert command.write_or_check_page(LayerFlags(check=True, output=str(path))) == 0
    assert f"{2 * len(DIFFERENCES)} numbers: all as computed" in capsys.readouterr().out
    path.write_text(path.read_text() + "more\n")
    assert command.write_or_check_page(LayerFlags(check=True, output=str(path))) == 1
    assert "is not what the catalogue gives; run python -m parity layers" in capsys.readouterr().out
