"""What a module logs, and when: seen in real epochs, with the names that a callback would find there."""

from types import SimpleNamespace

import lightning
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint

from parity.adapters.torch.candidate import load_as_they_are
from parity.adapters.torch.monitored import watch_metrics
from parity.adapters.torch.surroundings import quiet_trainer


class Port(lightning.LightningModule):
    """Logs in every way; has callbacks and a scheduler that miss their metric."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 1)

    def training_step(self, batch, batch_idx):
        loss = self.layer(batch[0]).mean()
        self.log("last", loss)
        self.log("mean", loss, on_step=False, on_epoch=True)
        self.log("both", loss, on_step=True, on_epoch=True)
        return loss

    def on_train_epoch_end(self):
        self.log("by_hand", 1.0)

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", self.layer(batch[0]).mean())

    def configure_callbacks(self):
        return [EarlyStopping("val_los")]

    def configure_optimizers(self):
        optimizer = torch.optim.SGD(self.parameters(), 0.1)
        scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "monitor": "val_los"}}


class Rows:
    """Stands for a user's rows."""

    def count(self, split):
        return 8

    def batch_size(self, split):
        return 4

    def batches(self, split, order, size):
        yield from [(torch.ones(size, 2),)] * 2


class Candidate:
    """Stands for a pair file's candidate."""

    arrays, batch_size, rows = dict.fromkeys(("x_train", "y_train"), np.ones((9, 2), np.float32)), 4, Rows()
    facts = SimpleNamespace(stateful=None)

    def build(self):
        return Port()

    def batch_of(self, *rows):
        return [torch.from_numpy(array) for array in rows]

    def fit(self, binding, callbacks, loader, validation, epochs, **options):
        quiet_trainer(lightning.pytorch, callbacks, max_epochs=epochs, **options).fit(
            binding.module, loader, validation
        )


def looked_for(callback):
    """Returns whether Lightning itself finds a callback's metric, and no last batch's, in a training."""
    module = Port()
    module.configure_callbacks, losses = list, []
    module.configure_optimizers = lambda: torch.optim.SGD(module.parameters(), 0.1)
    callback._evaluate_stopping_criteria = lambda current: (losses.append(float(current)), (False, None))[1]
    batches = [(torch.full((4, 2), float(one)),) for one in (1, 3)]
    trainer = quiet_trainer(lightning.pytorch, [callback], max_epochs=1, log_every_n_steps=1)
    try:
        trainer.fit(module, load_as_they_are(batches), load_as_they_are(batches))
    except RuntimeError as error:
        assert "which is not available" in str(error)
        return None
    return losses[0] == float(trainer.logged_metrics["both_step"])


@pytest.mark.parametrize(
    "monitor", ["last", "mean", "both", "both_step", "both_epoch", "by_hand", "val_loss", "val_los"]
)
@pytest.mark.parametrize("when", [None, True, False])
def test_a_metric_is_there_as_lightning_finds_it(monitor, when):
    logged = LOGGED or LOGGED.append(watch_metrics(Candidate())) or LOGGED
    callback = EarlyStopping(monitor, check_on_train_epoch_end=when)
    found = logged[0].of_last_batch(callback) if logged[0].has(callback) else None
    assert found == looked_for(callback)


LOGGED = []


def test_checkpoints_look_as_they_are_told():
    logged = watch_metrics(Candidate())
    assert logged.has(ModelCheckpoint()) and logged.has(ModelCheckpoint(monitor="mean"))
    assert not logged.has(ModelCheckpoint(monitor="mean", save_on_train_epoch_end=False))
    assert not logged.has(ModelCheckpoint(monitor="val_los"))
