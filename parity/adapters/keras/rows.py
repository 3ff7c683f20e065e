"""What `keras_data()` gives, as arrays: whatever `fit` takes, that ends."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np

from keras_reference import data
from mlp_spec.support.errors import UserError
from parity.protocol.user_data import SPLITS, TARGET, WEIGHT, columns_of, is_weight, joined, targets_of, weights_of

# A data set that does not say its length, and gives more, is not read to its end: it may have none.
MOST_BATCHES, MOST_BYTES = 200_000, 4 * 2**30
FORMS = "(x_train, y_train), (x_val, y_val), a third element being the rows' weights; or two data sets"
WHOLE = "(x, y) where keras_fit() has a validation_split"


@dataclass(frozen=True)
class Rows:
    """A user's rows, on Keras's side."""

    arrays: data.Arrays  # several inputs in one array, and so targets and their weights: `user_data.joined`
    pack: Callable[[np.ndarray], object]  # makes of some rows' inputs what the model takes
    pack_targets: Callable[[np.ndarray], object]  # makes of some rows' targets what `fit` takes
    pack_weights: Callable[[np.ndarray], object]  # and of their weights; None where they have none
    batch_size: int | None = None  # of a data set's first batch; None of arrays
    random: bool = False  # whether another pass gives other values
    in_order: bool = False  # whether `fit` takes them as they come, whatever its `shuffle` is

    def kept_in_files(self, folder: str) -> "Rows":
        """Leaves the arrays in a folder, a file each; returns the rows as they are read from there."""
        mapped = {}
        for name, array in vars(self.arrays).items():
            path = Path(folder) / f"{name}.npy"
            np.save(path, array)
            mapped[name] = np.asarray(np.load(path, mmap_mode="c"))
        return replace(self, arrays=data.Arrays(**mapped))


def read(given: object, fit: dict, what: str) -> Rows:
    """Reads what `keras_data()` gave.

    Args:
        given: see `FORMS` and `WHOLE`; data sets are a finite tf.data.Dataset, or a keras.utils.PyDataset.
        fit: what `keras_fit()` gave; its `validation_split` takes the last rows, and `sample_weight` is one a row.
        what: how `keras_data()` is called in a message.

    Raises:
        UserError: it is something else, or holds what cannot be trained on.
    """
    try:
        parts = [given] if fit.get("validation_split") else elements_of(given)
        parts = parts[:2] if len(parts) == 3 else parts  # the third is a test set
        (train, *rest), is_whole = parts, len(parts) == 1
        if len(rest) != (0 if is_whole else 1):
            raise ValueError
        passes = [read_part(part, what) for part in (train, *rest)]
    except (TypeError, ValueError) as error:
        raise UserError(f"{what} must return {FORMS}; or {WHOLE}") from error
    random = any(part.is_random() for part in passes)
    weight = fit.get("sample_weight")
    columns = [part.columns(weight if not index else None) for index, part in enumerate(passes)]
    check_same_targets([part.columns()[1] for part in passes], what)
    check_weights([targets for _, targets in columns], what)
    if is_whole:
        columns = split_last(columns[0], fit["validation_split"])
    checked = {}
    for (x, y), (inputs, targets) in zip(SPLITS.values(), columns, strict=True):
        sides = [
            {name: check_array(array, side, what) for name, array in given.items()}
            for side, given in ((x, inputs), (y, targets))
        ]
        counts = [{len(array) for array in arrays.values()} for arrays in sides]
        if len(counts[0] | counts[1]) != 1:
            ours, theirs = (" or ".join(f"{count:,}" for count in sorted(one)) for one in counts)
            raise UserError(f"{what}: {x} has {ours} rows and {y} has {theirs}")
        checked[x], checked[y] = map(joined_or_alone, sides)
    first = passes[0]
    packs = first.pack, first.pack_targets, packer_of_weights(passes[0].weight if weight is None else weight)
    return Rows(data.Arrays(**checked), *packs, first.batch_size, random, hasattr(train, "element_spec"))


def check_same_targets(targets: list[dict], what: str) -> None:
    """Checks that both splits have the same targets, by name; their weights may be missing in one.

    Raises:
        UserError: they have not.
    """
    names = [" and ".join(name for name in columns if name.startswith(f"{TARGET} ")) for columns in targets]
    if len(set(names)) > 1:
        train, test = (name or "one array" for name in names)
        raise UserError(f"{what}: y_train holds {train}, y_test holds {test}")


def check_weights(targets: list[dict], what: str) -> None:
    """Checks that weights are one array, or one for each target, as `fit` takes them.

    Args:
        targets: of each split, with weights.
        what: how the function is called in a message.

    Raises:
        UserError: they are not.
    """
    for columns in targets:
        weights = sorted(name.removeprefix(f"{WEIGHT} ") for name in columns if is_weight(name))
        names = sorted(name.removeprefix(f"{TARGET} ") for name in columns if not is_weight(name))
        if weights not in ([], [WEIGHT], names):
            of_each = "" if names == [TARGET] else f", or one for each target ({', '.join(names)})"
            must = f"give one array{of_each}, as Keras takes them"
            raise UserError(f"{what}: the rows' weights are those of {', '.join(weights)}; {must}")


def elements_of(given: object) -> list:
    """Returns the elements of a tuple or list; of anything else nobody knows whether they end.

    Raises:
        TypeError: it is something else.
    """
    if not isinstance(given, tuple | list):
        raise TypeError
    return list(given)


@dataclass(frozen=True)
class Part:
    """A split as it was given."""

    x: object
    y: object
    weight: object
    batch_size: int | None = None
    again: Callable[[], "Part"] | None = None  # reads a data set once more; None of arrays

    def columns(self, weight: object = None) -> tuple[dict, dict]:
        """Returns the inputs, and the targets with the rows' weights, by name."""
        weight = self.weight if weight is None else weight
        inputs = self.x if isinstance(self.x, dict) else {"": self.x}
        if isinstance(self.x, tuple | list):
            inputs = {f"input {number}": array for number, array in enumerate(self.x, 1)}
        if isinstance(self.y, dict | tuple | list):
            named = self.y.items() if isinstance(self.y, dict) else enumerate(self.y, 1)
            targets = {f"{TARGET} {name}": array for name, array in named}
        else:
            targets = {"" if weight is None else TARGET: self.y}
        return inputs, targets | named_weights(weight)

    @property
    def pack(self) -> Callable[[np.ndarray], object]:
        """Makes of some rows' inputs what the model takes."""
        return packer(self.x, list(self.columns()[0]))

    @property
    def pack_targets(self) -> Callable[[np.ndarray], object]:
        """Makes of some rows' targets what `fit` takes; the rows' weights are left out."""
        names = list(self.y) if isinstance(self.y, dict) else list(self.columns()[1])
        pack = packer(self.y, names)

        def packed(rows: np.ndarray) -> object:
            """Makes of some rows' targets what `fit` takes."""
            targets = list(targets_of(rows).values())
            if len(targets) == 1:
                return pack(np.ascontiguousarray(targets[0]))
            return pack(joined(dict(zip(names, targets, strict=False))))

        return packed

    def is_random(self) -> bool:
        """Says whether a data set gives other values in another pass; their order does not count."""
        if self.again is None:
            return False
        ours, theirs = (one.columns()[0] for one in (self, self.again()))
        sums = [[np.asarray(part[name], np.float64).sum() for name in ours] for part in (ours, theirs)]
        return not np.allclose(*sums, rtol=1e-9, atol=0)


