"""Run folders: what may become one, and what is in them before, during and after training."""

import csv
import json
import sys
from dataclasses import replace
from datetime import datetime

import pytest

from mlp_spec.digits.load import load_sample
from mlp_spec.runs import folder
from mlp_spec.support.errors import UserError
from mlp_spec.experiment import PRESETS, DataSpec, Experiment, TrainingSpec
from mlp_spec.runs.folder import CURVES, Results, RunFolder, check_free

EPOCHS = (
    {"loss": 1.6, "acc": 0.6, "val_loss": 1.1, "val_acc": 0.7},
    {"loss": 1 / 3, "acc": 0.9, "val_loss": 1e-7, "val_acc": 0.8},
    {"loss": 0.25, "acc": 0.91, "val_loss": 0.123456789012345, "val_acc": 1.0},
)


def results_of(*epochs):
    results = Results(startup_seconds=4.5)
    for index, metrics in enumerate(epochs):
        results.add_epoch(metrics, seconds=index + 0.5)
    return results


def names(path):
    return sorted(entry.name for entry in path.iterdir())


def load(path):
    return json.loads(path.read_text(encoding="utf-8"))


def test_a_new_folder_is_made_with_its_parents(tmp_path):
    run = RunFolder(str(tmp_path / "a" / "b"))
    assert run.path == tmp_path / "a" / "b"
    assert names(run.path) == []


def test_an_empty_folder_is_taken(tmp_path):
    assert names(RunFolder(tmp_path).path) == []


