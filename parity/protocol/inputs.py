"""What both frameworks are put through: the fixed inputs of every rung, from seeded numpy.

The reference draws them and leaves them in its recordings; the other side reads them from there.
"""

import math
from dataclasses import dataclass

import numpy as np

from mlp_spec.experiment import Experiment
from parity.protocol.start import epoch_order
from parity.protocol.tensors import BIASES, Arrays, Table
from parity.protocol.user_data import columns_of, in_columns, input_as_target, only_target

# At least three runs that differ from the reference in rounding only; see `Variant`.
VARIANTS = ("nudged", "nudged", "permuted")
INITIAL_VALUES = 4_000  # draws of the smallest kernel: of so many, the widest shows a scale that is 1 % off
MOST_DRAWS, FEWEST_DRAWS = 64, 4
# Of the loss: where the reference has departed this far from itself, a free run says nothing more.
HORIZON = 1e-4
CASE_BATCH = 32
LAYERS_CASE = "with biases"  # that goes layer by layer: no bias is 0 in it, and no statistic what it starts from
METRICS_BATCHES = 31  # and half a batch: an uneven last one shows how means are taken
METRICS_EPOCHS = 2
EVAL_BATCH = 300  # does not divide 10,000 (nor 1,000): the last batch counts by its samples or not
REPLAY_STEPS = 130
REPLAY_PERIOD = 997  # gradients repeat along a tensor with this period, a prime
QUICK_STEPS = 160
QUICK_EPOCHS = 5
# Rows of a batch whose layers are compared in training mode: TensorFlow's sums over rows and places lose digits with
# their number, alike in all runs, so that no noise floor shows it.
TRAINING_ROWS = 8
TRACKED_PASSES, TRACKED_ROWS = 32, 4  # in training mode, so that statistics are tracked; few rows show how

STREAMS = {"nudge": 10, "permute": 11, "cases": 12, "replay": 13, "metrics": 14}


@dataclass(frozen=True)
class Variant:
    """One run of the reference that differs from it in rounding only."""

    # `nudged`: every kernel's start moves by one unit in the last place, in random directions; `permuted`: the rows of
    # every batch change places
    kind: str
    number: int  # which one, so that equal kinds differ

    def weights(self, table: Table, weights: Arrays, seed: int, of_all: int = 0) -> Arrays:
        """Returns the start: kernels a unit in the last place away where the variant is `nudged`.

        Args:
            table: the tensors.
            weights: by path.
            seed: of the experiment.
            of_all: if not 0, all tensors are moved, by so many units.
        """
        if self.kind != "nudged":
            return weights
        generator = np.random.default_rng([seed, STREAMS["nudge"], self.number])
        moved = [tensor.path for tensor in table if of_all or tensor.is_kernel]
        return {**weights, **{path: nudge(weights[path], generator, of_all or 1) for path in moved}}

    def inputs(self, images: np.ndarray, seed: int, units: int) -> np.ndarray:
        """Returns inputs some units in the last place away where the variant is `nudged`; whole numbers stay."""
        if self.kind != "nudged":
            return images
        generator = np.random.default_rng([seed, STREAMS["nudge"], self.number, 1])
        return in_columns(lambda one: nudge(one, generator, units) if one.dtype.kind == "f" else one, images)

    def order(self, order: np.ndarray, batch_size: int, seed: int, epoch: int = 0) -> np.ndarray:
        """Returns the order (samples,): rows of each batch change places where the variant is `permuted`."""
        if self.kind != "permuted":
            return order
        generator = np.random.default_rng([seed, STREAMS["permute"], self.number, epoch])
        batch = np.arange(len(order)) // batch_size
        return order[np.lexsort((generator.random(len(order)), batch))]


def largest_so_far(losses: np.ndarray) -> np.ndarray:
    """Returns what the horizon is relative to where losses are of any size: the largest up to each step, at least 1."""
    return np.maximum(1.0, np.maximum.accumulate(np.abs(losses.astype(np.float64))))


def variants() -> list[Variant]:
    """Returns the runs that measure the noise floor."""
    return [Variant(kind, number) for number, kind in enumerate(VARIANTS)]


