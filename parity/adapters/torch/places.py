"""What stands in each tensor of a user's batches: one of Keras's arrays, or several side by side."""

from dataclasses import dataclass

import numpy as np

from parity.protocol.user_data import CLOSE, Form, columns_of, find_form, find_form_of_any, is_weight

AS_THEY_ARE = {"as in Keras": lambda array: array}


@dataclass(frozen=True)
class Place:
    """What stands in one tensor of a batch."""

    part: int  # 0: an input, 1: the target or the rows' weights; as in `SPLITS`
    name: str  # of the array among Keras's; empty where there is one only
    form: Form  # in which Keras's rows lie there
    dtype: np.dtype  # that the user's loader serves
    beside: tuple[str, ...] = ()  # further arrays among Keras's that stand there, behind it

    @property
    def names(self) -> tuple[str, ...]:
        """All arrays among Keras's that stand here."""
        return (self.name, *self.beside)

    def turned(self, rows: np.ndarray, precision: str) -> np.ndarray:
        """Turns Keras's rows into what stands here."""
        columns = columns_of(rows)
        array = self.form.turn(together(columns, self.names) if self.beside else np.asarray(columns[self.name]))
        kind = np.dtype(precision) if np.issubdtype(self.dtype, np.floating) else self.dtype
        return np.ascontiguousarray(array.astype(kind))

    def __str__(self):
        if self.beside:
            return f"inputs {', '.join(self.names)} side by side"
        kind = self.name if is_weight(self.name) else f"{('input', 'target')[self.part]} {self.name}".strip()
        return f"{kind.removeprefix('target ') if self.part else kind.replace('input input', 'input')} {self.form.name}"


def together(columns: dict[str, np.ndarray], names: tuple[str, ...]) -> np.ndarray:
    """Returns some columns of numbers, (N,) or (N, width) each, side by side."""
    return np.concatenate([columns[name].reshape(len(columns[name]), -1) for name in names], axis=1)


def side_by_side(missing: dict[str, np.ndarray], tensors: dict[int, np.ndarray], is_ordered: bool) -> dict[int, Place]:
    """Returns the tensor in which several of Keras's inputs stand side by side, by its number; empty if there is none.

    A model of tables is often given each column by itself in Keras, and all of them as one matrix in PyTorch.

    Args:
        missing: Keras's inputs that stand nowhere else, (N,) or (N, width) each.
        tensors: of a batch, by number, in which nothing stands yet.
        is_ordered: whether the batch's rows are Keras's first ones.
    """
    if len(missing) < 2 or any(array.ndim > 2 for array in missing.values()):
        return {}
    whole = together(missing, tuple(missing))
    find = find_form if is_ordered else find_form_of_any
    for index, tensor in tensors.items():
        if tensor.shape[1:] == whole.shape[1:]:
            names = order_in(missing, tensor) if is_ordered else tuple(missing)
            form = find(AS_THEY_ARE, together(missing, names), tensor)
            return {index: Place(0, names[0], form, tensor.dtype, names[1:])}
    return {}


def order_in(columns: dict[str, np.ndarray], tensor: np.ndarray) -> tuple[str, ...]:
    """Returns the order in which columns stand in a tensor, by most of their values; their own where these differ."""
    left, rest, names = {name: together(columns, (name,)) for name in columns}, tensor, []
    while left:
        shares = {name: share_alike(array, rest[:, : array.shape[1]]) for name, array in left.items()}
        name = max(shares, key=shares.get)
        if shares[name] < 0.5:
            return tuple(columns)
        names.append(name)
        rest = rest[:, left.pop(name).shape[1] :]
    return tuple(names)


def share_alike(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Returns the share of rows that are the same to rounding; 0 where there are others in number."""
    if ours.shape != theirs.shape:
        return 0.0
    gaps = np.abs(ours.astype(np.float64) - theirs).max(axis=1, initial=0)
    return float((gaps <= CLOSE * (np.abs(ours).max(initial=0) or 1)).mean())