@pytest.mark.parametrize("name", ["notes.txt", ".hidden", ".writable"])
def test_a_folder_with_a_file_is_refused_and_left_as_it_was(tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(UserError, match=r"is not empty; give a new --output-dir") as caught:
        RunFolder(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert names(tmp_path) == [name] and (tmp_path / name).read_text() == "mine"


def test_a_folder_with_a_folder_is_refused(tmp_path):
    (tmp_path / "sub").mkdir()
    with pytest.raises(UserError, match="is not empty"):
        RunFolder(tmp_path)


@pytest.mark.parametrize("below", ["", "run", "run/deeper"])
def test_a_regular_file_in_the_way_is_refused(tmp_path, below):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UserError, match=r"cannot be written .*--output-dir") as caught:
        RunFolder(tmp_path / "file" / below)
    assert str(tmp_path / "file" / below) in str(caught.value)
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("path", ["/proc/run", "/proc/run/deeper"])
@pytest.mark.skipif(sys.platform != "linux", reason="NOT RUN: needs /proc, where not even root may write")
def test_an_unwritable_folder_is_refused(path):
    with pytest.raises(UserError, match=f"output folder {path} cannot be written"):
        RunFolder(path)


def test_checking_a_folder_makes_nothing(tmp_path):
    for path in (None, tmp_path, tmp_path / "a" / "b", str(tmp_path / "c")):
        assert check_free(path) is None
    assert names(tmp_path) == []


def test_checking_refuses_a_folder_before_it_is_needed(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="is not empty"):
        check_free(tmp_path)
    for path in (tmp_path / "file", tmp_path / "file" / "deeper", tmp_path / ("x" * 300)):
        with pytest.raises(UserError, match="cannot be written"):
            check_free(str(path))


def test_a_name_that_is_too_long_is_refused(tmp_path):
    with pytest.raises(UserError, match="cannot be written"):
        RunFolder(tmp_path / ("x" * 300))


def test_create_takes_the_folder_it_is_given(tmp_path):
    assert RunFolder.create(str(tmp_path / "mine"), "small").path == tmp_path / "mine"


def test_the_default_folder_is_fresh_also_within_one_second(tmp_path, monkeypatch):
    class Stopped(datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2024, 5, 17, 13, 4, 9)

    monkeypatch.setattr(folder, "datetime", Stopped)
    monkeypatch.chdir(tmp_path)
    paths = []
    for _ in range(3):
        paths.append(RunFolder.create(None, "small").path.as_posix())
        (tmp_path / paths[-1] / "config.json").touch()
    stem = "runs/20240517-130409-small"
    assert paths == [stem, f"{stem}-2", f"{stem}-3"]
    assert all((tmp_path / path).is_dir() for path in paths)


def test_the_default_folder_below_a_file_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").touch()
    with pytest.raises(UserError, match="cannot be written"):
        RunFolder.create(None, "small")


def test_the_configuration_says_what_is_trained_and_with_what(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["train.py", "--seed", "7"])
    preset = PRESETS["bigger"]
    experiment = replace(preset, training=replace(preset.training, seed=7), data=DataSpec("mnist-sample"))
    environment = {"python": "3.x", "packages": {"numpy": None}}
    RunFolder(tmp_path).write_configuration(experiment, "the sample", "cpu", environment, {"devices": 2})
    assert names(tmp_path) == ["config.json", "environment.json"]
    assert load(tmp_path / "environment.json") == environment
    written = load(tmp_path / "config.json")
    started = datetime.fromisoformat(written.pop("started"))
    assert abs((datetime.now().astimezone() - started).total_seconds()) < 60
    assert Experiment.from_dict(written.pop("experiment")) == experiment
    assert written == {
        "name": "bigger",
        "experiment_hash": experiment.hash,
        "run_id": f"{experiment.hash}-seed7",
        "seed": 7,
        "dataset": "mnist-sample",
        "data_source": "the sample",
        "device": "cpu",
        "engine": {"devices": 2},
        "command": ["train.py", "--seed", "7"],
    }


def test_results_grow_epoch_by_epoch():
    results = results_of(*EPOCHS)
    assert (results.epochs, results.epoch_seconds) == (3, [0.5, 1.5, 2.5])
    assert results.history == {name: [epoch[name] for epoch in EPOCHS] for name in CURVES}
    assert Results().epochs == 0 and Results().history == {name: [] for name in CURVES}


def test_an_epoch_without_a_metric_is_an_error():
    with pytest.raises(KeyError, match="val_acc"):
        Results().add_epoch({"loss": 1, "acc": 1, "val_loss": 1}, seconds=1)


def test_history_and_timing_agree_and_are_rewritten_after_every_epoch(tmp_path):
    run, results = RunFolder(tmp_path), Results(startup_seconds=4.5)
    for count, metrics in enumerate(EPOCHS, start=1):
        results.add_epoch(metrics, seconds=count / 10)
        run.write_results(results)
        assert names(tmp_path) == ["history.csv", "history.json", "timing.json"]
        history = load(tmp_path / "history.json")
        assert history == {name: [epoch[name] for epoch in EPOCHS[:count]] for name in CURVES}
        with open(tmp_path / "history.csv", encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        assert [int(row["epoch"]) for row in rows] == list(range(1, count + 1))
        # Every digit is there: the CSV brings back the same numbers as the JSON.
        assert {name: [float(row[name]) for row in rows] for name in CURVES} == history
        timing = load(tmp_path / "timing.json")
        assert timing == {"epoch_seconds": results.epoch_seconds, "startup_seconds": 4.5}
        assert len(timing["epoch_seconds"]) == count


def test_the_csv_is_plain(tmp_path):
    RunFolder(tmp_path).write_results(results_of(EPOCHS[0]))
    assert (tmp_path / "history.csv").read_bytes() == b"epoch,loss,acc,val_loss,val_acc\n1,1.6,0.6,1.1,0.7\n"


@pytest.mark.parametrize("epochs", [EPOCHS, EPOCHS[:1]], ids=["three epochs", "one epoch"])
def test_the_end_adds_pictures_and_the_answer(tmp_path, epochs):
    run, results = RunFolder(tmp_path), results_of(*epochs)
    experiment = replace(PRESETS["small"], training=TrainingSpec(seed=3))
    text = run.finish(results, load_sample(), experiment, "Lightning")
    assert names(tmp_path) == ["accuracy.png", "first_image.png", "fitting.json"]
    for name in ("accuracy.png", "first_image.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    answer = load(tmp_path / "fitting.json")
    assert answer["numbers"]["epochs"] == len(epochs)
    assert answer["answer"] == ("overfits" if len(epochs) == 3 else "unclear")
    assert answer["sentence"] in text and str(tmp_path) in text
    seconds = sum(results.epoch_seconds)
    assert f"Lightning trained small on mnist-sample for {len(epochs)} epochs in {seconds:.1f} s" in text
    assert f"val_acc {epochs[-1]['val_acc']:.4f}" in text


def test_a_diverged_run_ends_like_any_other(tmp_path):
    bad = dict.fromkeys(CURVES, float("nan"))
    RunFolder(tmp_path).finish(results_of(EPOCHS[0], bad), load_sample(), PRESETS["small"], "Keras")
    assert load(tmp_path / "fitting.json")["answer"] == "unclear"
    assert names(tmp_path) == ["accuracy.png", "first_image.png", "fitting.json"]
