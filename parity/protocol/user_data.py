"""A user's data on both sides: how Keras's rows become the other framework's batches, found from the values."""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

# The splits, and what their inputs and targets are called.
SPLITS = {"train": ("x_train", "y_train"), "test": ("x_test", "y_test")}

# How an input (N, ...) of Keras's may lie in PyTorch's batches.
INPUTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "as in Keras": lambda x: x,
    "channels first": lambda x: np.moveaxis(x, -1, 1),
    "flattened": lambda x: x.reshape(len(x), -1),
    "channels first, flattened": lambda x: np.moveaxis(x, -1, 1).reshape(len(x), -1),
    "with a channel axis": lambda x: x[:, None],
    "without the last axis": lambda x: x[..., 0],
}
# How a target may: one-hot rows or class indices, a column or a row of numbers, an image.
TARGETS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "as in Keras": lambda y: y,
    "class indices of one-hot rows": lambda y: y.argmax(axis=-1),
    "without the last axis": lambda y: y[..., 0],
    "as a column": lambda y: y[:, None],
    "channels first": INPUTS["channels first"],
    "flattened": INPUTS["flattened"],
    "channels first, flattened": INPUTS["channels first, flattened"],
}
# Of an array that holds several: what the fields of targets and of rows' weights begin with, or are where there is one.
TARGET, WEIGHT = "target", "weight"
CLOSE = 4 * np.finfo(np.float32).eps  # of the largest value: rounding of another order of operations


@dataclass(frozen=True)
class Form:
    """How one side's arrays become the other's."""

    name: str  # of `INPUTS` or `TARGETS`, or of `images`
    gap: float  # the largest difference of a value, relative to the largest value
    turn: Callable[[np.ndarray], np.ndarray]  # makes rows of that form of Keras's


def find_form(forms: dict[str, Callable], ours: np.ndarray, theirs: np.ndarray) -> Form | None:
    """Returns the form in which Keras's rows are nearest to the candidate's; None where no shape fits.

    Args:
        forms: `INPUTS` or `TARGETS`.
        ours: Keras's rows, (N, ...).
        theirs: the candidate's, (N, ...).
    """
    return nearest_form(forms, ours, theirs, lambda turned: difference(turned, theirs))


def find_form_of_any(forms: dict[str, Callable], ours: np.ndarray, theirs: np.ndarray) -> Form | None:
    """Returns the form in which most of the candidate's rows are among Keras's, in whatever order; None as above.

    Args:
        forms: `INPUTS` or `TARGETS`.
        ours: all of Keras's rows, (N, ...).
        theirs: some of the candidate's, (n, ...).
    """

    def missing(turned: np.ndarray) -> float:
        """Returns the share of the candidate's rows that are not among Keras's."""
        known = {row.tobytes() for row in np.ascontiguousarray(turned, np.float32)}
        return sum(row.tobytes() not in known for row in np.ascontiguousarray(theirs, np.float32)) / len(theirs)

    return nearest_form(forms, ours, theirs, missing)


def nearest_form(forms: dict[str, Callable], ours: np.ndarray, theirs: np.ndarray, gap_of: Callable) -> Form | None:
    """Returns the form of the smallest gap among those whose rows have the candidate's shape."""
    found = []
    for name, turn in (forms | images(ours, theirs.shape[1:])).items():
        try:
            turned = turn(ours)
        except (IndexError, ValueError):  # too few axes
            continue
        if turned.shape[1:] == theirs.shape[1:]:
            found.append(Form(name, gap_of(turned), turn))
    return min(found, key=lambda form: form.gap, default=None)


def images(ours: np.ndarray, shape: tuple[int, ...]) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """Returns how Keras's flat rows may become images of a shape, (channels, height, width) or without channels.

    Args:
        ours: Keras's rows.
        shape: of one of the candidate's rows.
    """
    if ours.ndim != 2 or len(shape) < 2 or math.prod(shape) != ours.shape[1]:
        return {}
    last = (*shape[1:], shape[0])
    return {
        f"as images {shape}": lambda x: x.reshape(len(x), *shape),
        f"as images {last}, channels first": lambda x: np.moveaxis(x.reshape(len(x), *last), -1, 1),
    }


def difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Returns the largest difference of two arrays, relative to the largest value; infinite where one has no number."""
    ours, theirs = ours.astype(np.float64), theirs.astype(np.float64)
    gap = float(np.abs(ours - theirs).max(initial=0.0))
    return gap / (float(np.abs(ours).max(initial=0.0)) or 1.0) if np.isfinite(gap) else np.inf


def joined(columns: dict[str, np.ndarray]) -> np.ndarray:
    """Returns several arrays of as many rows as one, with a field for each: rows are taken, kept and sent alike.

    Args:
        columns: by name, (N, ...) each.
    """
    rows = np.empty(len(next(iter(columns.values()))), [(name, a.dtype, a.shape[1:]) for name, a in columns.items()])
    for name, array in columns.items():
        rows[name] = array
    return rows


def columns_of(rows: np.ndarray) -> dict[str, np.ndarray]:
    """Returns the arrays that rows are made of, by name; one that is no `joined` array has no name."""
    return {name: rows[name] for name in rows.dtype.names} if rows.dtype.names else {"": rows}


def targets_of(y: np.ndarray) -> dict[str, np.ndarray]:
    """Returns the targets among rows of targets, with weights or without, by the names of their fields."""
    return {name: array for name, array in columns_of(y).items() if not is_weight(name)}


def weights_of(y: np.ndarray) -> dict[str, np.ndarray]:
    """Returns the weights among rows of targets: none, one for all targets, or one for each, by their fields' names."""
    return {name: array for name, array in columns_of(y).items() if is_weight(name)}


def is_weight(name: str) -> bool:
    """Says whether a field of rows of targets holds rows' weights: `weight`, or `weight kind` of the target `kind`."""
    return name.partition(" ")[0] == WEIGHT


def only_target(y: np.ndarray) -> np.ndarray | None:
    """Returns the one target of rows of targets, with weights or without; None where there are several."""
    targets = list(targets_of(y).values())
    return targets[0] if len(targets) == 1 else None


def input_as_target(x: np.ndarray, y: np.ndarray) -> str | None:
    """Returns the name of the input that the target is, as an autoencoder's; None where it is none.

    Args:
        x: rows of inputs, one or several.
        y: as many rows of targets, with weights or without; several targets are none.
    """
    target = only_target(y)
    if target is None:
        return None
    for name, array in columns_of(x).items():
        if target.ndim > 1 and np.array_equal(target.reshape(len(target), -1), array.reshape(len(array), -1)):
            return name
    return None


def in_columns(change: Callable[[np.ndarray], np.ndarray], rows: np.ndarray) -> np.ndarray:
    """Changes every array that rows are made of."""
    if not rows.dtype.names:
        return change(rows)
    return joined({name: change(np.ascontiguousarray(array)) for name, array in columns_of(rows).items()})


def describe_arrays(x: np.ndarray, y: np.ndarray) -> dict:
    """Describes what a model is trained on.

    Args:
        x: inputs, (N, ...), one or several.
        y: targets, (N, ...), with the rows' weights or without.
    """
    return {
        "samples": len(x),
        **{
            f"{' '.join(filter(None, (kind, name)))}_{key}": value
            for kind, rows in (("input", x), ("target", y))
            for name, array in columns_of(rows).items()
            for key, value in {
                "shape": list(array.shape[1:]),
                "dtype": str(array.dtype),
                "range": [float(array.min()), float(array.max())],
                "sha256": hashlib.sha256(np.ascontiguousarray(array)).hexdigest(),
            }.items()
        },
    }
