"""What a module's learning rate schedulers do: its own, stepped by a real Trainer; and how they are held still."""

import contextlib
import copy
import math
import warnings
from dataclasses import dataclass, field
from types import SimpleNamespace

import lightning
import numpy as np
import torch

from mlp_spec.support.errors import ProjectError
from parity.adapters.torch.candidate import load_as_they_are
from parity.protocol import callbacks as protocol
from parity.protocol.callbacks import PLATEAU, RATE, Callback
from parity.protocol.records import Decisions
from parity.protocol.user_data import SPLITS

NEVER = 2**60  # epochs between two steps of a scheduler that is held still


class Paused(ProjectError):
    """A training has been left where it begins."""


@dataclass
class Schedulers:
    """What a module's schedulers do.

    Attributes:
        module: that has them, as the Trainer trains it.
        described: the schedulers.
        rates, step_rates: see `Decisions`.
    """  # fmt: skip

    module: torch.nn.Module
    described: list[Callback] = field(default_factory=list)
    rates: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))
    step_rates: np.ndarray = field(default_factory=lambda: np.empty(0))


class Scheduled(lightning.Callback):
    """Pauses a `fit` where its training begins, and has the Trainer step the schedulers over lists and steps.

    Args:
        reference: what Keras decided.
        found: is filled.
    """

    def __init__(self, reference: Decisions, found: Schedulers):
        self.reference, self.found = reference, found

    def on_train_start(self, trainer, pl_module):
        """Steps schedulers.

        Raises:
            Paused: always: a module's hooks need not bear a training without steps.
        """
        configs = trainer.lr_scheduler_configs
        if not pl_module.automatic_optimization:  # it steps them by hand, in its training_step
            scheduled = [one for one in self.reference.callbacks if one.role in (PLATEAU, RATE)]
            self.found.described = [protocol.BY_HAND] if configs or scheduled else []
            raise Paused
        self.found.described = [describe_scheduler(config) for config in configs]
        self.start = [copy.deepcopy(config.scheduler.state_dict()) for config in configs]
        groups = trainer.optimizers[0].param_groups if trainer.optimizers else []
        self.groups = [{key: value for key, value in group.items() if key != "params"} for group in groups]
        scheduled = [one for one in self.reference.callbacks if one.role == RATE]
        if scheduled or any(one.role == RATE for one in self.found.described):
            self.found.step_rates = self.over_steps(trainer)
        if any(one.role == PLATEAU for one in self.found.described):
            self.found.rates = self.over_lists(trainer)
        raise Paused

    def renew(self, trainer) -> None:
        """Puts schedulers and rates back to where they began."""
        for config, state in zip(trainer.lr_scheduler_configs, self.start, strict=True):
            config.scheduler.load_state_dict(copy.deepcopy(state))
        for group, kept in zip(trainer.optimizers[0].param_groups, self.groups, strict=True):
            group.update(kept)

    def over_steps(self, trainer) -> np.ndarray:
        """Returns the rates of the training's batches, (steps,); no metric is known meanwhile."""
        loop, steps = trainer.fit_loop.epoch_loop, self.reference.steps
        count, rates = min(self.reference.epochs * steps, protocol.MOST_STEPS), []
        for step in range(count):
            epoch, batch = divmod(step, steps)
            rates.append(rate_of(trainer))
            place(trainer, epoch, batch, steps)
            loop.update_lr_schedulers("step", update_plateau_schedulers=False)
            if batch + 1 == steps:
                loop.update_lr_schedulers("epoch", update_plateau_schedulers=False)
        self.renew(trainer)
        return np.array(rates, np.float64)

    def over_lists(self, trainer) -> np.ndarray:
        """Returns the rate of every epoch of every list; schedulers of steps stand still."""
        loop, rates = trainer.fit_loop.epoch_loop, []
        monitors = {config.monitor for config in trainer.lr_scheduler_configs if config.reduce_on_plateau}
        for values in self.reference.lists.values():
            rates.append([])
            for epoch, value in enumerate(values):
                rates[-1].append(rate_of(trainer))
                place(trainer, epoch, self.reference.steps - 1, self.reference.steps)
                loop.update_lr_schedulers("epoch", update_plateau_schedulers=False)
                trainer.callback_metrics.update({name: torch.tensor(value, dtype=torch.float32) for name in monitors})
                loop.update_lr_schedulers("epoch", update_plateau_schedulers=True)
            self.renew(trainer)
        trainer.callback_metrics.clear()
        return np.array(rates, np.float64)


