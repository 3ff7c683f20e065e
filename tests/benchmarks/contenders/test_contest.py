"""What the contenders share: flags, digits, bar and results; a wrong flag is refused."""

import json
import sys

import pytest

from benchmarks.contenders import contest
from mlp_spec.experiment import PRESETS

METRICS = {"loss": 0.5, "acc": 0.75, "val_loss": 0.25, "val_acc": 0.5}


def arguments(monkeypatch, *argv):
    monkeypatch.setattr(sys, "argv", ["contest", *map(str, argv)])


def test_a_contender_gets_the_experiment_the_digits_and_a_run_folder(monkeypatch, tmp_path, capsys):
    def train(run):
        assert run.experiment.model == PRESETS["bigger"].model and run.digits().dataset == "mnist-sample"
        assert run.start(7).batches == 7
        run.end_epoch(0.0, **METRICS)

    arguments(monkeypatch, "--preset", "bigger", "--dataset", "mnist-sample", "--output-dir", tmp_path / "run")
    assert contest.run("test", train) == 0, capsys.readouterr()
    assert json.loads((tmp_path / "run" / "history.json").read_text()) == {
        key: [value] for key, value in METRICS.items()
    }
    timing = json.loads((tmp_path / "run" / "timing.json").read_text())
    assert timing["startup_seconds"] > 0 and len(timing["epoch_seconds"]) == 1


def test_a_users_mistake_ends_with_status_2_and_leaves_nothing(monkeypatch, tmp_path, capsys):
    arguments(monkeypatch, "--epochs", "0", "--output-dir", tmp_path / "run")
    assert contest.run("test", lambda run: pytest.fail("it was started")) == 2
    assert "--epochs is 0" in capsys.readouterr().err and not (tmp_path / "run").exists()