def named_weights(weight: object) -> dict:
    """Returns rows' weights by the names of their fields: one array, or one for each target."""
    if not isinstance(weight, dict | tuple | list):
        return {} if weight is None else {WEIGHT: weight}
    named = weight.items() if isinstance(weight, dict) else enumerate(weight, 1)
    return {f"{WEIGHT} {name}": array for name, array in named}


def packer_of_weights(given: object) -> Callable[[np.ndarray], object]:
    """Returns what makes of some rows' weights what `fit` takes; None where they have none.

    Args:
        given: weights as they were given; they are not kept.
    """
    names, kind = list(given) if isinstance(given, dict) else [], type(given)

    def packed(rows: np.ndarray) -> object:
        """Makes of some rows' weights what `fit` takes."""
        weights = [np.ascontiguousarray(array) for array in weights_of(rows).values()]
        if issubclass(kind, dict):
            return dict(zip(names, weights, strict=True)) if weights else None
        if issubclass(kind, tuple | list):
            return kind(weights) if weights else None
        return weights[0] if weights else None

    return packed


def packer(like: object, names: list[str]) -> Callable[[np.ndarray], object]:
    """Returns what makes of some rows an array, a dictionary or a tuple, as what was given is one.

    Args:
        like: what was given; it is not kept.
        names: of its arrays.
    """
    kind = type(like) if isinstance(like, dict | tuple | list) else None

    def packed(rows: np.ndarray) -> object:
        """Makes of some rows what the model takes."""
        if kind is None:
            return rows
        columns = {name: np.ascontiguousarray(array) for name, array in columns_of(rows).items()}
        if not rows.dtype.names:  # one array in a dictionary or a tuple
            columns = dict.fromkeys(names, rows)
        return columns if issubclass(kind, dict) else tuple(columns.values())

    return packed


