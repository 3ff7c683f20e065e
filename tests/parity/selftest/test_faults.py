"""`parity faults`: every fault of the MLPs is planted once, caught and named; what is chosen."""

import json
from pathlib import Path

import pytest
from conftest import run_python

from mlp_spec.experiment import PRESETS
from mlp_spec.support.errors import UserError
from parity.protocol import targets
from parity.selftest.faults import FAULTS, FaultFlags, chosen
from parity.selftest.pair_faults import PairFault
from parity.traps.catalogue import TRAPS
from parity.traps.layers.catalogue import DIFFERENCES


def test_every_fault_is_planted_once_and_its_cause_is_in_the_catalogue():
    names = [fault.name for fault in FAULTS]
    assert len(names) == len(set(names)) >= 45
    assert {cause for fault in FAULTS for cause in fault.causes} <= {*TRAPS, *DIFFERENCES}
    assert sum(bool(fault.causes) for fault in FAULTS) >= 0.9 * len(FAULTS)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_faults_target_is_a_class_that_can_be_loaded(fault):
    planted = targets.load(fault.target)
    assert planted.__name__ == fault.name and planted.__module__ == fault.target.partition(":")[0]


def test_a_fault_stands_where_a_users_own_would():
    momentum, over_256 = (fault for fault in FAULTS if fault.name in ("Momentum", "Over256"))
    right = momentum.right(FaultFlags(dataset="mnist-sample"))
    assert not right.is_lab and right.experiment.lab == PRESETS["small"] and right.experiment.name == "small"
    assert right.experiment.arguments["hidden_sizes"] == (25,) and right.experiment.arguments["optimizer"] == "sgd"
    planted = [fault.planted(right, Path()) for fault in (momentum, over_256)]
    assert [(pair.candidate, pair.candidate_datamodule) for pair in planted] == [
        (momentum.target, None), (None, over_256.target),
    ]  # fmt: skip
    assert {pair.experiment.hash for pair in planted} == {right.experiment.hash}  # one reference serves both


def test_faults_are_chosen_by_kind_and_by_name():
    assert chosen(FaultFlags(kinds="mlps")) == FAULTS
    assert {type(fault) for fault in chosen(FaultFlags(kinds="examples"))} == {PairFault}
    both = chosen(FaultFlags(only=("TorchAdam", "digits_cnn/clip-norm+learning-rate:tenth")))
    assert [fault.name for fault in both] == ["TorchAdam", "digits_cnn/clip-norm+learning-rate:tenth"]
    assert [fault.port for fault in both] == ["bigger", "digits_cnn"]
    with pytest.raises(UserError, match="TorchAdam"):
        chosen(FaultFlags(only=("Adam",)))


def test_the_matrix_has_110_faults_40_pairs_and_10_triples():
    counts = [sum(fault.name.count("+") == more for fault in chosen(FaultFlags())) for more in range(3)]
    assert counts[0] >= 110 and counts[1:] == [40, 10]


def test_a_planted_fault_is_caught_and_named(tmp_path):
    flags = ["--dataset", "mnist-sample", "--only", "RateOff", "Momentum"]
    ended = run_python("-m", "parity", "faults", *flags, "--output-dir", tmp_path / "run")
    assert ended.status == 0, ended
    assert "2 of 2 faulty ports caught" in ended.out and "named for 100.0% of 2 faults" in ended.out
    rows = {row["fault"]: row for row in json.loads((tmp_path / "run" / "faults.json").read_text())["faults"]}
    assert [rows["RateOff"][key] for key in ("named", "wrong", "left")] == [["learning-rate"], [], []]
    assert rows["Momentum"]["shown_by"] == {"momentum": "optimizer/weights-after-every-step"}
    assert all(min(row["explained"].values()) >= 0.9 for row in rows.values())
