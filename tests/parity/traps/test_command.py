"""`parity traps`: the numbers that both frameworks give, and the check that finds a wrong one or a stale page."""

from dataclasses import replace

import pytest
from conftest import assert_user_error, run_python

from mlp_spec.support.errors import UserError
from parity.traps import command, page
from parity.traps.catalogue import TRAPS
from parity.traps.command import TrapFlags


@pytest.fixture(scope="module")
def computed() -> dict:
    """The numbers of both frameworks, one process each."""
    return {side: command.compute_examples(side, TRAPS.values()) for side in command.FRAMEWORKS}


def test_both_frameworks_give_the_stored_numbers(computed):
    assert command.find_differences(TRAPS.values(), computed) == []


@pytest.mark.parametrize("side", command.FRAMEWORKS)
def test_a_stored_number_that_is_changed_is_found(computed, side):
    for trap in TRAPS.values():
        for index in range(3):
            stored = list(getattr(trap, f"{side}_numbers"))
            last = 10.0 ** (int(f"{stored[index]:e}".split("e")[1]) - trap.digits + 1)
            stored[index] += last  # one unit of the last printed digit
            changed = replace(trap, **{f"{side}_numbers": tuple(stored)})
            (difference,) = command.find_differences([changed], computed)
            assert difference.startswith(f"{trap.id}, {side}: stored")


def test_numbers_that_are_missing_or_none_are_found():
    trap = TRAPS["adam-epsilon"]
    right = {"keras": {trap.id: list(trap.keras_numbers)}, "port": {trap.id: list(trap.port_numbers)}}
    assert command.find_differences([trap], right) == []
    for wrong in ([], right["port"][trap.id][:2], [float("nan")] * 3):
        assert len(command.find_differences([trap], {**right, "port": {trap.id: wrong}})) == 1


@pytest.mark.parametrize(
    ("stored", "number", "equal"),
    [
        (0.12346, 0.123455, True),
        (0.12346, 0.1234649, True),
        (0.12346, 0.123448, False),
        (-2.0, -2.00004, True),
        (-2.0, -2.0001, False),
        (0.0, 0.0, True),
        (0.0, 1e-12, False),
        (1.0, float("nan"), False),
    ],
)
def test_numbers_are_compared_to_the_last_of_five_digits(stored, number, equal):
    assert command.is_rounded_to(stored, number, 5) is equal


def test_a_snippet_that_fails_is_a_users_error_that_names_it():
    trap = TRAPS["adam-epsilon"]
    broken = replace(trap, port_code="[1 / 0, 0, 0]")
    with pytest.raises(UserError, match="ValueError: adam-epsilon: ZeroDivisionError"):
        command.compute_examples("port", [broken])


def test_a_framework_that_takes_too_long_is_stopped(monkeypatch):
    monkeypatch.setattr(command, "TIMEOUT_SECONDS", 0.01)
    slow = replace(next(iter(TRAPS.values())), port_code="import time\ntime.sleep(60)\n[1.0]")
    with pytest.raises(UserError, match=r"Lightning was silent for 0.01 s and was stopped"):
        command.compute_examples("port", [slow])


def test_the_command_writes_the_page(tmp_path):
    ended = run_python("-m", "parity", "traps", "--output", tmp_path / "traps.md")
    assert ended.status == 0 and f"{len(TRAPS)} traps" in ended.out, ended
    assert (tmp_path / "traps.md").read_text(encoding="utf-8") == page.render(TRAPS.values())


def test_the_command_refuses_a_folder_that_is_not_there(tmp_path):
    assert_user_error(run_python("-m", "parity", "traps", "--output", tmp_path / "no" / "traps.md"), "no folder")


def test_the_check_finds_a_stale_page(tmp_path, computed, monkeypatch, capsys):
    monkeypatch.setattr(command, "compute_examples", lambda side, traps: computed[side])  # computed once is enough
    path = tmp_path / "traps.md"
    assert command.write_or_check_page(TrapFlags(output=str(path))) == 0
    assert command.write_or_check_page(TrapFlags(check=True, output=str(path))) == 0
    assert "all as computed" in capsys.readouterr().out
    path.write_text(path.read_text() + "more\n")
    assert command.write_or_check_page(TrapFlags(check=True, output=str(path))) == 1
    assert "is not what the catalogue gives" in capsys.readouterr().out
