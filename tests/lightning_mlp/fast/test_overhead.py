"""What makes Lightning's own work cheaper changes nothing of it, and is still needed with this version."""

from collections import Counter

import lightning
import pytest
import torch
from lightning.pytorch.profilers import PassThroughProfiler
from torch import nn

from lightning_mlp import model as readable
from lightning_mlp import train
from lightning_mlp.data import MNISTDataModule
from lightning_mlp.fast.overhead import LitMLP, QuickNotes, Unprofiled
from mlp_spec.experiment import PRESETS

STEPS = 4


class Noting(LitMLP):
    """Counts the hooks that Lightning notes, and what it reads back."""

    def __setattr__(self, name, value):
        if name == "_current_fx_name":
            self.__dict__.setdefault("noted", Counter())[value] += 1
        super().__setattr__(name, value)

    def training_step(self, batch, batch_idx):
        self.__dict__.setdefault("read", set()).add(self._current_fx_name)
        return super().training_step(batch, batch_idx)


def trained(model, profiler=None) -> lightning.Trainer:
    trainer = lightning.Trainer(
        accelerator="cpu", max_epochs=1, limit_train_batches=STEPS, limit_val_batches=1, profiler=profiler,
        logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(model, datamodule=MNISTDataModule(dataset="mnist-sample"))
    return trainer


def test_lightning_notes_the_current_hook_and_finds_it_again():
    model = Noting()
    trainer = trained(model)
    assert model.read == {"training_step"}
    assert model.noted["training_step"] == model.noted["on_train_batch_end"] / 2 == STEPS  # a callback's, the module's
    assert sum(model.noted.values()) > 20 * STEPS  # else `QuickNotes` is not worth its lines
    assert {"loss", "acc"} <= trainer.callback_metrics.keys()  # logged in a hook, which the note names


def test_the_training_command_trains_the_readable_module_to_the_bit():
    quick = train.build(PRESETS["small"])
    assert type(quick) is LitMLP and not issubclass(readable.LitMLP, QuickNotes)
    plain = readable.LitMLP()
    plain.load_state_dict(quick.state_dict())
    for model in (quick, plain):
        lightning.seed_everything(0, verbose=False)
        trained(model)
    for ours, theirs in zip(quick.state_dict().values(), plain.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs)


def test_what_is_no_note_is_set_as_in_any_module():
    model = LitMLP()
    model.last = nn.Linear(2, 3)
    model.scale = nn.Parameter(torch.ones(2))
    model.sums = nn.Buffer(torch.zeros(2))
    assert {"last.weight", "last.bias", "scale", "sums"} <= model.state_dict().keys()
    with pytest.raises(TypeError, match="cannot assign"):
        model.scale = 3.0
    assert isinstance(model, lightning.LightningModule) and not issubclass(QuickNotes, nn.Module)


def test_lightnings_profiler_of_nothing_is_asked_in_every_step():
    calls = Counter()

    class Counting(Unprofiled):
        def profile(self, action_name):
            calls[action_name] += 1
            return super().profile(action_name)

    trained(LitMLP(), Counting())
    assert calls["run_training_batch"] == STEPS and sum(calls.values()) > 20 * STEPS
    assert type(lightning.Trainer(logger=False, accelerator="cpu").profiler) is PassThroughProfiler
