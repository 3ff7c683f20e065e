"""`parity faults` and `parity alarms`: what they print, keep, refuse, and how they end."""

import json
import subprocess

import pytest
from conftest import assert_user_error, interrupt_after, run_python

from mlp_spec.experiment import PRESETS
from parity.selftest import alarms
from parity.selftest.faults import FAULTS


def test_every_fault_is_planted_once_and_its_cause_is_in_the_catalogue():
    names = [fault.name for fault in FAULTS]
    assert len(names) == len(set(names)) >= 45
    assert sum(bool(fault.causes) for fault in FAULTS) >= 0.9 * len(FAULTS)


def test_a_planted_fault_is_caught_and_named(tmp_path):
    flags = ["--dataset", "mnist-sample", "--only", "RateOff", "MeanOfMeans"]
    ended = run_python("-m", "parity", "faults", *flags, "--output-dir", tmp_path / "run")
    assert ended.status == 0, ended
    assert "2 of 2 caught, the right cause named for 2" in ended.out
    rows = {row["fault"]: row for row in json.loads((tmp_path / "run" / "faults.json").read_text())["faults"]}
    assert (rows["RateOff"]["rung"], rows["RateOff"]["cause"]) == ("optimizer", "learning-rate")
    assert (rows["MeanOfMeans"]["rung"], rows["MeanOfMeans"]["cause"]) == ("metrics", "mean-of-means")
    assert all(row["explained"] >= 0.9 and row["diagnosis_seconds"] < 30 for row in rows.values())


def test_the_sound_pair_raises_no_alarm(tmp_path):
    flags = ["--dataset", "mnist-sample", "--runs", "1", "--first-seed", "5"]  # an own model, in float64
    ended = run_python("-m", "parity", "alarms", *flags, "--output-dir", tmp_path / "run")
    assert ended.status == 0, ended
    assert "0 false alarms in 1 runs" in ended.out and "0 undecided" in ended.out
    (row,) = json.loads((tmp_path / "run" / "alarms.json").read_text())["runs"]
    assert row["precision"] == "float64" and row["checks"] > 25 and row["failed"] == row["errors"] == []


def test_ctrl_c_keeps_what_was_finished_and_leaves_no_process(tmp_path):
    ended = interrupt_after(
        "1/50", "-m", "parity", "alarms", "--dataset", "mnist-sample", "--runs", "50", "--output-dir",
        str(tmp_path / "run"), timeout=250,
    )  # fmt: skip
    assert ended.status == 130 and "Traceback" not in ended.err, ended
    assert "of 50 runs are in" in ended.err
    assert json.loads((tmp_path / "run" / "alarms.json").read_text())["runs"]
    seen = subprocess.run(["pgrep", "-f", str(tmp_path)], capture_output=True, text=True, check=False).stdout
    assert seen == ""


@pytest.mark.parametrize(
    ("flags", "word"),
    [
        (["alarms", "--runs", "0"], "--runs is 0"),
        (["alarms", "--jobs", "0"], "--jobs is 0"),
        (["faults", "--only", "Gremlin"], "Gremlin"),
        (["faults", "--stall-timeout", "-1"], "--stall-timeout is -1"),
        (["faults", "--data-dir", "/no/such/folder"], "/no/such/folder"),
    ],
)
def test_bad_input_is_refused_before_anything_starts(flags, word):
    assert_user_error(run_python("-m", "parity", *flags), word)


def test_seeds_cover_presets_and_own_models_of_every_kind():
    drawn = [alarms.experiment(seed) for seed in range(300)]
    assert drawn == [alarms.experiment(seed) for seed in range(300)]
    assert {one.model for one in drawn} > {preset.model for preset in PRESETS.values()}
    assert {one.training.optimizer.name for one in drawn} == {"sgd", "adam", "adamw", "rmsprop"}
    assert {one.model.activation for one in drawn} == {"relu", "sigmoid", "tanh"}
    assert {one.training.precision for one in drawn} == {"float32", "float64"}
    assert len({one.training.seed for one in drawn}) == 300


def test_the_rate_is_bounded_as_clopper_and_pearson_do():
    # 0 of 100: 1 - .05^(1/100) = 2.95 %
    assert "below 3.0% with 95% confidence" in alarms.summary(0, 0, 100, 2900)
    assert "1 false alarms in 1 runs" in alarms.summary(1, 0, 1, 29)
