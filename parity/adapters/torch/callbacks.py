"""What the callbacks of `lightning_trainer()` decide: Lightning's own, called by a real Trainer on a carrier.

A `fit` of a module of one weight, the epoch, pauses where its training begins. There callbacks are called as Lightning
calls them at the end of every epoch, with recorded metrics; nothing is trained.
"""

import contextlib
import copy
import tempfile
import warnings
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import lightning
import numpy as np
import torch

from mlp_spec.support.errors import UserError
from parity.adapters.torch import schedules
from parity.adapters.torch.candidate import load_as_they_are
from parity.adapters.torch.surroundings import quiet_trainer
from parity.protocol import callbacks as protocol
from parity.protocol.callbacks import FILES, OTHER, SILENT, STOP, WEIGHTS, Callback
from parity.protocol.records import Decisions
from parity.protocol.task import read_record, recording_path

# What `lightning_trainer()` may give beside what is used in every rung.
EVERY = ("accumulate_grad_batches",)
CALLBACKS = (*EVERY, "callbacks", "enable_checkpointing", "logger", "log_every_n_steps")
ROLES = {
    "EarlyStopping": STOP, "ModelCheckpoint": FILES,
    **dict.fromkeys((
        "StochasticWeightAveraging", "WeightAveraging", "EMAWeightAveraging", "BaseFinetuning", "ModelPruning",
        "LearningRateFinder", "BatchSizeFinder", "GradientAccumulationScheduler",
    ), WEIGHTS),
    **dict.fromkeys((
        "ProgressBar", "ModelSummary", "LearningRateMonitor", "DeviceStatsMonitor", "ThroughputMonitor",
        "BasePredictionWriter", "OnExceptionCheckpoint",
    ), SILENT),
}  # fmt: skip
SETTINGS = {
    STOP: ("patience", "mode", "check_finite", "stopping_threshold", "divergence_threshold"),
    FILES: ("mode", "save_top_k", "save_last"),
}


def role_of(callback) -> str:
    """Returns what a callback decides; of a class of one's own, what the class that it derives from does."""
    return next((ROLES[kind.__name__] for kind in type(callback).__mro__ if kind.__name__ in ROLES), OTHER)


def describe_callback(callback, implied: bool = False) -> Callback:
    """Describes a callback.

    Args:
        callback: of the Trainer.
        implied: whether it is the Trainer's own.
    """
    role = role_of(callback)
    settings = {name: getattr(callback, name) for name in SETTINGS.get(role, ())}
    if role == STOP:
        settings["min_delta"] = abs(float(callback.min_delta))
    if role == FILES:
        settings |= {"by_batches": saves_by_batches(callback), "implied": implied}
    return Callback(type(callback).__name__, role, getattr(callback, "monitor", None) or "", settings)


def saves_by_batches(callback) -> bool:
    """Says whether a callback saves within epochs, which is not compared."""
    return bool(callback._every_n_train_steps or callback._train_time_interval)


def given_callbacks(candidate, module) -> list:
    """Returns the callbacks of `lightning_trainer()`, and those of the module, which take the place of their kind.

    Raises:
        UserError: one is no callback.
    """
    given = candidate.trainer_options.get("callbacks") or []
    given = list(given) if isinstance(given, list | tuple) else [given]
    own = module.configure_callbacks() if hasattr(module, "configure_callbacks") else []
    own = list(own) if isinstance(own, list | tuple) else [own]
    for one in (*given, *own):
        if not any(kind.__name__ == "Callback" for kind in type(one).__mro__):
            where = candidate.file.where("lightning_trainer")
            raise UserError(f"{where}: callbacks holds {type(one).__name__}, which is no lightning Callback")
    return [one for one in given if type(one) not in set(map(type, own))] + own


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


