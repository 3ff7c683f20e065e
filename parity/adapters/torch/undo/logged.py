"""Undoes what is wrong in a whole training: an epoch's mean that is none of its rows, and an end that comes too early.

What is logged is held against the batches' own losses and metrics, as they were noted: a number is replaced by Keras's
mean of the same batches only where it is one of the known laws of them.
"""

from collections.abc import Callable
from functools import partial, wraps
from typing import NamedTuple

import lightning
import numpy as np
import torch

from parity.adapters.torch.logged import LoggedMetrics
from parity.adapters.torch.means import RightAnswers
from parity.adapters.torch.undo.difference import TRAINING, Built, Undo
from parity.adapters.torch.undo.loss_calls import Call, Calls, caller
from parity.protocol.metric_names import meaning

CLOSE = 1e-5  # of the largest number of an epoch: rounding of a sum in float32
LOSS, RIGHT = "the steps' losses", "the shares of right answers"
NOT_RESET, EPOCHS = "not-reset", "epochs"
# What an epoch's number may be of batches with n rows and the means l; the first is Keras's.
LAWS: list[tuple[str, str, Callable]] = [
    ("", "sum(n l) / sum(n)", lambda rows, means: rows @ means / rows.sum()),
    ("mean-of-means", "sum(l) / batches", lambda rows, means: means.mean()),
    ("last-batch-loss", "the last batch's", lambda rows, means: means[-1]),
    ("loss-total", "sum(l)", lambda rows, means: means.sum()),
    ("loss-total", "sum(n l)", lambda rows, means: rows @ means),
    ("loss-total", "sum(l) / rows", lambda rows, means: means.sum() / rows.sum()),
    ("loss-total", "sum(n l) / batches", lambda rows, means: rows @ means / len(rows)),
]
REMEDY = "write self.log({name!r}, ..., on_step=False, on_epoch=True, batch_size=len(x)) in every step"

Series = list[tuple[int, float]]  # of an epoch: each batch's rows and its mean


class Law(NamedTuple):
    """What a logged metric is of the batches."""

    source: str  # what the batches' values are
    number: int  # in `LAWS`
    goes_on: bool  # whether it is taken over all epochs so far

    @property
    def ids(self) -> set[str]:
        """The differences that it is; none where it is Keras's."""
        return {LAWS[self.number][0], NOT_RESET if self.goes_on else ""} - {""}

    def of(self, epochs: list[Series]) -> np.ndarray:
        """Returns its numbers, (epochs,)."""
        numbers = []
        for epoch in range(len(epochs)):
            batches = [one for batches in epochs[0 if self.goes_on else epoch : epoch + 1] for one in batches]
            rows, means = np.array(batches, np.float64).reshape(-1, 2).T
            numbers.append(LAWS[self.number][2](rows, means) if len(rows) else np.nan)
        return np.array(numbers)


