"""What crosses when a file of a pair is turned into the other framework's: its note, its tensors, its proof."""

from collections.abc import Iterable
from itertools import zip_longest

import numpy as np

from mlp_spec.runs import resume
from mlp_spec.support.errors import UserError
from parity.protocol.inputs import Case
from parity.protocol.records import Contents
from parity.protocol.task import CheckpointTask
from parity.protocol.tensors import Arrays, Table

FORMAT = 1
NUDGES = 9  # how often the source's weights are moved, for the noise floor
MOST_ROWS = 2000  # of the validation rows that both must predict alike
ROWS, EXTREMES = "validation rows", "negative and large inputs"
MOST_NAMED = 5  # tensors in a message


def note_of(source: str, weights_only: str | None, pair: str, table: Table) -> dict:
    """Returns what a converted file says of itself.

    Args:
        source: the name of the file it was made of.
        weights_only: why it holds weights only; None if the training can go on.
        pair: the pair file's name.
        table: the pair's tensors.
    """
    note = resume.converted(source, weights_only)
    return note | {"format": FORMAT, "pair": pair, "tensors": describe_tensors(table)}


def describe_tensors(table: Table) -> list[str]:
    """Says what a model's tensors are, in order; their paths, which Keras numbers through a process, do not count."""
    return [f"{tensor.kind}'s {tensor.role} {tensor.shape}" for tensor in table]


def check_note(note: object, path: str, pair: str, table: Table) -> None:
    """Checks that a file, if it was converted for a pair, was so for this one, by this version.

    Args:
        note: what it says of itself; None, or one of the lab's, says nothing about a pair.
        path: of the file.
        pair: the name of the pair file that was given.
        table: its tensors.

    Raises:
        UserError: it is of another version, or of another pair.
    """
    if not isinstance(note, dict) or "pair" not in note:
        return
    if note.get("format") != FORMAT:
        raise UserError(
            f"{path} was converted by another version (format {note.get('format')!r}, this version reads {FORMAT}); "
            f"convert {note.get('from')} again"
        )
    ours, theirs = describe_tensors(table), note.get("tensors")
    if theirs != ours:
        theirs = theirs if isinstance(theirs, list) else []
        pairs = enumerate(zip_longest(ours, theirs, fillvalue="none"), 1)
        number, (our, their) = next(pair for pair in pairs if pair[1][0] != pair[1][1])
        raise UserError(
            f"{path} was converted for another pair, {note['pair']}: its tensors differ from {pair}'s (number {number} "
            f"is {their}, not {our}); give the pair file it was converted for"
        )


def check_shapes(path: str, whose: str, expected: dict[str, tuple], held: dict[str, tuple]) -> None:
    """Checks that a file holds a model's tensors: no others, none less, of their shapes.

    Args:
        path: of the file.
        whose: how the model is called.
        expected, held: the model's and the file's shapes, by the framework's own names.

    Raises:
        UserError: it does not; names what is missing, extra or of another shape.
    """  # fmt: skip
    wrong = {
        "missing": [f"{name} {shape}" for name, shape in expected.items() if name not in held],
        "extra": [f"{name} {shape}" for name, shape in held.items() if name not in expected],
        "of another shape": [
            f"{name} is {held[name]}, not {shape}"
            for name, shape in expected.items()
            if name in held and held[name] != shape
        ],
    }
    parts = [f"{what}: {shorten(names)}" for what, names in wrong.items() if names]
    if parts:
        raise UserError(f"{path} does not fit {whose}: {'; '.join(parts)}. Give the file of this pair's model")


def shorten(names: Iterable[str]) -> str:
    """Returns the first names, and how many more there are."""
    names = list(names)
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def check_kinds(path: str, kinds: dict[str, str], precision: str) -> None:
    """Checks that floating tensors are of the precision in which the pair is built.

    Args:
        path: of the file.
        kinds: the dtypes of its floating tensors, by name.
        precision: of the pair.

    Raises:
        UserError: they are not.
    """
    if other := {name: kind for name, kind in kinds.items() if kind != precision}:
        name, kind = next(iter(other.items()))
        can = f"add --precision {kind}" if kind in ("float32", "float64") else "convert it to float32 or float64 first"
        raise UserError(f"{path} holds {kind} weights ({name}), the models are {precision}; {can}")


def check_numbers(path: str, contents: Contents) -> None:
    """Checks that weights and moments are numbers.

    Raises:
        UserError: one is NaN or infinite; names the tensors.
    """
    named = dict(contents.weights)
    named |= {f"{slot} of {name}": a for slot, arrays in contents.moments.items() for name, a in arrays.items()}
    if wrong := [name for name, array in named.items() if not np.isfinite(array).all()]:
        raise UserError(f"{path} holds what is not a number (NaN or infinite): {shorten(wrong)}")


def why_weights_only(note: object, task: CheckpointTask) -> str | None:
    """Returns why nothing but weights is read, as far as the task and the file say so; else None."""
    if task.weights_only:
        return "asked for by --weights-only"
    return (note.get("weights_only") or None) if isinstance(note, dict) else None


def inputs_for(rows: np.ndarray, cases: dict[str, Case], size: int = 1) -> Arrays:
    """Returns what both sides predict: validation rows, and inputs as no row is.

    Args:
        rows: Keras's validation rows.
        cases: of the pair (`parity.protocol.inputs.cases`); there are no such inputs where all are whole numbers.
        size: of a batch, where every batch must be whole.
    """
    extremes = {EXTREMES: cases[EXTREMES].images} if EXTREMES in cases else {}
    return {ROWS: np.asarray(rows[: MOST_ROWS // size * size]), **extremes}


def check_kept(path: str, weights_only: str | None, source: Contents, again: Contents) -> None:
    """Checks that the optimizer's state that was written is in the file.

    Args:
        path: of the file.
        weights_only: why weights alone were written; None where the state was.
        source: what was to be written.
        again: what was read again.

    Raises:
        UserError: it is not.
    """
    if not weights_only and source.step and again.weights_only:
        raise UserError(f"{path}: the optimizer's state was written and cannot be read again: {again.weights_only}")
