"""In which batches Lightning updates weights: `accumulate_grad_batches`, or the callback that changes it."""

from importlib import import_module

import lightning
import numpy as np
import torch

from parity.adapters.torch.callback_kinds import role_of
from parity.adapters.torch.candidate import load_as_they_are
from parity.adapters.torch.deciding import carrier_of
from parity.adapters.torch.surroundings import quiet_trainer
from parity.protocol import callbacks as protocol
from parity.protocol.callbacks import UPDATES

EVERY = ("accumulate_grad_batches",)


class Updates(lightning.Callback):
    """Notes in which batches weights are updated, in `batches`."""

    def __init__(self):
        self.batches: list[bool] = []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        """Begins with no update."""
        self.batches.append(False)

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        """Notes one."""
        self.batches[-1] = True


def schedule_in(options: dict) -> dict[int, int]:
    """Returns from which epoch on a Trainer makes an update of how many batches.

    Args:
        options: of the Trainer.
    """
    given = options.get("callbacks") or []
    given = given if isinstance(given, list | tuple) else [given]
    scheduled = [one.scheduling for one in given if role_of(one) == UPDATES]
    return scheduled[0] if scheduled else {0: options.get(*EVERY) or 1}


def accumulation_of(options: dict) -> dict[str, int]:
    """Returns the Trainer's argument that makes updates of several batches in the first epoch; empty where none do."""
    every = schedule_in(options)[0]
    return dict.fromkeys(EVERY, every) if every > 1 or set(EVERY) & options.keys() else {}


def updates_of(schedule: dict[int, int], steps: int, most: int) -> np.ndarray:
    """Returns in which batches of short epochs Lightning updates weights; none where in all.

    Args:
        schedule: from which epoch on it makes an update of how many batches.
        steps: of such an epoch.
        most: epochs of the training.
    """
    if set(schedule.values()) == {1}:
        return np.empty(0, bool)
    epochs = max(protocol.ACCUMULATED_EPOCHS, min(max(schedule) + 1, most))
    updates, package = Updates(), import_module("lightning.pytorch")
    changing = package.callbacks.GradientAccumulationScheduler(dict(schedule))
    trainer = quiet_trainer(package, [updates, changing], limit_val_batches=0, max_epochs=epochs, log_every_n_steps=1)
    loader = load_as_they_are([torch.zeros(1)] * steps)
    trainer.fit(carrier_of(package), loader, loader)
    return np.array(updates.batches)