class Watched(lightning.Callback):
    """Notes what the steps of a training compute, batch by batch.

    Args:
        logged: what the module logs by epoch.
        right: how often it is right.
        names: of the metrics that are compared with Keras's.
        rows_of: says how many rows a batch has.
        goes_on: whether the module cannot stop the training.
        ended: called with this when the training has ended.

    Attributes:
        epochs: of training and of validation, what the batches' values were, by what they are.
        stops: where the module said that the training stops, and after which epoch.
        validated: what has validations see the training's weights, if that is undone.
    """

    validated = None

    def __init__(
        self, logged: LoggedMetrics, right: RightAnswers, names: Callable[[list[str]], list[str]],
        rows_of: Callable[[object], int], goes_on: bool, ended: Callable[["Watched"], None],
    ):  # fmt: skip
        self.logged, self.right, self.names, self.rows_of = logged, right, names, rows_of
        self.goes_on, self.ended = goes_on, ended
        self.epochs: dict[bool, list[dict[str, Series]]] = {False: [], True: []}
        self.stops: list[tuple[str, int]] = []
        self.values: dict[str, float] | None = None  # of the step that runs

    def setup(self, trainer, pl_module, stage):
        """Looks at the module's steps, and at what it logs in them, from now on."""
        for name in ("training_step", "validation_step"):
            setattr(pl_module, name, self.noted(getattr(pl_module, name), name == "validation_step"))
        log = pl_module.log

        @wraps(log)
        def logs(name, value, *arguments, **options):
            """Notes one number."""
            if self.values is not None and isinstance(value, int | float | torch.Tensor):
                self.values[name] = mean_of(value)
            return log(name, value, *arguments, **options)

        pl_module.log = logs
        if self.goes_on:
            kind = type(trainer)
            stop = property(lambda trainer: False, self.note_stop)
            trainer.__class__ = type(kind.__name__, (kind,), {"should_stop": stop})

    def note_stop(self, trainer, stops: bool) -> None:
        """Notes that the training is to stop; it goes on."""
        if stops:
            self.stops.append((caller(), trainer.current_epoch + 1))

    def noted(self, step: Callable, is_validation: bool) -> Callable:
        """Returns a step that notes a batch's values: its loss is what a training step returns, or what is called."""

        @wraps(step)
        def noting(batch, *arguments, **options):
            """Makes the step."""
            called, self.values, rows = [], {}, self.rows_of(batch)
            with Calls(partial(keep_value, called)):
                result = step(batch, *arguments, **options)
            returned = result.get("loss") if isinstance(result, dict) else result
            if torch.is_tensor(returned) and not (is_validation and called):
                self.values[LOSS] = mean_of(returned)
            elif called:
                self.values[LOSS] = sum(called)
            for name, value in self.values.items() if self.epochs[is_validation] else ():
                self.epochs[is_validation][-1].setdefault(name, []).append((rows, value))
            self.values = None
            return result

        return noting

    def on_train_epoch_start(self, trainer, pl_module):
        """Starts an epoch."""
        self.epochs[False].append({})

    def on_validation_epoch_start(self, trainer, pl_module):
        """Starts a validation."""
        self.epochs[True].append({})

    def on_train_epoch_end(self, trainer, pl_module):
        """Looks at the right answers of an epoch."""
        self.epochs[False][-1][RIGHT] = shares(self.right, "accuracy")

    def on_validation_epoch_end(self, trainer, pl_module):
        """Looks at the right answers of a validation."""
        self.epochs[True][-1][RIGHT] = shares(self.right, "val_accuracy")

    def on_fit_end(self, trainer, pl_module):
        """Has what is undone undone."""
        self.ended(self)

    def series(self, name: str) -> dict[str, list[Series]]:
        """Returns by what they are the values of all batches that a metric may be made of, by epoch; its own first."""
        epochs = self.epochs[meaning(name)[0]]
        sources = sorted({source for epoch in epochs for source in epoch}, key=lambda source: source != name)
        return {source: [epoch.get(source, []) for epoch in epochs] for source in sources}

    def law_of(self, name: str) -> Law | None:
        """Returns what a logged metric is of the batches; None where it is Keras's mean, or no law that is known."""
        series = self.series(name)
        every = [
            Law(source, number, goes_on)
            for number in range(len(LAWS))
            for goes_on in (False, True)
            for source in series
        ]
        ours = np.array(self.logged.kept[name])
        every.sort(key=lambda law: bool(law.ids))  # a difference is none where it changes nothing
        for law in every:
            theirs = law.of(series[law.source])
            if ours.shape == theirs.shape and np.allclose(theirs, ours, rtol=CLOSE, atol=0):
                return law if law.ids else None
        return None


def shares(right: RightAnswers, name: str) -> Series:
    """Returns the rows of an epoch's batches and the shares of right answers; nothing where they are not known."""
    counts, labels = right.counts[name], right.labels[name]
    if labels is None or any(classes is None for classes in counts):
        return []
    ends, truth = np.cumsum([len(classes) for classes in counts]), labels[right.rows[name]]
    if not len(ends) or ends[-1] != len(truth):
        return []
    both = zip(counts, np.split(truth, ends[:-1]), strict=True)
    return [(len(classes), float((classes.numpy() == said).mean())) for classes, said in both]


def mean_of(value: float | torch.Tensor) -> float:
    """Returns one number of what is logged or returned."""
    return float(value.detach().double().mean()) if torch.is_tensor(value) else float(value)


def keep_value(kept: list[float], call: Call) -> None:
    """Keeps the mean that a loss is over its rows."""

    def keep(loss: torch.Tensor) -> torch.Tensor:
        """Keeps it."""
        kept.append(mean_of(loss) / (call.rows if call.options.get("reduction") == "sum" else 1))
        return loss

    call.after.append(keep)


def average(built: Built, id: str) -> list[str]:
    """Makes Keras's means of what is logged by another law.

    Args:
        built: whose training has ended.
        id: the difference that is undone.
    """
    training, lines = built.training, []
    for name in training.names([*training.logged.history]):
        law = training.law_of(name)
        if law is None or id not in law.ids:
            continue
        right = law._replace(goes_on=False) if id == NOT_RESET else law._replace(number=0)
        training.logged.kept[name] = right.of(training.series(name)[law.source]).tolist()
        what = f"{name} is {LAWS[law.number][1]} of {law.source}"
        if id == NOT_RESET:
            lines.append(f"{name} is taken over all epochs so far: reset what sums it up when an epoch starts")
        else:
            lines.append(f"{what}, Keras's is {LAWS[0][1]}: {REMEDY.format(name=name)}")
    return lines


def go_on(built: Built) -> list[str]:
    """Says where the training was to stop; it went on (`Watched`)."""
    asked = built.facts.plan.epochs
    return [f"{where}: stops after {after} of {asked} epochs: leave it out" for where, after in built.training.stops
            if after < asked]  # fmt: skip


PARTS = ("lockstep", "restarts")
UNDOS = [
    Undo(EPOCHS, PARTS, go_on, TRAINING),
    *(Undo(id, ("lockstep",), partial(average, id=id), TRAINING)
      for id in (NOT_RESET, *dict.fromkeys(id for id, *_ in LAWS if id))),
]  # fmt: skip
