"""What a module logs on the fast path: the same means as Lightning's own, whatever the block."""

import lightning
import pytest
import torch
from torch import nn

from keras_like.normalization import KerasBatchNorm1d
from lightning_mlp import train
from lightning_mlp.data import HeldDataModule, HeldDataset
from lightning_mlp.fast.steps import many_steps

ROWS = 6 * 8 + 5  # the last batch is smaller


class Module(lightning.LightningModule):
    """Logs by `log` and `log_dict`, by names and by position; has buffers."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 8), KerasBatchNorm1d(8), nn.Tanh(), nn.Linear(8, 1))

    def training_step(self, batch, batch_idx):
        error = self.net(batch[0]) - batch[1]
        loss = error.square().mean()
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        self.log_dict(dictionary={"mae": error.abs().mean(), "one": 1.0}, on_step=False, on_epoch=True)
        self.log("of one", loss.reshape(1), False, False, False, True)  # squeezed, as by Lightning
        return loss

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", (self.net(batch[0]) - batch[1]).square().mean())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


class Kept(lightning.Callback):
    """Keeps an epoch's metrics."""

    def __init__(self):
        self.epochs = []

    def on_train_epoch_end(self, trainer, pl_module):
        self.epochs.append({name: float(value) for name, value in trainer.callback_metrics.items()})


def trained(block, compiled=False, module=Module):
    train.quieten()
    draw = torch.Generator().manual_seed(0)
    rows = HeldDataset(torch.randn(ROWS, 4, generator=draw), torch.randn(ROWS, 1, generator=draw))
    torch.manual_seed(0)
    module = (many_steps(module) if block else module)()
    module.compile_steps = compiled
    kept = Kept()
    trainer = lightning.Trainer(
        accelerator="cpu",
        max_epochs=3,
        num_sanity_val_steps=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[kept],
        precision="64-true",
    )
    trainer.fit(module, HeldDataModule(rows, rows, batch_size=8, steps_per_execution=block))
    return kept.epochs, module


@pytest.fixture(scope="module")
def alone():
    return trained(None)


@pytest.mark.parametrize(("block", "compiled"), [(1, False), (3, False), (4, True), (100, False)])
def test_the_means_of_an_epoch_are_those_of_single_batches(alone, block, compiled):
    (expected, theirs), (found, ours) = alone, trained(block, compiled)
    assert ours.why_not is None
    for mine, other in zip(found, expected, strict=True):
        assert mine == pytest.approx(other, rel=1e-9) and mine["one"] == 1 and mine["train_loss"] > 0
    for (name, value), other in zip(ours.state_dict().items(), theirs.state_dict().values(), strict=True):
        assert torch.allclose(value.double(), other.double(), rtol=1e-9), name  # buffers, too: trials leave no trace


class Sometimes(Module):
    """Logs in some steps only, and twice as much as one."""

    def training_step(self, batch, batch_idx):
        if len(batch[0]) < 8:  # the last batch
            self.log("rest", 2.0, on_step=False, on_epoch=True)
        return super().training_step(batch, batch_idx)


class Largest(Module):
    """Logs what is no mean."""

    def training_step(self, batch, batch_idx):
        self.log("largest", 1.0, reduce_fx="max")
        return super().training_step(batch, batch_idx)


def test_what_some_steps_log_is_the_mean_of_theirs():
    epochs, _ = trained(3, module=Sometimes)
    assert [one["rest"] for one in epochs] == [2.0] * 3 and epochs[0]["one"] == 1


def test_what_is_no_mean_is_refused():
    with pytest.raises(TypeError, match="'largest' has another reduce_fx"):
        trained(3, module=Largest)
