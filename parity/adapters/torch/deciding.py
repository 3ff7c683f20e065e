"""Lightning's own callbacks on a carrier: called by a real Trainer, over lists of metrics and over batches.

A `fit` of a module of one weight, the epoch, pauses where its training begins. There callbacks are called as Lightning
calls them, with recorded metrics; nothing is trained.
"""

import contextlib
import copy
import math
import tempfile
import warnings
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import lightning
import numpy as np
import torch

from parity.adapters.torch import schedules
from parity.adapters.torch.callback_kinds import ROLES, role_of, saves_by_batches
from parity.adapters.torch.candidate import load_as_they_are
from parity.adapters.torch.monitored import Logged
from parity.adapters.torch.surroundings import quiet_trainer
from parity.protocol.callbacks import FILES, STOP


def package_of_callbacks(callbacks: list):
    """Returns the package that callbacks are of: `lightning.pytorch`, or `pytorch_lightning`."""
    bases = [kind.__module__.split(".")[0] for one in callbacks for kind in type(one).__mro__]
    return import_module("pytorch_lightning" if "pytorch_lightning" in bases else "lightning.pytorch")


def carrier_of(package):
    """Makes a module of one weight, the epoch."""

    class Carrier(package.LightningModule):
        """Steps, and stays as it is."""

        def __init__(self):
            super().__init__()
            self.epoch = torch.nn.Parameter(torch.zeros(()))

        def training_step(self, batch, batch_idx):
            return self.epoch * 0

        def validation_step(self, batch, batch_idx):
            pass

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.0)

    return Carrier()


class Pause(lightning.Callback):
    """Leaves a `fit` where its training begins, and has something else done there before.

    Args:
        work: called with the Trainer and the module.
    """

    def __init__(self, work: Callable):
        self.work = work

    def on_train_start(self, trainer, pl_module):
        """Has it done.

        Raises:
            Paused: always.
        """
        self.work(trainer, pl_module)
        raise schedules.Paused


class Files:
    """Writes empty files in the place of checkpoints, and notes whose epoch each holds, as a CheckpointIO."""

    def __init__(self):
        self.epochs: dict[str, int] = {}
        self.now = 0  # the batch, where batches are counted in the place of epochs

    def save_checkpoint(self, checkpoint: dict, path, storage_options=None) -> None:
        """Notes a file."""
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).touch()
        self.epochs[str(path)] = checkpoint["epoch"] + 1

    def remove_checkpoint(self, path) -> None:
        """Removes a file."""
        Path(path).unlink(missing_ok=True)
        self.epochs.pop(str(path), None)

    def teardown(self) -> None:
        """Leaves everything."""


def paused_in(package, work: Callable, **options) -> None:
    """Has something done in a `fit` of a carrier that pauses where its training begins.

    Args:
        package: the Trainer's.
        work: called with the Trainer and the carrier.
        options: of the Trainer.
    """
    trainer, loader = quiet_trainer(package, [Pause(work)], **options), load_as_they_are([torch.zeros(1)])
    with warnings.catch_warnings(), contextlib.suppress(schedules.Paused):
        warnings.simplefilter("ignore")
        trainer.fit(carrier_of(package), loader, loader)


def renewed(callbacks: list, folder: str) -> list:
    """Returns new callbacks; those that save do it in a folder."""
    callbacks = copy.deepcopy(callbacks)
    for one in callbacks:
        if role_of(one) == FILES:
            one.dirpath = tempfile.mkdtemp(dir=folder)
    return callbacks


def caller_of(trainer) -> Callable:
    """Returns how a Trainer calls its callbacks."""
    return import_module(f"{type(trainer).__module__.partition('.trainer')[0]}.trainer.call")._call_callback_hooks


