"""`parity faults`: every fault is planted once, caught at its rung and named; what is printed and kept."""

import json
from dataclasses import replace

import pytest
from conftest import run_python
from sample_records import EXPERIMENT, LAB_PARTS, make_replay, make_sides

from parity.ladder import climb
from parity.pair import Pair
from parity.protocol import targets
from parity.protocol.task import Task
from parity.selftest import faults
from parity.selftest.faults import FAULTS, Fault, FaultFlags
from parity.traps.catalogue import TRAPS


def test_every_fault_is_planted_once_and_its_cause_is_in_the_catalogue():
    names = [fault.name for fault in FAULTS]
    assert len(names) == len(set(names)) >= 45
    assert {cause for fault in FAULTS for cause in fault.causes} <= set(TRAPS)
    assert sum(bool(fault.causes) for fault in FAULTS) >= 0.9 * len(FAULTS)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_faults_target_is_a_class_that_can_be_loaded(fault):
    planted = targets.load(fault.target)
    assert planted.__name__ == fault.name and planted.__module__ == fault.target.partition(":")[0]


@pytest.fixture
def attempt(monkeypatch, tmp_path):
    """Puts a candidate through the ladder whose processes are made up; returns the row of the matrix."""

    def attempted(fault, **records):
        reference, candidate = make_sides()
        stamp = {"run_id": EXPERIMENT.run_id, "experiment_hash": EXPERIMENT.hash}
        candidate.parts |= {part: replace(record, **stamp) for part, record in records.items()}

        def ask(name, task, path, stall, follow=None, arrived=lambda part: None, side=None):
            assert task.pair.candidate == fault.target and task.output_dir.endswith(f"{fault.name}/lightning")
            for part in task.parts:
                side.parts[part] = candidate.parts[part]
                arrived(part)
            return side

        monkeypatch.setattr(climb, "ask", ask)
        task = Task(LAB_PARTS, "", Pair(EXPERIMENT, "mnist-sample"))
        (tmp_path / fault.name).mkdir()
        return faults.attempt(fault, reference, task, FaultFlags(), tmp_path / fault.name)

    return attempted


MOMENTUM = Fault("Momentum", "small", ("momentum",))


def test_a_fault_that_is_caught_and_named(attempt):
    row = attempt(MOMENTUM, optimizer=make_replay(EXPERIMENT, momentum=0.9))
    assert (row["caught"], row["named"], row["cause"]) == (True, True, "momentum")
    assert row["check"] == "optimizer/weights-after-every-step" and row["explained"] > 0.9 and row["errors"] == []
    assert faults.line(row).split()[:5] == ["caught", "Momentum", "small", "optimizer", "named"]


def test_a_fault_that_is_named_wrongly(attempt):
    row = attempt(replace(MOMENTUM, causes=("nesterov",)), optimizer=make_replay(EXPERIMENT, momentum=0.9))
    assert (row["caught"], row["named"]) == (True, False)
    assert faults.line(row).split()[-2:] == ["wrong:", "momentum"]


def test_a_fault_that_is_missed(attempt):
    row = attempt(MOMENTUM)
    assert (row["caught"], row["named"], row["rung"]) == (False, False, None)
    assert faults.line(row).startswith("MISSED  Momentum")


def test_a_planted_fault_is_caught_and_named(tmp_path):
    flags = ["--dataset", "mnist-sample", "--only", "RateOff", "MeanOfMeans"]
    ended = run_python("-m", "parity", "faults", *flags, "--output-dir", tmp_path / "run")
    assert ended.status == 0, ended
    assert "2 of 2 caught, the right cause named for 2" in ended.out
    rows = {row["fault"]: row for row in json.loads((tmp_path / "run" / "faults.json").read_text())["faults"]}
    assert (rows["RateOff"]["rung"], rows["RateOff"]["cause"]) == ("optimizer", "learning-rate")
    assert (rows["MeanOfMeans"]["rung"], rows["MeanOfMeans"]["cause"]) == ("metrics", "mean-of-means")
    assert all(row["explained"] >= 0.9 and row["diagnosis_seconds"] < 30 for row in rows.values())
