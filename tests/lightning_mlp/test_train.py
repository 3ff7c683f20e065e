"""The parts of Lightning's training command: summary, module, Trainer, threads, cache and messages."""

import logging
import os
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from lightning.pytorch.callbacks import Checkpoint

from lightning_mlp import train
from lightning_mlp.callbacks import Bar
from lightning_mlp.fast import overhead
from lightning_mlp.history import History
from lightning_mlp.model import LitMLP
from mlp_spec.experiment import PRESETS, ModelSpec
from mlp_spec.flags import LightningFlags

SMALL, BIGGER = PRESETS["small"], PRESETS["bigger"]


@pytest.mark.parametrize(
    ("experiment", "texts"),
    [
        (SMALL, ["layers.0 (Linear)", "(None, 25)", "19,625", "(None, 10)", "260", "Total params: 19,885"]),
        (BIGGER, ["(None, 100)", "78,500", "(None, 75)", "7,575", "1,900", "Total params: 88,235"]),
    ],
    ids=["small", "bigger"],
)
def test_the_summary_shows_every_linear_layer_and_the_total(experiment, texts, capsys):
    train.show(train.build(experiment))
    out = capsys.readouterr().out
    for text in ("Layer (type)", "Output Shape", "Param #", *texts):
        assert text in out
    assert out.count("(Linear)") == len(experiment.model.layer_sizes)


@pytest.mark.parametrize(
    ("options", "device", "steps"),
    [
        ({}, "cpu", None),
        ({}, "gpu", 100),
        ({"steps_per_execution": 1}, "cpu", None),
        ({"steps_per_execution": 7}, "cpu", 7),
        ({"compile": True}, "cpu", 100),
        ({"compile": True, "steps_per_execution": 1}, "cpu", 1),
        ({"devices": 2}, "gpu", None),
    ],
)
def test_the_flags_choose_the_path(options, device, steps):
    assert train.steps_per_execution(LightningFlags(**options), device) == steps


def test_the_module_gets_the_experiments_settings():
    module = train.build(BIGGER, epsilon=0.5)
    assert type(module) is overhead.LitMLP and module.hparams.epsilon == 0.5
    assert module.hparams.hidden_sizes == (100, 75, 25) and module.hparams.optimizer == "adam"
    assert train.build(SMALL, dict)["activation"] == "sigmoid"  # anything with LitMLP's keyword arguments


def test_the_fast_module_is_a_subclass_that_compiles_if_told_to():
    for compiled in (True, False):
        fast = train.fast_module(compiled)
        assert issubclass(fast, LitMLP) and fast.compile_steps is compiled
    with pytest.raises(TypeError, match="LightningModule class"):
        train.fast_module(True, dict)


@pytest.mark.parametrize(("precision", "name"), [("float32", "32-true"), ("float64", "64-true")])
def test_the_trainer_has_the_experiments_epochs_and_precision(precision, name):
    experiment = replace(BIGGER, training=replace(BIGGER.training, precision=precision))
    trainer = train.make_trainer(experiment, "cpu", [], limit_val_batches=3)
    assert (trainer.max_epochs, trainer.precision, trainer.limit_val_batches) == (20, name, 3)
    assert trainer.num_sanity_val_steps == 0 and trainer.loggers == [] and trainer.num_devices == 1


def test_bar_and_checkpoint_are_on_only_as_callbacks():
    plain, full = (train.make_trainer(SMALL, "cpu", callbacks) for callbacks in ([], [Bar(History()), Checkpoint()]))
    assert plain.progress_bar_callback is None and plain.checkpoint_callbacks == []
    assert isinstance(full.progress_bar_callback, Bar) and len(full.checkpoint_callbacks) == 1


@pytest.mark.parametrize(("sizes", "device", "threads"), [((25,), "cpu", 1), ((4096,), "cpu", 2), ((25,), "gpu", 2)])
def test_small_steps_on_the_cpu_use_one_thread(sizes, device, threads):
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        train.use_threads(device, replace(SMALL, model=ModelSpec(sizes)))
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)


def test_compiled_code_goes_to_the_users_cache_unless_the_user_names_a_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "mine")
    train.keep_compiled_code()
    assert os.environ["TORCHINDUCTOR_CACHE_DIR"] == "mine"
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR")
    train.keep_compiled_code()
    assert Path(os.environ["TORCHINDUCTOR_CACHE_DIR"]) == tmp_path / "keras-lightning-parity" / "inductor"


@pytest.mark.parametrize(
    ("error", "lost"),
    [
        (RuntimeError("[gloo] Connection closed by peer"), True),
        (RuntimeError("NCCL error: unhandled system error"), True),
        (torch.distributed.DistError("timed out"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
    ],
)
def test_a_lost_connection_is_told_from_other_errors(error, lost):
    assert train.is_lost_connection(error) is lost


def test_only_lightnings_remarks_about_every_run_are_silenced():
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        train.quieten()
        warnings.warn("The 'train_dataloader' does not have many workers which may be a bottleneck.", stacklevel=1)
        warnings.warn("the loss is not a number", stacklevel=1)
    assert [str(warning.message) for warning in seen] == ["the loss is not a number"]
    assert logging.getLogger("lightning.pytorch").level == logging.WARNING
