"""Undoes other data: rows that a loader serves are turned back, and hooks leave batches as they are.

Not undone: rows that are others than Keras's, and random transforms. Of a loader whose rows have no numbers, the first
may be Keras's first; else what was done to the other split's rows is tried.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial, reduce
from itertools import combinations

import numpy as np
import torch
from torch import nn
from torch.utils import _pytree as tree

from parity.adapters.torch.by_value import match, projections, rounding
from parity.adapters.torch.rows import NAMES
from parity.adapters.torch.undo.difference import DATA, HOOKS, INPUT, MODULE, Built, Undo
from parity.adapters.torch.undo.numbers import PASSES
from parity.protocol.user_data import CLOSE, SPLITS, difference

PARTS = ("facts",)
MOST = 2**28  # bytes of a split that are held at once
FEW = 256  # rows that show what was done to all
NEAR = 1e-5  # of the largest value: what is left of a fit that is one
TRANSFERS = ("on_before_batch_transfer", "on_after_batch_transfer", "transfer_batch_to_device")
# By difference: the factor and what is added, that are known by a name.
KNOWN = {
    "pixels-256": (255 / 256, 0.0),
    "pixels-unscaled": (255.0, 0.0),
    "pixels-centred": (2.0, -1.0),
    "pixels-inverted": (-1.0, 1.0),
    "pixels-standardised": (1 / 0.3081, -0.1307 / 0.3081),
}
SCALED, MOVED, LABELS = "inputs-scaled", "pixels-moved", "labels-changed"


@dataclass(frozen=True)
class Change:
    """What makes the values that a port is given of Keras's."""

    id: str
    text: str
    back: Callable[[np.ndarray], np.ndarray]  # makes Keras's of the port's


def find_change(ours: np.ndarray, theirs: np.ndarray, is_target: bool = False) -> Change | None:
    """Returns what was done to Keras's rows; None where nothing was, or nothing that is known.

    Args:
        ours: rows as they should be.
        theirs: the same rows as they are, of the same shape.
        is_target: whether they are targets.
    """
    if ours.shape != theirs.shape or difference(ours, theirs) <= CLOSE:
        return None
    if is_target and ours.dtype.kind in "iu":
        return find_rule(ours, theirs)
    change = find_scale(ours, theirs)
    change = change or (None if is_target else find_move(ours, theirs))
    return Change(LABELS, change.text, change.back) if change and is_target else change


def find_scale(ours: np.ndarray, theirs: np.ndarray) -> Change | None:
    """Returns a factor and what is added, of all values or of each column, that make the one of the other."""
    flat, other = (array.astype(np.float64).reshape(len(array), -1) for array in (ours, theirs))
    for axis in (None, 0):
        mean, theirs_mean = flat.mean(axis=axis), other.mean(axis=axis)
        spread = ((flat - mean) ** 2).mean(axis=axis)
        factor = ((flat - mean) * (other - theirs_mean)).mean(axis=axis) / np.where(spread > 0, spread, 1.0)
        factor = np.where((spread > 0) & (factor != 0), factor, 1.0)
        shift = theirs_mean - factor * mean
        if np.abs(factor * flat + shift - other).max() > NEAR * np.abs(other).max():
            continue
        if axis is None:
            shift = shift if abs(shift) > NEAR * np.abs(other).max() else 0.0
            return Change(
                scale_id(float(factor), float(shift)), scale_text(factor, shift), partial(scaled_back, factor, shift)
            )
        if len(ours) < 8:  # of few rows, anything is a line
            return None
        text = f"each column is scaled by itself: the first one's {scale_text(factor[0], shift[0])}"
        return Change(SCALED, text, partial(scaled_back, factor, shift))
    return None


def scaled_back(factor, shift, rows: np.ndarray) -> np.ndarray:
    """Takes a factor and what is added away."""
    flat = rows.astype(np.float64).reshape(len(rows), -1)
    return ((flat - shift) / factor).reshape(rows.shape).astype(rows.dtype if rows.dtype.kind == "f" else np.float32)


def scale_id(factor: float, shift: float) -> str:
    """Returns the difference that a factor and what is added are known as."""
    near = [id for id, known in KNOWN.items() if np.allclose((factor, shift), known, rtol=1e-4, atol=1e-6)]
    return near[0] if near else SCALED


def scale_text(factor: float, shift: float) -> str:
    """Says what was fitted."""
    added = f" {'-' if shift < 0 else '+'} {abs(shift):.6g}" if shift else ""
    return f"values are {factor:.6g} x{added}, Keras's are x"


