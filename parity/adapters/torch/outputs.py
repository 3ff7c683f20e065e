"""Several outputs of a user's module: which of them is which of Keras's, and what each is."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations

import numpy as np
import torch

from mlp_spec.support.errors import UserError
from parity.adapters.torch.ways import OUTPUT_ADVICE, OUTPUTS, in_rows_of, unlikely_forms
from parity.protocol.user_data import columns_of, difference, joined

CLOSE = 1e-3  # relative: nearer than this, an output is told by its values
MOST_PERMUTED = 5  # outputs whose orders are all tried


@dataclass(frozen=True)
class Place:
    """Where one of Keras's outputs is in what a module returns."""

    key: object  # of a dictionary or a sequence, see `parts_of`
    form: str  # of `OUTPUTS`
    shape: tuple[int, ...]  # of a row of Keras's
    gap: float  # how far it is from Keras's

    def taken(self, parts: dict[object, torch.Tensor]) -> np.ndarray:
        """Returns the output as Keras predicts it."""
        return OUTPUTS[self.form](in_rows_of(self.shape, parts[self.key].detach().cpu())).numpy()


def find_places(returned: list, ours: np.ndarray, what: str) -> dict[str, Place]:
    """Finds which of a module's outputs is which of Keras's, and what it is: logits, log-probabilities, probabilities.

    Trusted in this order: Keras's names among the keys of a dictionary; values that agree; the order.

    Args:
        returned: what the module returned for some batches of rows.
        ours: what Keras predicts for the same rows, a field for each output.
        what: how the module is called in a message.

    Raises:
        UserError: the outputs do not fit.
    """
    parts = together([parts_of(one, what) for one in returned])
    expected = columns_of(ours)
    found = {
        (name, key): place
        for name, array in expected.items()
        for key, part in parts.items()
        if (place := place_of(key, part, array)) is not None
    }
    names, keys = list(expected), list(parts)
    orders = [tuple(names)] if set(names) <= set(keys) else []
    if not orders:
        orders = [tuple(keys[: len(names)])] if len(keys) > MOST_PERMUTED else list(permutations(keys, len(names)))
    fitting = [order for order in orders if all(pair in found for pair in zip(names, order, strict=False))]
    if not fitting or len(keys) < len(names):
        theirs = ", ".join(f"{key} {tuple(part.shape)}" for key, part in parts.items())
        shapes = ", ".join(f"{name} {array.shape}" for name, array in expected.items())
        raise UserError(f"{what}: the module returns {theirs}; Keras's outputs are {shapes}; {OUTPUT_ADVICE}")

    def gap_of(order: tuple) -> float:
        """Returns how far outputs in an order are from Keras's; those that agree are as good as each other."""
        return max(max(found[pair].gap, CLOSE) for pair in zip(names, order, strict=True))

    best = min(fitting, key=gap_of)
    if gap_of(best) > CLOSE:  # values say nothing: the module's own order
        best = fitting[0]
    return {name: found[name, key] for name, key in zip(names, best, strict=True)}


def place_of(key: object, part: torch.Tensor, ours: np.ndarray) -> Place | None:
    """Returns an output in the form in which it is nearest to one of Keras's; None where its shape is another."""
    shape = ours.shape[1:]
    output = in_rows_of(shape, part)
    if tuple(output.shape) != ours.shape:
        return None
    gaps = {
        name: difference(ours, turn(output).numpy())
        for name, turn in OUTPUTS.items()
        if name not in unlikely_forms(output)
    }
    form = min(gaps, key=gaps.get)
    return Place(key, form, shape, gaps[form])


def parts_of(returned: object, what: str) -> dict[object, torch.Tensor]:
    """Returns the tensors that a module returned, by their keys in a dictionary, or their numbers from 1.

    Raises:
        UserError: it returned no dictionary or sequence of tensors.
    """
    if isinstance(returned, Mapping):
        items = list(returned.items())
    elif isinstance(returned, list | tuple):
        items = list(enumerate(returned, 1))
    elif torch.is_tensor(returned):
        items = [(1, returned)]
    else:
        kind = type(returned).__name__
        raise UserError(f"{what}: forward() returned a {kind}, where Keras has several outputs; {OUTPUT_ADVICE}")
    return {key: value.detach().cpu() for key, value in items if torch.is_tensor(value)}


def together(batches: list[dict[object, torch.Tensor]]) -> dict[object, torch.Tensor]:
    """Puts the outputs of several batches together."""
    return {key: torch.cat([batch[key] for batch in batches]) for key, part in batches[0].items() if part.ndim}


def joined_outputs(returned: list, places: dict[str, Place], what: str) -> np.ndarray:
    """Returns what a module returned for some batches as one array, with a field for each of Keras's outputs."""
    parts = together([parts_of(one, what) for one in returned])
    return joined({name: place.taken(parts) for name, place in places.items()})


def describe_places(places: dict[str, Place]) -> str:
    """Says which output is which, for people."""

    def where(name: str, place: Place) -> str:
        """Says where one output is."""
        return "" if place.key == name else f" ({'number ' if isinstance(place.key, int) else ''}{place.key})"

    outputs = [f"{name}{where(name, place)} {place.form}" for name, place in places.items()]
    return f"the module's outputs are {', '.join(outputs)}"
