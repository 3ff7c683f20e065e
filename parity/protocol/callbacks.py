"""What both sides' callbacks are given: lists of metrics; and what a callback, a schedule or an argument is."""

from dataclasses import dataclass, field

import numpy as np

# What a callback may decide.
STOP = "stops the training"
PLATEAU = "lowers the learning rate where a metric stands still"
RATE = "sets the learning rate"
FILES = "saves files"
WEIGHTS = "changes weights"
UPDATES = "makes an update of several batches"
OTHER = "does anything"  # a class or functions of the file's own
SILENT = "watches"  # it cannot change the weights

SEED = 20
LEAST_EPOCHS = 24
MOST_STEPS = 20_000  # of a training whose learning rates are compared
SMALL = 1e-4  # an improvement, where no callback names a least one
ACCUMULATED_EPOCHS = 2  # of which it is compared when weights are updated
SAVES = 30  # of which it is compared in which batches they are
NAN_FIRST = "with NaN in the first epoch"  # Keras takes it for the best for ever, torch and Lightning for the worst


@dataclass(frozen=True)
class Callback:
    """A callback, or a schedule."""

    kind: str  # its class
    role: str  # what it decides
    monitor: str = ""  # the metric it looks at
    settings: dict = field(default_factory=dict)  # its numbers

    @property
    def is_implied(self) -> bool:
        """Whether nobody asked for it: Lightning's Trainer has a ModelCheckpoint of its own."""
        return bool(self.settings.get("implied"))

    @property
    def looks_at_metric(self) -> bool:
        """Whether its metric matters: Keras's ModelCheckpoint saves every epoch unless it is told not to."""
        return bool(self.settings.get("save_best_only", self.monitor) and self.monitor)

    @property
    def lacks_metric(self) -> bool:
        """Whether the metric that it looks at is not logged when it does."""
        return self.looks_at_metric and self.settings.get("logged") is False

    @property
    def saves_any(self) -> bool:
        """Whether it saves whatever a metric is, at batches that can be counted: no time between them is given."""
        return self.role == FILES and not self.looks_at_metric and not self.settings.get("by_time")


# In the place of schedulers that a module steps by itself.
BY_HAND = Callback("the module's manual optimization", OTHER)


def epochs_needed(callbacks: list[Callback]) -> int:
    """Returns how long lists must be: every callback can decide at least twice."""
    waits = [sum(one.settings.get(name) or 0 for name in ("patience", "cooldown", "start")) for one in callbacks]
    return max([LEAST_EPOCHS, *(2 * wait + 12 for wait in waits)])


def metric_lists(
    epochs: int, least: float = 0.0, longest: int = 3, starts: tuple[int, ...] = ()
) -> dict[str, np.ndarray]:
    """Makes the lists of metrics by name, (epochs,) float64 of values that float32 has.

    No sum of improvements is as large as a threshold (`least`, or 1e-4 of a value): rounding decides nothing.

    Args:
        epochs: how many.
        least: the least improvement that a callback counts.
        longest: how many epochs one waits.
        starts: the epochs, from 0, in which some look for the first time: what is no number there is a list of its own.
    """
    least, draw, steps = least or SMALL, np.random.default_rng(SEED), np.arange(epochs)
    firsts = {0, *starts}
    later = [min({3, 4, 5, 6, 7, 8} - firsts, default=9), epochs // 2 + (epochs // 2 in firsts)]
    slowing = np.cumsum(0.137 * 0.43 ** np.minimum(steps, 10))
    pauses = draw.integers(1, longest + 4, epochs)
    stairs = np.repeat(np.arange(epochs), pauses)[:epochs] * max(0.031, 2.3 * least)
    noise = draw.standard_normal(epochs)
    lists = {
        "falling": 1 - 0.8931 * steps / epochs,
        "rising": 0.1 + 0.8931 * steps / epochs,
        "flat": np.full(epochs, 0.7),
        "falling by less than the least improvement": 0.9 - 0.4 * least * steps,
        "rising by less than the least improvement": 0.1 + 0.4 * least * steps,
        "falling by more than the least improvement": 0.9 - 2.3 * least * steps,
        "rising by more than the least improvement": 0.1 + 2.3 * least * steps,
        "falling ever slower": 0.9 - slowing,
        "rising ever slower": 0.1 + slowing,
        "falling in stairs": 5 - stairs,
        "rising in stairs": 0.1 + stairs,
        "large, falling": 300 - max(0.0117, 2.3 * least) * steps,
        "large, rising": 300 + max(0.0117, 2.3 * least) * steps,
        "small, falling": 0.013 - 0.4 * min(least, SMALL) * steps / epochs,
        "noisy": 0.6 + 0.1 * noise,
        "falling, noisy": 0.9 - 0.8 * steps / epochs + 0.15 * noise[::-1],
        "with NaN": np.where(np.isin(steps, later), np.nan, 0.9 - 0.02 * steps + 0.01 * noise),
        NAN_FIRST: np.where(np.isin(steps, [*firsts]), np.nan, 0.9 - 0.02 * steps + 0.01 * noise),
    }
    return {name: values.astype(np.float32).astype(np.float64) for name, values in lists.items()}


def batches_of_accumulation(steps: int, every: int) -> int:
    """Returns how many batches an epoch has where it is compared when weights are updated: few that say it all.

    As many are left over at its end as in the training: these are what the frameworks treat differently.

    Args:
        steps: of an epoch of the training.
        every: Keras updates once in so many batches.
    """
    least = max(8, 2 * every)
    return min(steps, least + (steps - least) % every)


def batches_of_saving(callbacks: list[Callback], epochs: int, steps: int) -> int:
    """Returns of how many batches it is compared in which of them files are saved: every callback saves often.

    Args:
        callbacks: Keras's.
        epochs, steps: of the training, and of an epoch of it.
    """  # fmt: skip
    waits = [one.settings["save_freq"] for one in callbacks if one.settings.get("by_batches")]
    return min(epochs * steps, max([3 * steps, *(SAVES * wait for wait in waits)]), MOST_STEPS)
