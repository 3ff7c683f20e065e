"""A module's schedulers: their rates are those of a training, and those that stand for callbacks can be held still."""

from types import SimpleNamespace

import lightning
import numpy as np
import pytest
import torch
from torch.optim import lr_scheduler

from parity.adapters.torch import schedules
from parity.adapters.torch.candidate import load_as_they_are
from parity.adapters.torch.surroundings import quiet_trainer
from parity.protocol.callbacks import BY_HAND, PLATEAU, RATE, Callback, metric_lists
from parity.protocol.records import Decisions

STEPS, EPOCHS = 6, 3
LISTS = {name: values[:10] for name, values in metric_lists(24).items() if name in ("falling", "flat", "noisy")}


def reference(*found):
    """Returns what Keras decided, as far as it is read."""
    none = np.empty(0)
    return Decisions(
        callbacks=list(found), stops=none, weights=none, rates=none, loaded=none, kept=none, step_rates=none,
        updates=none, lists=LISTS, steps=STEPS, epochs=EPOCHS,
    )  # fmt: skip


class Port(lightning.LightningModule):
    """A module with schedulers; it keeps the rates of its batches, and says what it has done at the end."""

    def __init__(self, make, values=None):
        super().__init__()
        self.layer, self.make, self.values, self.rates, self.ended = torch.nn.Linear(2, 1), make, values, [], False

    def training_step(self, batch, batch_idx):
        self.rates.append(self.trainer.optimizers[0].param_groups[0]["lr"])
        return self.layer(batch[0]).mean()

    def on_train_epoch_end(self):
        if self.values is not None:
            self.log("val_loss", torch.tensor(self.values[self.current_epoch], dtype=torch.float32))

    def on_train_end(self):
        self.ended = self.rates[-1]  # there is none where nothing was trained

    def configure_optimizers(self):
        optimizer = torch.optim.SGD(self.parameters(), 0.1, momentum=0.9)
        return {"optimizer": optimizer, "lr_scheduler": self.make(self, optimizer)}


class Candidate:
    """Stands for a pair file's candidate."""

    batch_size, accumulation = 4, {}

    def __init__(self, make):
        self.make, self.arrays = make, dict.fromkeys(("x_train", "y_train"), torch.zeros(4, 2))

    def build(self):
        return Port(self.make)

    def batch_of(self, *rows):
        return rows

    def fit(self, binding, callbacks, loader, epochs, **options):
        options = {"max_epochs": epochs, "limit_val_batches": 0, **self.accumulation, **options}
        quiet_trainer(lightning.pytorch, callbacks, **options).fit(binding.module, loader)


def rates_of(make, epochs, steps, values=None, callbacks=(), **options):
    """Trains; returns the rates of the batches."""
    module = Port(make, values)
    options |= {"max_epochs": epochs, "log_every_n_steps": 1}
    quiet_trainer(lightning.pytorch, list(callbacks), **options).fit(
        module, load_as_they_are([(torch.zeros(4, 2),) * 2] * steps)
    )
    return module.rates


def cycle(module, optimizer):
    steps = module.trainer.estimated_stepping_batches
    return {"scheduler": lr_scheduler.OneCycleLR(optimizer, 0.5, total_steps=steps), "interval": "step"}


KINDS = {
    "multi": lambda _, one: {"scheduler": lr_scheduler.MultiStepLR(one, [4, 9]), "interval": "step"},
    "cycle": cycle,
    "epoch": lambda _, one: lr_scheduler.ExponentialLR(one, 0.5),
    "every other": lambda _, one: {"scheduler": lr_scheduler.StepLR(one, 1, 0.5), "frequency": 2},
    "sequence": lambda _, one: lr_scheduler.SequentialLR(
        one, [lr_scheduler.ConstantLR(one, 0.1, 1), lr_scheduler.ExponentialLR(one, 0.5)], [1]
    ),
}


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("every", [1, 4])
def test_rates_are_those_of_a_training(name, every):
    candidate = Candidate(KINDS[name])
    candidate.accumulation = {"accumulate_grad_batches": every}
    found = schedules.run(candidate, reference())
    assert [one.role for one in found.described] == [RATE] and not found.module.ended
    assert found.step_rates.tolist() == rates_of(KINDS[name], EPOCHS, STEPS, accumulate_grad_batches=every)
    assert len(set(found.step_rates)) > 1