def nudge(array: np.ndarray, generator: np.random.Generator, units: int = 1) -> np.ndarray:
    """Moves every value by units in the last place, up or down."""
    upwards = generator.random(array.shape) < 0.5
    away = np.where(upwards, np.array(np.inf, array.dtype), np.array(-np.inf, array.dtype))
    if units == 1:
        return np.asarray(np.nextafter(array, away))
    return np.asarray(array + np.where(upwards, units, -units).astype(array.dtype) * np.spacing(array))


@dataclass(frozen=True)
class Plan:
    """How much of the experiment a level trains."""

    epochs: int  # how many epochs
    samples: int  # training samples of each epoch
    shuffled: bool = True  # whether each epoch has an order of its own; else rows stay as they lie

    @classmethod
    def of(cls, experiment: Experiment, level: str, samples: int) -> "Plan":
        """Plans a level: `full` is the experiment; `quick` has some 160 steps, with an uneven last batch."""
        spec = experiment.training
        if level == "full":
            return cls(spec.epochs, samples)
        epochs = min(spec.epochs, QUICK_EPOCHS)
        steps = max(2, math.ceil(QUICK_STEPS / epochs))
        return cls(epochs, min(samples, steps * spec.batch_size - spec.batch_size // 2))

    def steps(self, batch_size: int) -> int:
        """Returns the steps of one epoch."""
        return math.ceil(self.samples / batch_size)

    def order(self, seed: int, epoch: int, samples: int) -> np.ndarray:
        """Draws the epoch's order, where it is shuffled: (self.samples,) indices of the data set's `samples`."""
        if not self.shuffled:
            return np.arange(self.samples)
        return epoch_order(seed, epoch, samples)[: self.samples]


def initial_draws(table: Table) -> int:
    """Returns how many models are initialised, so that the smallest kernel shows 1 % of scale."""
    smallest = min((math.prod(tensor.shape) for tensor in table if tensor.is_kernel), default=INITIAL_VALUES)
    return max(FEWEST_DRAWS, min(MOST_DRAWS, math.ceil(INITIAL_VALUES / smallest)))


# What is drawn anew for a case "with biases", by role: from where to where.
DRAWN = {**dict.fromkeys(BIASES, (-0.5, 0.5)), "moving_mean": (-0.5, 0.5)}
DRAWN |= dict.fromkeys(("gamma", "moving_variance"), (0.5, 1.5)) | {"alpha": (0.05, 0.5)}


@dataclass(frozen=True)
class Case:
    """One batch under one set of weights, for the rungs forward, loss and gradients."""

    weights: Arrays  # by path
    images: np.ndarray  # (CASE_BATCH, inputs) float32
    labels: np.ndarray  # (CASE_BATCH,) int64


def cases(table: Table, start: Arrays, images: np.ndarray, labels: np.ndarray) -> dict[str, Case]:
    """Returns batches by what is special about them: ordinary ones, saturated ones and extreme ones.

    Args:
        table: the tensors.
        start: weights by path.
        images: (N, ...), such as (N, inputs) float32 in [0, 1], or several inputs in one (`user_data.joined`); N at
            least 1. Whole numbers stay as they are.
        labels: (N, ...), such as (N,) int64.
    """
    generator = np.random.default_rng(STREAMS["cases"])
    roles = {tensor.path: tensor.role for tensor in table}
    kernels = [tensor.path for tensor in table if tensor.is_kernel]
    biased = {
        path: generator.uniform(*DRAWN[roles[path]], array.shape).astype(array.dtype) if roles[path] in DRAWN else array
        for path, array in start.items()
    }
    # of one value alone, numpy makes a number: it must stay an array
    wide = {path: np.asarray(array * (8 if path in kernels else 1)) for path, array in biased.items()}
    # logits up to some 60: -log p beyond 30, where a clipped probability would show
    sharp = {path: np.asarray(array * (60 if path in kernels[-1:] else 1)) for path, array in biased.items()}

    def large(array: np.ndarray) -> np.ndarray:
        """Returns a ramp with noise in place of fractions; what is looked up must be there."""
        if array.dtype.kind != "f":
            return array
        ramp = np.linspace(-1, 1, array.size, dtype=np.float32).reshape(array.shape)
        return ramp * 4 + generator.standard_normal(array.shape).astype(np.float32)

    def every_second(array: np.ndarray) -> np.ndarray:
        """Returns zeros in place of every second row's fractions."""
        kept = (np.arange(len(array)) % 2).reshape(-1, *[1] * (array.ndim - 1)).astype(np.float32)
        return array * kept if array.dtype.kind == "f" else array

    same = input_as_target(images, labels)
    alike = np.broadcast_to(labels[:1], labels.shape).copy()
    ordinary = {
        "the start": Case(start, images, labels),
        "with biases": Case(biased, images, labels),
        "eight times the weights": Case(wide, images, labels),
        "saturated output": Case(sharp, images, labels),
    }
    if all(array.dtype.kind != "f" for array in columns_of(images).values()):
        return ordinary
    return ordinary | {
        "negative and large inputs": Case(biased, *followed(same, in_columns(large, images), labels)),
        "one class, empty images": Case(biased, *followed(same, in_columns(every_second, images), alike)),
    }


def followed(name: str | None, images: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns inputs and targets; a target that is one of the inputs is that of the changed ones, too.

    Args:
        name: of the input (`input_as_target`).
        images: changed.
        labels: as they were.
    """
    if name is None:
        return images, labels
    labels = labels.copy()
    target = only_target(labels)
    target[...] = columns_of(images)[name].reshape(target.shape)
    return images, labels


def replay_start(table: Table, start: Arrays) -> Arrays:
    """Returns the replay's start: every second weight is 0, so that its steps show with all their digits."""
    weights = {tensor.path: start[tensor.path] for tensor in table if not tensor.trained}
    for tensor in (tensor for tensor in table if tensor.trained):
        array = start[tensor.path]
        flat = array.copy().ravel() if tensor.is_kernel else np.full(array.size, 0.05, array.dtype)
        flat[::2] = 0
        weights[tensor.path] = flat.reshape(array.shape)
    return weights


def replay_gradients(precision: str) -> np.ndarray:
    """Returns the sequence of gradients, (REPLAY_STEPS, REPLAY_PERIOD): value i of a tensor gets column i % period.

    Ordinary ones of one sign, then of changing signs, tiny ones (down to 1e-12), none at all, ordinary ones
    again, and at the end ever larger ones, up to 1e15.
    """
    generator = np.random.default_rng(STREAMS["replay"])
    table = np.abs(generator.standard_normal((REPLAY_STEPS, REPLAY_PERIOD))) + 0.1
    table[20:50] *= generator.choice([-1.0, 1.0], (30, REPLAY_PERIOD))
    table[50:80] *= 10.0 ** -np.linspace(3, 12, 30)[:, None] * generator.choice([-1.0, 1.0], (30, REPLAY_PERIOD))
    table[80:85] = 0
    table[85:115] *= 10.0 ** generator.uniform(-6, 0, (30, REPLAY_PERIOD))
    table[115:] *= 10.0 ** np.linspace(1, 15, REPLAY_STEPS - 115)[:, None]
    # columns of their own size: a small gradient from the first step on shows where epsilon stands
    table[:20] *= 10.0 ** -(np.arange(REPLAY_PERIOD) % 8)[None]
    return table.astype(precision)


def tiled(row: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Spreads one step's gradients (REPLAY_PERIOD,) over a tensor of `shape`."""
    return np.resize(row, math.prod(shape)).reshape(shape)


def tracked_batches(rows: int, size: int) -> list[np.ndarray]:
    """Returns the rows of every pass in which statistics are tracked, (size,) each.

    Args:
        rows: of the batch that they are taken from.
        size: of a pass.
    """
    return [(np.arange(size) + number * size) % rows for number in range(TRACKED_PASSES)]


def metrics_order(epoch: int, samples: int, batch_size: int) -> np.ndarray:
    """Draws the samples of a metrics epoch, so that the last batch is smaller than the others."""
    order = np.random.default_rng([STREAMS["metrics"], epoch]).permutation(samples)
    full = min(METRICS_BATCHES, max(0, samples // batch_size - 1))
    return order[: full * batch_size + max(1, batch_size // 2)]
