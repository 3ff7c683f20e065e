"""Faulty ports are put through the ladder: what counts as named, and which sums are good enough."""

import json
from dataclasses import replace

import pytest
from conftest import ROOT, run_python

from parity.causes import undoing
from parity.ladder import climb, further
from parity.ladder.climb import Climb
from parity.pair import Pair, Settings
from parity.process import Side
from parity.protocol.task import Task
from parity.rungs.check import Check
from parity.selftest import planting
from parity.selftest.faults import FaultFlags
from parity.selftest.pair_faults import PairFault

PAIR = PairFault("digits_cnn", ("clip-norm", "learning-rate:tenth"))


def undone(*ids, left=()):
    """Returns what a search has found, as `report.json` holds it."""
    check = Check("weights", "optimizer", "fail", 2.0, 1.0)
    found = [undoing.Difference(id, check, 0.99, []) for id in ids]
    return undoing.Undone(found, checks=[replace(check, subject=one) for one in left])


@pytest.fixture
def attempt(monkeypatch, tmp_path):
    """Puts a port through the ladder whose processes and whose search are made up; returns its row."""

    def attempted(fault, found):
        kept, pair = tmp_path / "kept", Pair(Settings("pair_right", "0" * 64), file="pair_right.py")
        kept.mkdir()
        (kept / "facts.npz").write_text("Keras's")
        task = Task(("facts",), "", pair, reference_dir=str(kept))
        failed = Check("weights", "optimizer", "fail" if found else "pass", 2.0, 3.0)

        def climb_with(reference, task, folder, stall):
            assert task.pair.file == str(folder / "pair.py")
            assert (folder / "keras" / "facts.npz").read_text() == "Keras's"
            return Climb(reference, judgements={"optimizer": [failed]})

        monkeypatch.setattr(climb, "climb_with", climb_with)
        monkeypatch.setattr(further, "look_further", lambda *arguments: None)
        monkeypatch.setattr(undoing, "search", lambda *arguments: found)
        own = tmp_path / "own"
        own.mkdir()
        row = planting.attempt(fault, Side(), task, FaultFlags(), own)
        assert (kept / "facts.npz").exists() and [path.name for path in own.iterdir()] == ["pair.py"]
        return row

    return attempted


def test_of_two_faults_one_is_named_and_another_one_wrongly(attempt):
    row = attempt(PAIR, undone("clip-norm", "nesterov", left=["weights"]))
    assert (row["caught"], row["missed"], row["wrong"]) == (True, ["learning-rate"], ["nesterov"])
    assert row["left"] == ["optimizer/weights"] and row["explained"]["clip-norm"] == 0.99
    text = planting.line(row)
    assert text.startswith("caught") and "not named: learning-rate" in text and "wrong: nesterov" in text


def test_a_fault_that_is_missed(attempt):
    row = attempt(PAIR, None)
    assert (row["caught"], row["missed"], row["explaining_seconds"]) == (False, [*PAIR.causes], 0.0)
    assert planting.line(row).startswith("MISSED")


def rows(count: int, causes: int, **changes) -> list[dict]:
    """Returns rows in which everything is named."""
    row = {
        "faults": ["a"] * causes,
        "causes": ["a"] * causes,
        "named": ["a"] * causes,
        "missed": [],
        "wrong": [],
        "caught": True,
    }
    return [{**row, "explaining_seconds": float(number), **changes} for number in range(1, count + 1)]


def test_sums_are_good_down_to_the_bars_and_not_below():
    good = [*rows(19, 1), *rows(1, 1, named=[], missed=["a"]), *rows(9, 2), *rows(1, 2, named=[], missed=["a", "b"])]
    sums = planting.summarize(good)
    assert sums["good"] and (sums["singles_named"], sums["several_named"]) == (0.95, 0.9)
    assert sums["seconds"] == {
        "single_median": 9.5, "single_longest": 19.0, "pair_longest": 9.0, "triple_longest": None,
    }  # fmt: skip
    for worse in (
        rows(1, 1, caught=False), rows(2, 1, named=[], missed=["a"]), rows(1, 3, named=[], missed=["a", "b", "c"]),
        rows(3, 1, named=["a", "b"], wrong=["b"]),
    ):  # fmt: skip
        assert not planting.summarize([*good, *worse])["good"]


def test_the_sums_are_told():
    sums = planting.summarize([*rows(3, 1), *rows(2, 3, wrong=["x"])])
    text = "\n".join(planting.describe(sums))
    assert "5 of 5 faulty ports caught" in text and "100.0% of 3 faults that stand alone" in text
    assert (
        "100.0% of all causes named in 2 ports with several" in text and "22.2% of the named causes are wrong" in text
    )
    assert "single, median 2; single, longest 3; triple, longest 2" in text


def test_two_planted_faults_are_named_and_what_is_there_is_not_run_again(tmp_path):
    command = ["-m", "parity", "faults", "--only", "diabetes/layer-norm-epsilon+rmsprop-rho", "--jobs", "1"]
    ended = run_python(*command, "--output-dir", tmp_path / "run", cwd=ROOT)
    assert ended.status == 0 and "100.0% of all causes named in 1 ports" in ended.out, ended
    (row,) = json.loads((tmp_path / "run" / "faults.json").read_text())["faults"]
    assert row["shown_by"].keys() == {"layer-norm-epsilon", "rmsprop-rho"} and row["left"] == []
    again = run_python(*command, "--resume", tmp_path / "run")
    assert again.status == 0 and "recording" not in again.out
