"""Lightning's own callbacks on a carrier: what they decide is what they decide in a training; nothing stays behind."""

import os

import lightning
import numpy as np
import pytest
import pytorch_lightning
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint

from parity.adapters.torch import deciding
from parity.adapters.torch.candidate import load_as_they_are
from parity.adapters.torch.deciding import Lists, saved_batches
from parity.adapters.torch.monitored import Logged
from parity.adapters.torch.surroundings import quiet_trainer
from parity.protocol.callbacks import NAN_FIRST, metric_lists

LISTS = {name: metric_lists(24)[name][:12] for name in ("falling", "flat", "noisy", NAN_FIRST)}
LOGGED = Logged(names=["val_loss"], early=["val_loss"])


class Restoring(ModelCheckpoint):
    """Puts the best epoch's weights in place, as Keras can."""

    best = None

    def on_train_epoch_end(self, trainer, pl_module):
        value = float(trainer.callback_metrics[self.monitor])
        if self.best is None or value < self.best:
            self.best, self.state = value, {name: one.clone() for name, one in pl_module.state_dict().items()}

    def on_train_end(self, trainer, pl_module):
        pl_module.load_state_dict(self.state)


def trained(values, *given):
    """Trains for real, logging the values; returns the last epoch."""

    class Logging(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(1, 1)

        def training_step(self, batch, batch_idx):
            return self.layer(batch).mean()

        def validation_step(self, batch, batch_idx):
            self.log("val_loss", torch.tensor(values[self.current_epoch], dtype=torch.float32), batch_size=1)

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.0)

    loader = load_as_they_are([torch.zeros(1, 1)])
    trainer = lightning.Trainer(
        accelerator="cpu", max_epochs=len(values), callbacks=list(given), logger=False, enable_progress_bar=False,
        enable_checkpointing=any(isinstance(one, ModelCheckpoint) for one in given), enable_model_summary=False,
        num_sanity_val_steps=0, log_every_n_steps=1,
    )  # fmt: skip
    trainer.fit(Logging(), loader, loader)
    return trainer.current_epoch


@pytest.mark.filterwarnings("ignore:.*does not have many workers")
def test_callbacks_decide_as_in_a_training(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stopping, saving = EarlyStopping("val_loss", patience=2), ModelCheckpoint("never", monitor="val_loss", save_top_k=2)
    found = Lists([stopping, saving], LISTS, LOGGED).run()
    assert os.listdir() == [] and stopping.wait_count == 0 and not saving.best_model_path
    for number, values in enumerate(LISTS.values()):
        assert trained(values, EarlyStopping("val_loss", patience=2)) == (found.stops[number] or len(values))
        kept = ModelCheckpoint(tmp_path / str(number), monitor="val_loss", save_top_k=2)
        trained(values, kept)
        held = torch.load(kept.best_model_path, weights_only=False)["epoch"] + 1
        assert held == found.loaded[0, number, -1]
        epochs = [torch.load(path, weights_only=False)["epoch"] for path in kept.best_k_models]
        assert sorted(epochs) == np.flatnonzero(found.kept[0, number]).tolist()
    assert found.stops.tolist()[:2] == [0, 3] and (found.weights == np.where(found.stops, found.stops, 12)).all()


def test_a_callback_of_ones_own_may_restore_the_best_weights():
    given = [EarlyStopping("val_loss", patience=2), Restoring(monitor="val_loss")]
    found = Lists(given, LISTS, LOGGED).run()
    assert found.stops.tolist()[:2] == [0, 3] and found.weights.tolist()[:2] == [12, 1]


def test_callbacks_of_the_older_package_are_called_by_its_own_trainer():
    found = Lists([pytorch_lightning.callbacks.EarlyStopping("val_loss", patience=2)], LISTS, LOGGED).run()
    assert found.stops.tolist()[:2] == [0, 3]
    assert deciding.package_of_callbacks([]).__name__ == "lightning.pytorch"


def test_a_pause_trains_nothing():
    seen, loader = [], load_as_they_are([torch.zeros(1)])
    carrier = deciding.carrier_of(lightning.pytorch)
    pause = deciding.Pause(lambda trainer, _: seen.append(trainer.global_step))
    trainer = quiet_trainer(lightning.pytorch, [pause], max_epochs=1, log_every_n_steps=1)
    with pytest.raises(deciding.schedules.Paused):
        trainer.fit(carrier, loader, loader)
    assert seen == [0] and trainer.global_step == 0


@pytest.mark.filterwarnings("ignore:.*does not have many workers")
@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("settings", [
    {"every_n_train_steps": 3}, {"every_n_train_steps": 2, "save_top_k": -1}, {"every_n_epochs": 2, "save_top_k": -1},
    {"every_n_train_steps": 4, "save_on_train_epoch_end": True}, {"save_last": True},
])  # fmt: skip
def test_files_of_batches_are_those_of_a_training(settings, every, tmp_path, monkeypatch):
    class Counting(lightning.LightningModule):
        """Counts its batches."""

        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(1, 1)
            self.register_buffer("batches", torch.zeros(()))

        def training_step(self, batch, batch_idx):
            self.batches += 1
            return self.layer(batch).mean()

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.0)

    def held(path):
        return int(torch.load(path, weights_only=False)["state_dict"]["batches"])

    monkeypatch.chdir(tmp_path)
    one, loader = ModelCheckpoint("files", **settings), load_as_they_are([torch.zeros(1, 1)] * 7)
    loaded, kept = saved_batches([one], 28, 7, every)
    assert os.listdir() == [] and not one.best_model_path
    options = {"max_epochs": 4, "accumulate_grad_batches": every, "logger": False, "enable_progress_bar": False}
    trainer = lightning.Trainer(callbacks=[one], accelerator="cpu", enable_model_summary=False, **options)
    trainer.fit(Counting(), loader)
    files = [path for path in os.listdir("files") if not path.startswith("last")]
    assert sorted(held(f"files/{path}") for path in files) == (np.flatnonzero(kept[0]) + 1).tolist()
    assert held(one.best_model_path) == loaded[0, -1] > 0