class Lists:
    """What callbacks decide over every list, in a `fit` that pauses.

    Args:
        callbacks: that stop or save.
        lists: by name, (epochs,).

    Attributes:
        stops, weights, loaded, kept: see `Decisions`.
    """

    def __init__(self, callbacks: list, lists: dict[str, np.ndarray]):
        self.lists, shape = lists, (len(lists), len(next(iter(lists.values()))))
        self.stopping = [one for one in callbacks if role_of(one) == STOP]
        self.saving = [one for one in callbacks if role_of(one) == FILES and not saves_by_batches(one)]
        # a class of one's own may put the best weights in place
        self.restoring = [one for one in self.saving if type(one).__name__ not in ROLES]
        self.names = [one.monitor for one in self.stopping + self.saving if one.monitor]
        self.stops, self.weights = np.zeros(shape[0], int), np.full(shape[0], shape[1])
        self.loaded = np.zeros((len(self.saving), *shape), int)
        self.kept = np.zeros(self.loaded.shape, bool)

    def run(self) -> "Lists":
        """Fills the attributes; returns itself."""
        if not self.stopping and not self.saving:
            return self
        package = package_of_callbacks(self.stopping + self.saving)
        loader = load_as_they_are([torch.zeros(1)])
        trainer = quiet_trainer(package, [Pause(self.look)], max_epochs=len(next(iter(self.lists.values()))))
        paused = contextlib.suppress(schedules.Paused)
        with warnings.catch_warnings(), tempfile.TemporaryDirectory() as self.folder, paused:
            warnings.simplefilter("ignore")
            trainer.fit(carrier_of(package), loader, loader)
        return self

    def look(self, trainer, carrier) -> None:
        """Runs every list."""
        trainer.strategy.checkpoint_io = Files()
        for place, values in enumerate(self.lists.values()):
            if self.stopping or self.restoring:
                callbacks = self.renewed(self.stopping + self.restoring)
                self.stops[place] = self.simulate(trainer, carrier, callbacks, values)
                self.weights[place] = int(carrier.epoch)
            for number, one in enumerate(self.saving):
                trainer.strategy.checkpoint_io = files = Files()
                (saving,) = self.renewed([one])

                def keep(epoch: int, at=(number, place), saving=saving, files=files) -> None:
                    self.loaded[(*at, epoch)] = files.epochs.get(saving.best_model_path, 0)

                self.simulate(trainer, carrier, [saving], values, keep)
                self.kept[number, place, [epoch - 1 for epoch in files.epochs.values()]] = True

    def renewed(self, callbacks: list) -> list:
        """Returns new callbacks; those that save do it elsewhere."""
        callbacks = copy.deepcopy(callbacks)
        for one in callbacks:
            if role_of(one) == FILES:
                one.dirpath = tempfile.mkdtemp(dir=self.folder)
        return callbacks

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
        call = import_module(f"{type(trainer).__module__.partition('.trainer')[0]}.trainer.call")._call_callback_hooks
        trainer.callbacks, trainer.should_stop, stopped = callbacks, False, 0
        set_progress(trainer, 0, 0)
        call(trainer, "setup", stage="fit")
        call(trainer, "on_fit_start")
        call(trainer, "on_train_start")
        for epoch, value in enumerate(values):
            set_progress(trainer, epoch, epoch + 1)
            call(trainer, "on_train_epoch_start")
            carrier.epoch.data.fill_(epoch + 1)
            trainer.callback_metrics.update({name: torch.tensor(value, dtype=torch.float32) for name in self.names})
            for hook in ("on_validation_start", "on_validation_epoch_start", "on_validation_epoch_end"):
                call(trainer, hook)
            call(trainer, "on_validation_end")
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


def updates_of(every: int, steps: int) -> np.ndarray:
    """Returns in which batches of short epochs Lightning updates weights; none where in all.

    Args:
        every: `accumulate_grad_batches`.
        steps: of such an epoch.
    """
    if every == 1:
        return np.empty(0, bool)
    updates, package = Updates(), import_module("lightning.pytorch")
    options = {"max_epochs": protocol.ACCUMULATED_EPOCHS, "accumulate_grad_batches": every, "log_every_n_steps": 1}
    trainer = quiet_trainer(package, [updates], limit_val_batches=0, **options)
    loader = load_as_they_are([torch.zeros(1)] * steps)
    trainer.fit(carrier_of(package), loader, loader)
    return np.array(updates.batches)


def answer_callbacks(candidate) -> Decisions:
    """Has callbacks, schedulers and the accumulation decide over the reference's lists."""
    reference = candidate.task.reference("callbacks")
    found = schedules.run(candidate, reference)
    given = given_callbacks(candidate, found.module)
    implied = []
    saves = candidate.trainer_options.get("enable_checkpointing", True) and FILES not in map(role_of, given)
    if saves and any(one.role == FILES for one in reference.callbacks):
        implied = [import_module("lightning.pytorch.callbacks").ModelCheckpoint()]
    lists = Lists(given + implied, reference.lists).run()
    every = candidate.accumulation.get(*EVERY, 1)
    return Decisions(
        callbacks=[
            *map(describe_callback, given), *(describe_callback(one, True) for one in implied), *found.described
        ],
        stops=lists.stops,
        weights=lists.weights,
        rates=found.rates,
        loaded=lists.loaded,
        kept=lists.kept,
        step_rates=found.step_rates,
        updates=updates_of(every, protocol.batches_of_accumulation(reference.steps, reference.accumulation)),
        accumulation=every,
    )  # fmt: skip


def reference_decisions(candidate) -> Decisions | None:
    """Returns what the reference's callbacks decide; None where it was not asked."""
    folder = candidate.task.reference_dir
    return read_record(folder, "callbacks") if recording_path(folder, "callbacks").exists() else None