def place(trainer, epoch: int, batch: int, steps: int) -> None:
    """Tells a Trainer in which epoch and batch it is, of so many steps an epoch."""
    set_epoch(trainer, epoch)
    progress = trainer.fit_loop.epoch_loop.batch_progress
    progress.current.ready, progress.is_last_batch = batch + 1, batch + 1 == steps


def set_epoch(trainer, epoch: int) -> None:
    """Tells a Trainer in which epoch it is."""
    progress = trainer.fit_loop.epoch_progress.current
    progress.processed = progress.completed = epoch


def rate_of(trainer) -> float:
    """Returns the learning rate of the first parameters."""
    return float(trainer.optimizers[0].param_groups[0]["lr"])


def describe_scheduler(config) -> Callback:
    """Describes a scheduler, with its plain numbers and what Lightning is told of it.

    Args:
        config: Lightning's.
    """
    numbers = {name: plain(value) for name, value in vars(config.scheduler).items() if not name.startswith("_")}
    settings = {name: value for name, value in numbers.items() if value is not None}
    settings |= {"interval": config.interval, "frequency": config.frequency, "schedule": True}
    settings |= {"strict": config.strict} if config.reduce_on_plateau else {}
    role = PLATEAU if config.reduce_on_plateau else RATE
    return Callback(type(config.scheduler).__name__, role, config.monitor or "", settings)


def plain(value: object) -> object:
    """Returns a setting as JSON can say it; None where it cannot."""
    if hasattr(value, "elements"):  # the milestones of MultiStepLR are a Counter
        value = sorted(value.elements())
    if isinstance(value, list | tuple):
        return list(value) if all(isinstance(item, int | float) for item in value) else None
    return value if isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value)) else None


def run(candidate, reference: Decisions) -> Schedulers:
    """Has a new module's schedulers step over the reference's lists, and over as many batches as its training has.

    Args:
        candidate: of a pair file.
        reference: what Keras decided.
    """
    binding = SimpleNamespace(module=candidate.build())
    found = Schedulers(binding.module)
    rows = [candidate.arrays[name][: candidate.batch_size] for name in SPLITS["train"]]
    loader = load_as_they_are([candidate.batch_of(*rows)] * reference.steps)
    options = {"epochs": reference.epochs, "log_every_n_steps": 1, **candidate.accumulation}
    # nothing is trained between two of their steps, of which torch warns
    with warnings.catch_warnings(), contextlib.suppress(Paused):
        warnings.simplefilter("ignore")
        candidate.fit(binding, [Scheduled(reference, found)], loader=loader, **options)
    return found


class HeldSchedulers(lightning.Callback):
    """Holds the schedulers still that stand for callbacks of Keras's, which the training in lockstep leaves out.

    Args:
        reference: what Keras's callbacks decided; None where it has no part here.
    """

    def __init__(self, reference: Decisions | None):
        roles = {one.role for one in reference.callbacks if not one.settings.get("schedule")} if reference else set()
        self.roles = roles & {PLATEAU, RATE}

    def on_train_start(self, trainer, pl_module):
        """Holds them still."""
        for config in trainer.lr_scheduler_configs:
            if (PLATEAU if config.reduce_on_plateau else RATE) in self.roles and config.interval == "epoch":
                config.frequency = NEVER
