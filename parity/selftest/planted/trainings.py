"""Faults in the examples' right ports: what a training logs, how long it is, and which rows it is given."""

from collections.abc import Callable
from functools import partial

from torch import nn
from torch.utils.data import DataLoader

from parity.selftest.planted.plant import CNN, EXAMPLES, WINE, Plant, override


def with_log(log: Callable) -> Callable[[nn.Module], None]:
    """Returns what has a module log by `log(module, by, name, value, **options)`, where `by` is its own `log`."""

    def plant(module: nn.Module) -> None:
        """Overrides `log`."""
        own = type(module).log
        override(module, log=lambda self, name, value, **options: log(self, own, name, value, **options))

    return plant


class Served:
    """A data module of which a loader is another one.

    Args:
        data: the data module.
        changed: by the names of its methods, what is returned of it in their place.
    """

    def __init__(self, data, **changed: Callable):
        self.data, self.changed = data, changed

    def __getattr__(self, name: str):
        """Returns an attribute of the data module, or what is in its place."""
        change = self.changed.get(name)
        return partial(change, self.data) if change else getattr(self.data, name)


def training_loader(data, **options) -> DataLoader:
    """Returns a training loader with other options."""
    loader = data.train_dataloader()
    return DataLoader(loader.dataset, loader.batch_size, **options)


def log_last(module, by: Callable, name: str, value, **options) -> None:
    """Logs the training's last batches alone."""
    if module.trainer.is_last_batch or module.trainer.validating or not name.startswith("train"):
        by(module, name, value, **options)


def never_reset(module: nn.Module) -> None:
    """Has the mean of the training's losses go on over all epochs."""
    log = type(module).log

    def keep(self, name: str, value, **options) -> None:
        """Keeps a loss of the training; logs the rest."""
        if name.startswith("train"):
            self.last = name, float(value)
        else:
            log(self, name, value, **options)

    def on_train_batch_end(self, outputs, batch, batch_idx) -> None:
        """Adds a batch; behind the last one, logs the mean of all rows so far."""
        name, value = self.last
        self.seen = [*getattr(self, "seen", []), *[value] * len(batch[-1])]
        if self.trainer.is_last_batch:
            log(self, name, sum(self.seen) / len(self.seen), on_step=False, on_epoch=True, batch_size=1)

    override(module, log=keep, on_train_batch_end=on_train_batch_end)


def stop_early(module) -> None:
    """Stops after two epochs."""
    module.trainer.should_stop = module.current_epoch == 1 and module.trainer.max_epochs > 2


def average_weights(module: nn.Module) -> None:
    """Has validations see an average of the weights, as code with exponential moving averages does."""

    def exchange(self) -> None:
        """Puts the average in the place of the weights, or the weights in the place of the average."""
        average = getattr(self, "average", None) or [value.detach().clone() for value in self.parameters()]
        self.average = [value.detach().clone() for value in self.parameters()]
        for value, other in zip(self.parameters(), average, strict=True):
            value.data.copy_(other)

    def on_train_batch_end(self, outputs, batch, batch_idx) -> None:
        """Moves the average a tenth of the way to the weights."""
        now = [value.detach().clone() for value in self.parameters()]
        old = getattr(self, "average", None) or now
        self.average = [0.9 * one + 0.1 * other for one, other in zip(old, now, strict=True)]

    override(module, on_train_batch_end=on_train_batch_end, on_validation_start=exchange, on_validation_end=exchange)


TRAININGS = [
    Plant(
        "mean-of-means", EXAMPLES, ("means",),
        with_log(lambda module, by, name, value, **options: by(module, name, value, **options, batch_size=1)),
    ),
    Plant(
        "loss-total", EXAMPLES, ("means",),
        with_log(lambda module, by, name, value, **options: by(module, name, value, **options, reduce_fx="sum")),
    ),
    Plant("last-batch-loss", EXAMPLES, ("means",), with_log(log_last)),
    Plant("not-reset", (CNN, WINE), ("means",), never_reset),
    Plant("validation-weights", EXAMPLES, ("means", "validated weights"), average_weights),
    Plant("epochs", EXAMPLES, ("epochs",), lambda module: override(module, on_train_epoch_end=stop_early)),
    Plant(
        "drop-last", EXAMPLES, ("training loader",),
        data=partial(Served, train_dataloader=partial(training_loader, shuffle=True, drop_last=True)),
    ),
    Plant("own-order", EXAMPLES, ("training loader",), data=partial(Served, train_dataloader=training_loader)),
    Plant(
        "validation-data", EXAMPLES, ("validation loader",),
        data=partial(Served, val_dataloader=lambda data: data.train_dataloader()),
    ),
]  # fmt: skip