def find_move(ours: np.ndarray, theirs: np.ndarray) -> Change | None:
    """Returns how values were moved: mirrored, two axes exchanged, or columns in another order."""
    shape = ours.shape[1:]
    side = round(shape[0] ** 0.5) if len(shape) == 1 else 0
    views = [shape] if len(shape) > 1 else [(side, side)] if side * side == shape[0] else []
    for view in views:
        axes = range(1, 1 + len(view))
        moves = {f"mirrored along axis {axis}": partial(np.flip, axis=axis) for axis in axes}
        moves |= {
            f"with the axes {one} and {two} exchanged": partial(np.swapaxes, axis1=one, axis2=two)
            for one, two in combinations(axes, 2)
            if view[one - 1] == view[two - 1]
        }
        for text, move in moves.items():
            back = partial(moved, move, view)
            if difference(ours, back(theirs)) <= CLOSE:
                return Change(MOVED, f"the same values, {text}", back)
    if len(shape) == 1:
        places = {column.tobytes(): number for number, column in enumerate(np.ascontiguousarray(theirs.T))}
        order = [places.get(column.tobytes(), -1) for column in np.ascontiguousarray(ours.astype(theirs.dtype).T)]
        if sorted(order) == list(range(shape[0])):
            first = next(number for number, place in enumerate(order) if number != place)
            text = f"columns in another order: Keras's {first} is the port's {order[first]}"
            return Change(MOVED, text, lambda rows: rows[:, order])
    return None


def moved(move: Callable, view: tuple[int, ...], rows: np.ndarray) -> np.ndarray:
    """Moves the values of rows that are seen in a shape; each of these moves is its own inverse."""
    return np.ascontiguousarray(move(rows.reshape(len(rows), *view))).reshape(rows.shape)


def find_rule(ours: np.ndarray, theirs: np.ndarray) -> Change | None:
    """Returns which label stands for which of Keras's, where each stands for one."""
    pairs = sorted({*zip(ours.ravel().tolist(), theirs.ravel().tolist(), strict=True)})
    back = {there: here for here, there in pairs}
    if not len(back) == len({here for here, _ in pairs}) == len(pairs):
        return None
    steps = {there - here for here, there in pairs}
    said = ", ".join(f"{here} is {there}" for here, there in pairs if here != there)
    text = f"labels are Keras's {steps.pop():+g}" if len(steps) == 1 else f"other labels: Keras's {said}"
    turn = np.vectorize(lambda label: back.get(label, label), otypes=[theirs.dtype])
    return Change(LABELS, text, turn)


def repair(built: Built, id: str) -> list[str]:
    """Has the rows of the loaders turned back, where something is known that was done to them.

    Args:
        built: whose rows.
        id: the difference that is undone.
    """
    rows, lines = built.rows, []
    found = {split: changes_in_order(built, split, id) for split in rows.loaders}
    for split in rows.loaders:
        other = next(one for one in found if one != split)
        changes = found[split] or guessed(built, split, found[other])
        if changes:
            built.repairs.setdefault(split, []).append(partial(turned, changes))
            places = [*rows.places.values()]
            lines += [f"lightning_data(), {places[number]}: {change.text}" for number, change in changes.items()]
        elif id == LABELS and (labels := other_labels(built, split)):
            built.repairs.setdefault(split, []).append(partial(relabelled, labels))
            many = f"{len(labels)} rows" if len(labels) > 1 else "a row"
            lines.append(f"lightning_data(): {many} of the {NAMES[split]} loader: other targets than Keras's")
    return list(dict.fromkeys(lines))


def turned(changes: dict[int, Change], arrays: list[np.ndarray]) -> list[np.ndarray]:
    """Takes changes back of the arrays that rows are made of."""
    return [changes[number].back(array) if number in changes else array for number, array in enumerate(arrays)]


def changes_in_order(built: Built, split: str, id: str) -> dict[int, Change]:
    """Returns what was done to arrays, by their number, where a loader's first rows are Keras's first."""
    rows, changes = built.rows, {}
    count = min(rows.compared(split, built.facts.level), FEW)
    if not (theirs := next(iter(rows.chunks(split, count)), None)):
        return {}
    count = min(len(theirs[0]), count)
    both = zip(rows.places.values(), rows.expected(split, slice(0, count)), theirs, strict=True)
    for number, (place, ours, array) in enumerate(both):
        change = find_change(ours, array[:count], bool(place.part))
        if change and change.id == id:
            changes[number] = change
    return changes


def guessed(built: Built, split: str, changes: dict[int, Change]) -> dict[int, Change]:
    """Returns what was done to the other split's rows where that, taken back, makes Keras's of rows without numbers."""
    rows = built.rows
    if not changes or rows.is_indexed(split):
        return {}
    theirs = [*rows.chunks(split, rows.compared(split, built.facts.level))]
    wrong = [rows.nowhere(split, [projections(change(arrays)) for arrays in theirs]) for change in
             (list, partial(turned, changes))]  # fmt: skip
    return changes if wrong[1] < wrong[0] / 10 else {}