def plateau(_, optimizer):
    scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, patience=1)
    return {"scheduler": scheduler, "monitor": "val_loss", "interval": "epoch"}


def test_a_plateau_lowers_the_rate_as_in_a_training():
    found = schedules.run(Candidate(plateau), reference())
    assert [(one.kind, one.role, one.monitor) for one in found.described] == [
        ("ReduceLROnPlateau", PLATEAU, "val_loss")
    ]
    assert found.described[0].settings["patience"] == 1 and found.step_rates.size == 0
    for rates, values in zip(found.rates, LISTS.values(), strict=True):
        assert rates.tolist() == rates_of(plateau, len(values), 1, values)
    assert found.rates.min() < 0.1


def test_a_module_without_schedulers_has_no_rates_unless_keras_has():
    def none(module, optimizer):
        module.configure_optimizers = None
        return {"scheduler": lr_scheduler.ConstantLR(optimizer, 1.0), "interval": "step"}

    candidate = Candidate(none)
    candidate.build = lambda: type("Plain", (Port,), {
        "configure_optimizers": lambda self: torch.optim.SGD(self.parameters(), 0.1)
    })(none)  # fmt: skip
    found = schedules.run(candidate, reference())
    assert found.described == [] and found.rates.size == found.step_rates.size == 0
    found = schedules.run(candidate, reference(Callback("CosineDecay", RATE)))
    assert found.step_rates.tolist() == [0.1] * STEPS * EPOCHS


def test_what_a_module_steps_by_hand_is_left_alone():
    candidate = Candidate(KINDS["epoch"])

    def build():
        module = Port(KINDS["epoch"])
        module.automatic_optimization = False
        return module

    candidate.build = build
    found = schedules.run(candidate, reference())
    assert found.described == [BY_HAND] and found.step_rates.size == 0


def test_schedulers_that_stand_for_callbacks_are_held_still():
    of_callback = reference(Callback("LearningRateScheduler", RATE))
    of_schedule = reference(Callback("CosineDecay", RATE, "", {"schedule": True}))
    of_metric = reference(Callback("ReduceLROnPlateau", PLATEAU))
    for held, free in ((of_callback, (None, of_schedule, of_metric)), (of_metric, (None, of_schedule, of_callback))):
        make = KINDS["epoch"] if held is of_callback else plateau
        values = LISTS["flat"]
        stands = rates_of(make, 4, 2, values, [schedules.HeldSchedulers(held)])
        assert set(stands) == {0.1}
        for other in free:
            assert rates_of(make, 4, 2, values, [schedules.HeldSchedulers(other)]) == rates_of(make, 4, 2, values)
    assert len(set(rates_of(KINDS["multi"], 4, 2, None, [schedules.HeldSchedulers(of_callback)]))) > 1


@pytest.mark.parametrize(
    ("value", "said"), [(1, 1), (0.5, 0.5), (float("inf"), None), ((1, 2), [1, 2]), ([None], None), (print, None)]
)
def test_settings_are_plain(value, said):
    assert schedules.plain(value) == said
    scheduler = lr_scheduler.MultiStepLR(torch.optim.SGD([torch.zeros(1)], 0.1), [4, 2, 4])
    config = SimpleNamespace(scheduler=scheduler, interval="step", frequency=1, reduce_on_plateau=False, monitor=None)
    assert schedules.describe_scheduler(config).settings["milestones"] == [2, 4, 4]
