"""The law of what is drawn by chance: what is drawn, and the numbers that each draw is described by.

Every draw is described by the same few numbers on both sides, whatever the kind of the layer; the two samples of each
number are compared by their ranks (`parity.rungs.random_layers`). Draws are independent of each other, values inside
of one need not be.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

DRAWS = 32  # a side; of so many, ranks alone can be as unlikely as 1e-18
ROWS = 8  # of a case's batch
TIMES = {"quick": 64, "full": 128}  # how often these rows stand in one draw of the model
VALUES, MOST_VALUES, FEWEST_ROWS = 2**13, 2**20, 64  # in one draw of a layer
LEVELS = (1.0, -2.0)  # a layer's input, row by row in turns: what is added and what is multiplied differ by them
UNITS = 16  # of the output, at most
TOLERANCE = 1e-5  # relative; numbers that are nearer differ by rounding: a hundred units in the last place of float32


@dataclass(frozen=True)
class RandomLayer:
    """A layer of the reference that drops by chance, whose masks the candidate is given."""

    name: str
    rate: float
    shape: tuple[int, ...]  # of its input, without the rows
    flattened: tuple[int, ...] = ()  # behind Flatten: the shape (H, W, C) that was flattened
    is_alpha: bool = False  # whether it drops to a negative value, and keeps mean and variance

    def bytes_of(self, rows: int) -> int:
        """Returns how many bytes the mask of so many rows takes, a bit a value."""
        return math.ceil(rows * math.prod(self.shape) / 8)

    def file(self, number: int) -> str:
        """Names the file of its masks: (steps, bytes) uint8."""
        return f"masks-{number}.npy"


@dataclass(frozen=True)
class RandomCall:
    """One call of a random layer in training mode."""

    layer: str  # its name, of the candidate the place in its module
    rate: float | None = None  # of the candidate None, where it draws by functions of another kind
    input: np.ndarray | None = None  # (rows, ...) in Keras's layout, while nothing is drawn; None where `why_not`
    law: dict[str, np.ndarray] = field(default_factory=dict)  # of draws of its own, (draws,) each; see `describe_draws`
    flattened: tuple[int, ...] = ()  # behind Flatten: the shape (H, W, C) that was flattened; the reference's
    does_more: bool = False  # whether the candidate's part changes its input in evaluation mode, too
    # whether the candidate's input lies channels first, where its shape leaves that open; None where it does not
    channels_first: bool | None = None
    is_inside: bool = False  # whether the reference drops inside of a layer, where a port may draw more than once
    why_not: str = ""  # why one of them is missing


@dataclass(frozen=True)
class SilentPass:
    """A pass in training mode while nothing is drawn: what each random call is given, and units of the output."""

    inputs: list[np.ndarray | None]
    output: np.ndarray


def probe(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Returns what a layer is given to draw from: (rows, *shape), the levels in turns."""
    size = max(1, int(np.prod(shape)))
    rows = max(len(LEVELS), min(max(FEWEST_ROWS, VALUES // size), MOST_VALUES // size))
    levels = np.resize(np.array(LEVELS, dtype), rows).reshape(rows, *[1] * len(shape))
    return np.ascontiguousarray(np.broadcast_to(levels, (rows, *shape)))


def describe_draw(output: np.ndarray) -> dict[str, float]:
    """Describes one draw of a layer that was given `probe`.

    The share that is dropped, the scale of what is kept, and what is added show in the moments; what is dropped
    together shows in the means along each axis, which vary more where its values go together.

    Args:
        output: (rows, ...) in Keras's layout.
    """
    numbers = {}
    for number, level in enumerate(LEVELS):
        values = output[number :: len(LEVELS)].astype(np.float64)
        change, where = values - level, f"at input {level:g}"
        numbers |= {
            f"share of zeros {where}": (values == 0).mean(),
            f"largest value {where}": np.abs(values).max(),
            f"mean {where}": values.mean(),
            f"mean square of the change {where}": (change**2).mean(),
            f"mean fourth power of the change {where}": (change**4).mean(),
        }
        for axis in range(change.ndim):
            name = "row" if axis == 0 else f"axis {axis}"
            numbers[f"mean square of means along the {name} {where}"] = (change.mean(axis=axis) ** 2).mean()
    return {name: float(value) for name, value in numbers.items()}


def describe_draws(draw: Callable[[], np.ndarray]) -> dict[str, np.ndarray]:
    """Returns what describes each of many draws of a layer, by name: (draws,)."""
    described = [describe_draw(draw()) for _ in range(DRAWS)]
    return {name: np.array([numbers[name] for numbers in described]) for name in described[0]}


def draw_outputs(draw: Callable[[], np.ndarray]) -> np.ndarray:
    """Returns many draws of a model's output, (draws, rows, units); none where two of them are the same."""
    draws = [draw(), draw()]
    if not is_random(*draws):
        return np.stack(draws)[:0]
    return np.stack([*draws, *(draw() for _ in range(DRAWS - 2))])


def shown_units(output: np.ndarray) -> np.ndarray:
    """Returns some units of a model's output, or of each of several, evenly spaced: (rows, units)."""
    if output.dtype.names:
        return np.concatenate([shown_units(np.ascontiguousarray(output[name])) for name in output.dtype.names], axis=1)
    flat = output.reshape(len(output), -1)
    return flat[:, np.unique(np.linspace(0, flat.shape[1] - 1, UNITS).round().astype(int))]


def repeated(rows: np.ndarray, times: int) -> np.ndarray:
    """Returns rows, all of them so many times."""
    return np.concatenate([rows] * times)


def is_random(one: np.ndarray, other: np.ndarray) -> bool:
    """Says whether two passes of the same rows and weights differ by more than rounding."""
    size = np.abs(one).max(initial=0.0)
    return one.shape != other.shape or not bool(np.abs(one - other).max(initial=0.0) <= TOLERANCE * size)