def other_labels(built: Built, split: str) -> dict[bytes, list[np.ndarray]]:
    """Returns Keras's targets of rows that have the same inputs and other targets, by what tells these rows."""
    rows = built.rows
    if sum(rows.arrays[name].nbytes for name in SPLITS[split]) > MOST:
        return {}
    inputs = [number for number, place in enumerate(rows.places.values()) if not place.part]
    count = rows.compared(split, built.facts.level)
    theirs = joined_chunks(rows.chunks(split, count))
    ours = joined_chunks([rows.expected(split, slice(0, rows.count(split)))])
    if not theirs:
        return {}
    left = np.flatnonzero(match(projections(ours), projections(theirs), rounding(ours)) < 0)
    free = np.flatnonzero(match(projections(theirs), projections(ours), rounding(ours)) < 0)
    given, wanted = ([arrays[number] for number in inputs] for arrays in (theirs, ours))
    found = match(
        projections([array[free] for array in wanted]), projections([array[left] for array in given]), rounding(wanted)
    )
    return {
        key_of(theirs, row): [array[free[place]] for array in ours]
        for row, place in zip(left.tolist(), found.tolist(), strict=True)
        if place >= 0
    }


def joined_chunks(chunks: Iterable[list[np.ndarray]]) -> list[np.ndarray]:
    """Returns the arrays of all chunks of rows."""
    return [np.concatenate(arrays) for arrays in zip(*chunks, strict=True)]


def key_of(arrays: list[np.ndarray], row: int) -> bytes:
    """Returns what tells a row from others."""
    return b"".join(np.ascontiguousarray(array[row]).tobytes() for array in arrays)


def relabelled(labels: dict[bytes, list[np.ndarray]], arrays: list[np.ndarray]) -> list[np.ndarray]:
    """Puts Keras's rows in the place of those with other targets."""
    arrays = [array.copy() for array in arrays]
    for row, key in enumerate([key_of(arrays, row) for row in range(len(arrays[0]))]):
        for array, right in zip(arrays, labels.get(key, []), strict=False):
            array[row] = right
    return arrays


def leave_batches(built: Built) -> list[str]:
    """Has a module's hooks leave batches as they are."""
    module, lines = built.module, []
    for name in TRANSFERS[:2]:
        base = next(
            (kind for kind in type(module).__mro__ if kind.__module__.startswith(("lightning.", "pytorch_lightning."))),
            None,
        )
        if base is None or getattr(type(module), name, None) is getattr(base, name, None):
            continue
        batch, said = built.batch(), []
        with torch.no_grad():
            after = getattr(module, name)(
                tree.tree_map(lambda one: one.clone() if torch.is_tensor(one) else one, batch), 0
            )
        pairs = zip(tree.tree_leaves(batch), tree.tree_leaves(after), strict=False)
        for ours, theirs in ((a, b) for a, b in pairs if torch.is_tensor(a) and torch.is_tensor(b)):
            change = find_change(ours.numpy(), theirs.cpu().numpy(), not ours.is_floating_point())
            if change or ours.shape != theirs.shape or not torch.equal(ours, theirs.cpu()):
                said.append(change.text if change else "other values")
        if said:
            setattr(module, name, lambda batch, dataloader_idx: batch)
            lines.append(f"{name}: {', '.join(said)}: leave it out")
    return lines


def read_features_last(built: Built) -> list[str]:
    """Gives layers that read features last Keras's rows as they lie in Keras, where the loader's lie features first.

    Of a square, nothing in the rows says that this is another layout: a convolution would read them so.
    """
    places = [place for place in built.rows.places.values() if not place.part] if built.rows else []
    if len(places) != 1 or places[0].form.name != "channels first":
        return []
    lines = []
    for name in [name for name, made_by in built.trace.made_by.items() if not made_by]:
        part, shape = built.module.get_submodule(name), built.trace.shape_into(name)
        if isinstance(part, nn.RNNBase | nn.Linear) and len(shape) == 3 and shape[1] == shape[2]:
            part.register_forward_pre_hook(lambda _, given: (given[0].mT, *given[1:]))
            lines.append(f"lightning_data(): {name} is given rows with the axes 1 and 2 exchanged: give it x.mT")
    return lines


def keep_inputs(built: Built, change) -> str | None:
    """Gives `forward` what a step was given, where the step has changed it."""
    if change.kind != INPUT:
        return None
    change.put_back()
    return f"{change.hook}: {change.text}: leave it out"


def turned_back(
    chunks: Callable[[str, int], Iterator[list[np.ndarray]]], repairs: dict[str, list[Callable]], split: str, count: int
) -> Iterator[list[np.ndarray]]:
    """Yields the user's rows with differences undone in them.

    Args:
        chunks: yields them as they are.
        repairs: by split, what is undone so far.
        split, count: of the rows.
    """
    for arrays in chunks(split, count):
        yield reduce(lambda rows, repair: repair(rows), repairs.get(split, []), arrays)


UNDOS = [
    *(Undo(id, PARTS, partial(repair, id=id), DATA) for id in (*KNOWN, SCALED, LABELS)),
    Undo(MOVED, (*PARTS, *PASSES), partial(repair, id=MOVED), DATA, also={MODULE: read_features_last}),
    Undo("batch-transfer", ("cases", "lockstep", "restarts", "interchange"), leave_batches, also={HOOKS: keep_inputs}),
]