def read_part(given: object, what: str) -> Part:
    """Reads one split: a tuple of arrays, or a data set, whose batches are put together.

    Raises:
        UserError: the data set has no end.
        ValueError: it is neither.
    """
    if isinstance(given, keras.utils.PyDataset):
        if given.num_batches is None:
            raise UserError(f"{what}: a {type(given).__name__} has no end; give one with a length")
        return read_batches(lambda: (given[number] for number in range(given.num_batches)), what, True)
    if hasattr(given, "element_spec"):
        if given.cardinality() == -1:  # tf.data.INFINITE_CARDINALITY
            raise UserError(f"{what}: a tf.data.Dataset has no end; leave out repeat(), or use take()")
        return read_batches(lambda: iter(given), what, given.cardinality() >= 0)
    if hasattr(given, "__next__"):
        must = "give arrays, a tf.data.Dataset or a keras.utils.PyDataset"
        raise UserError(f"{what}: a {type(given).__name__} can be read once, and may have no end; {must}")
    x, y, *weight = elements_of(given)
    if len(weight) > 1:
        raise ValueError
    return Part(x, y, *(weight or [None]))


def read_batches(batches: Callable[[], Iterator], what: str, ends: bool) -> Part:
    """Puts a data set's batches together.

    Args:
        batches: starts a pass.
        what: how the function is called in a message.
        ends: whether the data set says how many there are.

    Raises:
        UserError: there are none, or no end of them.
    """
    parts, size = [], 0
    for x, y, *weight in batches():
        parts.append(Part(x, y, *(weight or [None])))
        size += sum(np.asarray(array).nbytes for array in keras.tree.flatten((x, y)))
        if not ends and (len(parts) > MOST_BATCHES or size > MOST_BYTES):
            raise UserError(
                f"{what}: a data set that does not say its length has given {len(parts):,} batches "
                f"({size / 2**30:.1f} GiB), and goes on; if it has no end, use take(), else assert_cardinality()"
            )
    if not parts:
        raise UserError(f"{what}: a data set is empty")
    first = parts[0]
    columns = [part.columns() for part in parts]
    inputs, targets = (
        {name: np.concatenate([np.asarray(c[side][name]) for c in columns]) for name in columns[0][side]}
        for side in (0, 1)
    )
    weights = {name: targets.pop(name) for name in list(targets) if is_weight(name)}
    weight = like(first.weight, weights) if weights else None
    x, y = like(first.x, inputs), like(first.y, targets)
    rows = len(np.asarray(next(iter(first.columns()[1].values()))))
    return Part(x, y, weight, rows, lambda: read_batches(batches, what, ends))


def like(given: object, columns: dict[str, np.ndarray]) -> object:
    """Returns arrays as a dictionary, a tuple or the one array, as what was given is one."""
    if isinstance(given, dict):
        return dict(zip(given, columns.values(), strict=True))
    arrays = tuple(columns.values())
    return arrays if isinstance(given, tuple | list) else arrays[0]


def split_last(columns: tuple[dict, dict], fraction: float) -> list[tuple[dict, dict]]:
    """Cuts the last rows off for validation, as `fit` does, before any shuffling."""
    rows = len(np.asarray(next(iter(columns[1].values()))))
    kept = math.floor(rows * (1 - fraction))
    return [
        tuple({name: np.asarray(a)[part] for name, a in side.items()} for side in columns)
        for part in (slice(kept), slice(kept, None))
    ]


def check_array(value: object, name: str, what: str) -> np.ndarray:
    """Returns an array of numbers, floating ones in the precision that Keras has.

    Raises:
        UserError: it is something else, or empty, or holds what is not a number.
    """
    if isinstance(value, dict | tuple | list) or not hasattr(value, "__array__"):
        kind = type(value).__name__
        must = "arrays of inputs and of targets, one, or several in a dictionary or tuple"
        raise UserError(f"{what}: {name} is or holds a {kind}; {must} can be compared")
    array = np.asarray(value)
    if not array.ndim or not len(array):
        raise UserError(f"{what}: {name} is empty")
    if array.dtype.kind not in "fiub":
        raise UserError(f"{what}: {name} is of {array.dtype}; it must hold numbers")
    if array.dtype.kind != "f":
        return array
    if not np.isfinite(array).all():
        raise UserError(f"{what}: {name} holds what is not a number (NaN or infinite)")
    return array.astype(keras.config.floatx(), copy=False)


def joined_or_alone(columns: dict[str, np.ndarray]) -> np.ndarray:
    """Returns one array as it is, and several as one."""
    return joined(columns) if len(columns) > 1 else next(iter(columns.values()))