class Lists:
    """What callbacks decide over every list, in a `fit` that pauses.

    Args:
        callbacks: that stop or save.
        lists: by name, (epochs,).
        logged: the metrics that are there.

    Attributes:
        stops, weights, loaded, kept: see `Decisions`.
    """

    def __init__(self, callbacks: list, lists: dict[str, np.ndarray], logged: Logged):
        self.lists, shape, self.logged = lists, (len(lists), len(next(iter(lists.values())))), logged
        callbacks = [one for one in callbacks if role_of(one) in (STOP, FILES) and logged.has(one)]
        self.stopping = [one for one in callbacks if role_of(one) == STOP]
        self.saving = [one for one in callbacks if role_of(one) == FILES and not saves_by_batches(one)]
        # a class of one's own may put the best weights in place
        self.restoring = [one for one in self.saving if type(one).__name__ not in ROLES]
        self.stops, self.weights = np.zeros(shape[0], int), np.full(shape[0], shape[1])
        self.loaded = np.zeros((len(self.saving), *shape), int)
        self.kept = np.zeros(self.loaded.shape, bool)

    def run(self) -> "Lists":
        """Fills the attributes; returns itself."""
        if not self.stopping and not self.saving:
            return self
        epochs = len(next(iter(self.lists.values())))
        with tempfile.TemporaryDirectory() as self.folder:
            paused_in(package_of_callbacks(self.stopping + self.saving), self.look, max_epochs=epochs)
        return self

    def look(self, trainer, carrier) -> None:
        """Runs every list."""
        trainer.strategy.checkpoint_io = Files()
        for place, values in enumerate(self.lists.values()):
            if self.stopping or self.restoring:
                callbacks = renewed(self.stopping + self.restoring, self.folder)
                self.stops[place] = self.simulate(trainer, carrier, callbacks, values)
                self.weights[place] = int(carrier.epoch)
            for number, one in enumerate(self.saving):
                trainer.strategy.checkpoint_io = files = Files()
                (saving,) = renewed([one], self.folder)

                def keep(epoch: int, at=(number, place), saving=saving, files=files) -> None:
                    self.loaded[(*at, epoch)] = files.epochs.get(saving.best_model_path, 0)

                self.simulate(trainer, carrier, [saving], values, keep)
                self.kept[number, place, [epoch - 1 for epoch in files.epochs.values()]] = True

    def simulate(
        self, trainer, carrier, callbacks: list, values: np.ndarray, look: Callable[[int], None] = lambda epoch: None
    ) -> int:
        """Has the Trainer call callbacks as in a training, until they stop it; returns after which epoch, 0 for never.

        Args:
            trainer, carrier: that pause.
            callbacks: new ones.
            values: of every metric, (epochs,).
            look: called with the number of every epoch, at its end.
        """  # fmt: skip
        call = caller_of(trainer)
        trainer.callbacks, trainer.should_stop, stopped = callbacks, False, 0
        set_progress(trainer, 0, 0)
        call(trainer, "setup", stage="fit")
        call(trainer, "on_fit_start")
        call(trainer, "on_train_start")
        trainer.callback_metrics.clear()
        for epoch, value in enumerate(values):
            metric = torch.tensor(value, dtype=torch.float32)
            set_progress(trainer, epoch, epoch + 1)
            call(trainer, "on_train_epoch_start")
            carrier.epoch.data.fill_(epoch + 1)
            trainer.callback_metrics.update(dict.fromkeys(self.logged.early, metric))
            for hook in ("on_validation_start", "on_validation_epoch_start", "on_validation_epoch_end"):
                call(trainer, hook)
            call(trainer, "on_validation_end")
            trainer.callback_metrics.update(dict.fromkeys(self.logged.names, metric))
            call(trainer, "on_train_epoch_end")
            look(epoch)
            if trainer.should_stop:
                stopped = epoch + 1
                break
        call(trainer, "on_train_end")
        call(trainer, "on_fit_end")
        trainer.should_stop = False
        return stopped


def set_progress(trainer, epoch: int, steps: int) -> None:
    """Tells a Trainer which epoch it is in, and how many steps it has made."""
    schedules.set_epoch(trainer, epoch)
    progress = trainer.fit_loop.epoch_loop.automatic_optimization.optim_progress
    progress.optimizer.step.total.completed = steps


def saved_batches(callbacks: list, count: int, steps: int, every: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns of each callback that saves whose batch its last file holds after every batch, and what stays.

    Args:
        callbacks: that look at no metric.
        count, steps: of batches, and of those of an epoch.
        every: batches of an update.
    """  # fmt: skip
    loaded = np.zeros((len(callbacks), count), int)
    kept = np.zeros(loaded.shape, bool)

    def save_all(trainer, carrier) -> None:
        """Calls each callback as in a training."""
        call, files = caller_of(trainer), Files()
        trainer.save_checkpoint = lambda path, *_, **__: files.save_checkpoint({"epoch": files.now}, path)
        trainer.strategy.checkpoint_io = files
        for number, one in enumerate(callbacks):
            files.epochs.clear()
            (saving,) = trainer.callbacks = renewed([one], folder)
            set_progress(trainer, 0, 0)
            call(trainer, "setup", stage="fit")
            call(trainer, "on_train_start")
            for files.now in range(count):
                epoch, batch = divmod(files.now, steps)
                if batch == 0:
                    call(trainer, "on_train_epoch_start")
                done = math.ceil((batch + 1) / every) if batch + 1 == steps else (batch + 1) // every
                set_progress(trainer, epoch, epoch * math.ceil(steps / every) + done)
                call(trainer, "on_train_batch_end", None, None, batch)
                if batch + 1 == steps:
                    call(trainer, "on_validation_end")
                    call(trainer, "on_train_epoch_end")
                loaded[number, files.now] = files.epochs.get(saving.best_model_path, 0)
            call(trainer, "on_train_end")
            kept[number, [batch - 1 for batch in files.epochs.values()]] = True

    if callbacks:
        with tempfile.TemporaryDirectory() as folder:
            paused_in(package_of_callbacks(callbacks), save_all, max_epochs=math.ceil(count / steps))
    return loaded, kept
