"""The callbacks of the training command: the bar's counts and messages, and the checkpoint of every epoch."""

import json
from types import SimpleNamespace

import pytest

from lightning_mlp.callbacks import Bar, EpochCheckpoint
from lightning_mlp.history import CURVES, History
from mlp_spec.experiment import PRESETS
from mlp_spec.runs.folder import RunFolder
from mlp_spec.runs.resume import Stamp


def history_of(epochs):
    history = History()
    history.load_state_dict({"history": {name: [0.5] * epochs for name in CURVES}, "epoch_seconds": [1.5] * epochs})
    return history


@pytest.mark.parametrize(
    ("attributes", "text"),
    [
        ({}, ""),
        ({"compile_steps": True, "compile_seconds": 2.04}, "Compiled in 2.0 s.\n"),
        ({"compile_steps": False, "compile_seconds": 0.5}, "Captured in 0.5 s.\n"),
        (
            {"compile_steps": True, "compile_seconds": None, "why_not": "no compiler"},
            "note: steps are not compiled, but run one by one: no compiler\n",
        ),
        (
            {"compile_steps": False, "why_not": "a hook"},
            "note: steps are not captured, but run one by one: a hook\n",
        ),
    ],
)
def test_the_bar_reports_on_compiling(attributes, text, capsys):
    Bar.report_compiling(SimpleNamespace(**attributes))
    assert capsys.readouterr().out == text


@pytest.mark.parametrize(("block", "batches", "advanced"), [(None, 7, [1, 2, 3]), (5, 35, [5, 10, 15])])
def test_the_bar_counts_steps_also_in_blocks_and_reports_once(block, batches, advanced, monkeypatch, capsys):
    sampler = SimpleNamespace(block=block, batches=batches)
    loader = SimpleNamespace(sampler=sampler)
    trainer = SimpleNamespace(train_dataloader=loader, max_epochs=2, current_epoch=0, num_training_batches=7)
    module, bar, seen = SimpleNamespace(compile_seconds=1.0), Bar(history_of(1)), []
    bar.on_train_start(trainer, module)
    assert bar.bar.batches == batches
    monkeypatch.setattr(bar.bar, "advance", seen.append)
    for _ in range(2):
        bar.on_train_epoch_start(trainer, module)
    for index in range(3):
        bar.on_train_batch_end(trainer, module, None, None, index)
    bar.on_train_epoch_end(trainer, module)
    assert seen == advanced
    out = capsys.readouterr().out
    assert out.count("Captured in") == 1 and "Epoch 1/2    1.5 s  loss 0.5000" in out


def test_an_exception_before_training_starts_needs_no_bar():
    assert Bar(History()).on_exception(None, None, KeyboardInterrupt()) is None


def test_an_epoch_writes_results_and_a_stamped_checkpoint(tmp_path):
    saved, run = [], RunFolder(tmp_path / "run")
    checkpoint = EpochCheckpoint(history_of(2), run, "checkpoint.ckpt", PRESETS["small"])
    checkpoint.startup_seconds = 3.5
    trainer = SimpleNamespace(save_checkpoint=saved.append)
    checkpoint.on_train_epoch_end(trainer, SimpleNamespace(compile_seconds=2.5))
    assert saved == [run.path / "checkpoint.ckpt"]
    assert json.loads((run.path / "history.json").read_text())["val_acc"] == [0.5, 0.5]
    timing = json.loads((run.path / "timing.json").read_text())
    assert timing == {"epoch_seconds": [1.5, 1.5], "startup_seconds": 3.5, "compile_seconds": 2.5}
    contents = {}
    checkpoint.on_save_checkpoint(trainer, None, contents)
    stamp = Stamp.from_dict(contents["run"], "checkpoint.ckpt")
    assert stamp.experiment == PRESETS["small"] and stamp.results.epochs == 2


def test_a_process_without_a_run_folder_writes_no_results(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    saved = []
    checkpoint = EpochCheckpoint(history_of(1), None, "checkpoint.ckpt", PRESETS["small"])
    checkpoint.on_train_epoch_end(SimpleNamespace(save_checkpoint=saved.append), SimpleNamespace())
    assert saved == ["checkpoint.ckpt"]  # every process takes part in saving
    assert list(tmp_path.iterdir()) == []
