"""Lightning's own callbacks on a carrier: what they decide is what they decide in a training; nothing stays behind."""

import os
from types import SimpleNamespace

import lightning
import numpy as np
import pytest
import pytorch_lightning
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint

from mlp_spec.support.errors import UserError
from parity.adapters.torch import callbacks
from parity.adapters.torch.callbacks import Lists, given_callbacks, role_of, updates_of
from parity.adapters.torch.candidate import load_as_they_are
from parity.adapters.torch.surroundings import quiet_trainer
from parity.protocol.callbacks import FILES, OTHER, SILENT, STOP, WEIGHTS, metric_lists

LISTS = {name: values[:12] for name, values in metric_lists(24).items() if name in ("falling", "flat", "noisy")}


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
    found = Lists([stopping, saving], LISTS).run()
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
    found = Lists(given, LISTS).run()
    assert found.stops.tolist()[:2] == [0, 3] and found.weights.tolist()[:2] == [12, 1]


def test_callbacks_of_the_older_package_are_called_by_its_own_trainer():
    found = Lists([pytorch_lightning.callbacks.EarlyStopping("val_loss", patience=2)], LISTS).run()
    assert found.stops.tolist()[:2] == [0, 3]
    assert callbacks.package_of_callbacks([]).__name__ == "lightning.pytorch"


def test_updates_are_those_of_a_training():
    assert updates_of(1, 8).size == 0
    assert np.flatnonzero(updates_of(3, 8)).tolist() == [2, 5, 7, 10, 13, 15]  # an epoch ends with one


def test_what_a_callback_decides_is_seen_in_its_class():
    own = type("Own", (Callback,), {})()
    names = ("LearningRateMonitor", "RichProgressBar", "StochasticWeightAveraging", "Timer")
    kinds = [getattr(lightning.pytorch.callbacks, name) for name in names]
    roles = [next((callbacks.ROLES[base.__name__] for base in kind.__mro__ if base.__name__ in callbacks.ROLES), OTHER)
             for kind in kinds]  # fmt: skip
    assert roles == [SILENT, SILENT, WEIGHTS, OTHER] and role_of(own) == OTHER
    described = callbacks.describe_callback(EarlyStopping("loss", min_delta=0.5))
    assert (described.role, described.monitor, described.settings["min_delta"]) == (STOP, "loss", 0.5)
    described = callbacks.describe_callback(ModelCheckpoint(every_n_train_steps=5), implied=True)
    assert (described.role, described.monitor, described.is_implied) == (FILES, "", True)
    assert described.settings["by_batches"] and Lists([ModelCheckpoint(every_n_train_steps=5)], LISTS).saving == []


def test_a_module_s_own_callbacks_take_the_place_of_their_kind():
    first, second, own = EarlyStopping("a"), ModelCheckpoint(), EarlyStopping("b")
    candidate = SimpleNamespace(trainer_options={"callbacks": [first, second]}, file=SimpleNamespace(where=str))
    assert given_callbacks(candidate, torch.nn.Linear(1, 1)) == [first, second]
    assert given_callbacks(candidate, SimpleNamespace(configure_callbacks=lambda: own)) == [second, own]
    candidate.trainer_options["callbacks"] = print
    with pytest.raises(UserError, match="callbacks holds builtin_function_or_method, which is no lightning Callback"):
        given_callbacks(candidate, torch.nn.Linear(1, 1))


def test_a_pause_trains_nothing():
    seen, loader = [], load_as_they_are([torch.zeros(1)])
    carrier = callbacks.carrier_of(lightning.pytorch)
    pause = callbacks.Pause(lambda trainer, _: seen.append(trainer.global_step))
    trainer = quiet_trainer(lightning.pytorch, [pause], max_epochs=1, log_every_n_steps=1)
    with pytest.raises(callbacks.schedules.Paused):
        trainer.fit(carrier, loader, loader)
    assert seen == [0] and trainer.global_step == 0
