"""What a user's module logs, epoch by epoch."""

import time

import lightning

from parity.protocol.task import send


class LoggedMetrics(lightning.Callback):
    """Keeps what a module has logged at the end of every epoch, and the epoch's seconds; reports each.

    A number that every last step of an epoch leaves, and that nothing changes afterwards, is logged for single steps.

    Args:
        counted: accuracies that are counted beside it, by name.

    Attributes:
        epoch_seconds: wall seconds.
        at_steps: the names of what is logged for single steps.
    """

    def __init__(self, counted: dict[str, list[float]] | None = None):
        self.counted = counted or {}
        self.kept: dict[str, list[float]] = {}
        self.epoch_seconds: list[float] = []
        self.last: dict[str, float] = {}  # what was kept of the last epoch
        self.at_steps: list[str] = []

    @property
    def history(self) -> dict[str, list[float]]:
        """What is logged for epochs, by name: one number an epoch."""
        return {name: values for name, values in self.kept.items() if name not in self.at_steps}

    def on_train_epoch_start(self, trainer, pl_module):
        """Starts the clock."""
        self.settle(trainer)
        self.started, self.of_last_step = time.monotonic(), {}

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        """Looks at what the last step has left."""
        if batch_idx + 1 == trainer.num_training_batches:
            self.of_last_step = numbers(trainer)

    def on_train_epoch_end(self, trainer, pl_module):
        """Keeps what is logged, stops the clock and reports."""
        logged = numbers(trainer)
        unchanged = [name for name, value in self.of_last_step.items() if repr(value) == repr(logged.get(name))]
        if not self.epoch_seconds:  # before the first validation: what is there belongs to the training
            self.at_steps = unchanged
        self.at_steps = [name for name in self.at_steps if name in unchanged]
        self.epoch_seconds.append(time.monotonic() - self.started)
        for name, value in logged.items():
            self.kept.setdefault(name, []).append(value)
        self.last = logged
        metrics = {name: values[-1] for name, values in self.history.items()}
        send("epoch", epoch=len(self.epoch_seconds), seconds=self.epoch_seconds[-1], metrics=metrics)

    def on_train_end(self, trainer, pl_module):
        """Looks at the last epoch once more."""
        self.settle(trainer)

    def settle(self, trainer) -> None:
        """Keeps of the last epoch what the module's own `on_train_epoch_end` logged, which comes after callbacks'."""
        for name, value in numbers(trainer).items() if self.epoch_seconds else ():
            values = self.kept.setdefault(name, [])
            del values[len(values) - (name in self.last) :]
            values.append(value)


def numbers(trainer) -> dict[str, float]:
    """Returns what is logged by now."""
    return {name: float(value) for name, value in trainer.callback_metrics.items()}
