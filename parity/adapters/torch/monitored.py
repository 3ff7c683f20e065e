"""Which metrics a module logs, and when: seen in an epoch of a few real batches, and of their validation."""

import warnings
from dataclasses import dataclass, field
from types import SimpleNamespace

import lightning

from parity.adapters.torch.callback_kinds import looks_after_validation
from parity.adapters.torch.candidate import load_as_they_are
from parity.adapters.torch.epochs import Validation
from parity.adapters.torch.surroundings import WithoutValidation
from parity.protocol.user_data import SPLITS

BATCHES = 2  # of training, and of validation


@dataclass
class Logged:
    """The metrics that a callback can look at.

    Attributes:
        names: at the end of an epoch.
        early: those of them that are there when the first validation ends.
        at_steps: those that are the last batch's alone.
        trained: those of the steps of training, which an epoch's mean takes the place of when the epoch ends.
    """

    names: list[str] = field(default_factory=list)
    early: list[str] = field(default_factory=list)
    at_steps: list[str] = field(default_factory=list)
    trained: list[str] = field(default_factory=list)

    def has(self, callback) -> bool:
        """Says whether the metric of a callback is there when it looks."""
        return callback.monitor is None or callback.monitor in self.names_for(callback)

    def names_for(self, callback) -> list[str]:
        """Returns the metrics that are there when a callback looks for the first time."""
        return self.early if looks_after_validation(callback) else self.names

    def of_last_batch(self, callback) -> bool:
        """Says whether what a callback looks at is the last batch's alone."""
        early = looks_after_validation(callback) and callback.monitor in self.early
        return callback.monitor in self.at_steps or (early and callback.monitor in self.trained)


class Watch(lightning.Callback):
    """Notes what is logged.

    Args:
        logged: is filled.
    """

    def __init__(self, logged: Logged):
        self.logged = logged

    def on_validation_end(self, trainer, pl_module):
        """Notes what is there before the epoch of training ends."""
        self.logged.early = list(trainer.callback_metrics)

    def on_train_end(self, trainer, pl_module):
        """Notes everything, also what the module logs when an epoch has ended."""
        self.logged.names = list(trainer.callback_metrics)
        results = trainer.fit_loop.epoch_loop._results.result_metrics
        for name, meta in ((one.meta.name, one.meta) for one in results if one.meta.on_step):
            self.logged.trained.append(name)
            self.logged.at_steps.append(meta.forked_name(on_step=True) if meta.forked else name)


def watch_metrics(candidate) -> Logged:
    """Trains a new module for a few batches; returns what it logs.

    Args:
        candidate: of a pair file.
    """
    logged, arrays, size = Logged(), candidate.arrays, candidate.batch_size
    batches = []
    for start in range(0, BATCHES * size, size):
        rows = [arrays[name][start : start + size] for name in SPLITS["train"]]
        batches += [candidate.batch_of(*rows)] if len(rows[0]) == size else []
    binding = SimpleNamespace(module=candidate.build())
    options = {"epochs": 1, "log_every_n_steps": 1, "limit_val_batches": BATCHES}
    validation = Validation(candidate.rows, candidate.facts.stateful)
    loaders = {"loader": load_as_they_are(batches), "validation": validation}
    with warnings.catch_warnings():  # of metrics that callbacks and schedulers miss: the check of them says it
        warnings.simplefilter("ignore")
        candidate.fit(binding, [Watch(logged), WithoutValidation()], **loaders, **options)
    return logged
