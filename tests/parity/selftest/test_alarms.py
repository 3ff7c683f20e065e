"""`parity alarms`: sound pairs of every kind raise no alarm; what is printed and kept, and how it ends."""

import json
import subprocess

from conftest import interrupt_after, readme_run

from mlp_spec.experiment import PRESETS
from parity.rungs.check import Check
from parity.selftest import alarms


def test_the_sound_pair_raises_no_alarm(tmp_path_factory):
    folder, ended = readme_run(tmp_path_factory, "python -m parity alarms --runs 100")
    assert ended.status == 0, ended
    assert "0 false alarms in 1 runs" in ended.out and "0 undecided" in ended.out
    (row,) = json.loads((folder / "alarms.json").read_text())["runs"]
    assert row["precision"] == "float64" and row["checks"] > 25 and row["failed"] == row["errors"] == []


def test_ctrl_c_keeps_what_was_finished_and_leaves_no_process(tmp_path):
    ended = interrupt_after(
        "1/50", "-m", "parity", "alarms", "--dataset", "mnist-sample", "--runs", "50", "--output-dir",
        str(tmp_path / "run"), timeout=250, cold=False,
    )  # fmt: skip
    assert ended.status == 130 and "Traceback" not in ended.err, ended
    assert "of 50 runs are in" in ended.err
    assert json.loads((tmp_path / "run" / "alarms.json").read_text())["runs"]
    seen = subprocess.run(["pgrep", "-f", str(tmp_path)], capture_output=True, text=True, check=False).stdout
    assert seen == ""


def test_seeds_cover_presets_and_own_models_of_every_kind():
    drawn = [alarms.experiment(seed) for seed in range(300)]
    assert drawn == [alarms.experiment(seed) for seed in range(300)]
    assert {one.model for one in drawn} > {preset.model for preset in PRESETS.values()}
    assert {one.training.optimizer.name for one in drawn} == {"sgd", "adam", "adamw", "rmsprop"}
    assert {one.model.activation for one in drawn} == {"relu", "sigmoid", "tanh"}
    assert (
        min(min(one.model.hidden_sizes) for one in drawn) < 16
        and max(max(one.model.hidden_sizes) for one in drawn) > 512
    )
    assert {one.training.precision for one in drawn} == {"float32", "float64"}
    assert len({one.training.seed for one in drawn}) == 300


def test_the_rate_is_bounded_as_clopper_and_pearson_do():
    # 0 of 100: 1 - .05^(1/100) = 2.95 %
    assert "below 3.0% with 95% confidence" in alarms.summary(0, 0, 100, 2900)
    assert "1 false alarms in 1 runs" in alarms.summary(1, 0, 1, 29)


ROW = {"seed": 7, "experiment": "small", "batch_size": 32, "precision": "float32", "seconds": 12.3, "failed": [],
       "errors": [], "nearest": {"of_limit": 0.25, "check": "loss / batch loss"}}  # fmt: skip


def test_a_run_is_shown_on_a_line():
    assert "parity  nearest 25% of its limit: loss / batch loss" in alarms.line(ROW)
    failed = {**ROW, "failed": [{"rung": "loss", "name": "batch loss"}]}
    assert "FALSE ALARM  loss / batch loss" in alarms.line(failed)
    assert "undecided  metrics: no answer" in alarms.line({**ROW, "errors": ["metrics: no answer"]})


def test_the_passed_check_nearest_to_its_limit_is_found():
    checks = [
        Check("near", "loss", "pass", 0.5, 1.0),
        Check("far", "loss", "pass", 0.1, 1.0),
        Check("failed", "loss", "fail", 9.0, 1.0),
        Check("exact", "loss", "pass", 0, 0),
        Check("batch-size", "experiment", "pass", 32, 32),  # equal, not near
    ]
    assert alarms.nearest(checks) == {"check": "loss / near", "of_limit": 0.5}
    assert alarms.nearest([]) == {"check": None, "of_limit": None}
