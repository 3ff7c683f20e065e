"""Has both sides answer in float64 what failed by little in float32: rounding shrinks there, a difference does not.

The limits stay those of float32. Beside what the reference answers in float64 stand runs that depart from it as far
as its runs in float32 depart from each other, and a check that had failed must now lie within a single noise floor, a
tenth of its limit. So two things are told from a difference: rounding that is the same in every run of a side, such as
the digits that a sum of many equal values loses, one after the other; and a kink (of a ReLU, of the largest of a pool)
that the one side's rounding passes and the other's does not.

Both train anew, from a start that is drawn in float64: nothing in it depends on what float32 has left.
"""

import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields, is_dataclass, replace
from pathlib import Path

import numpy as np

from parity.ladder.climb import Climb, candidates_task, judge
from parity.ladder.sums import moved
from parity.pair import Pair
from parity.process import Follow, Side, Stopped, ask
from parity.protocol.records import Facts, Run
from parity.protocol.task import KERAS, LIGHTNING, Task
from parity.rungs.check import ULPS, Check

SINGLE = float(np.finfo(np.float32).eps)
EXACT_BACKEND = "torch"  # is always there, and rounds no constant to float32 where it computes in float64
# What the runs of a part's noise floor depart from.
DEPARTED_FROM = {
    "cases": "answers",
    "layers": "in_place",
    "metrics": "curves",
    "restarts": "losses",
    "interchange": "probabilities",
}
# What is answered before a part.
BEFORE = {"restarts": ("lockstep",), "interchange": ("lockstep",)}


def in_float64(pair: Pair) -> Pair:
    """Returns a pair that is computed in float64."""
    training = replace(pair.experiment.training, precision="float64")
    return replace(pair, experiment=replace(pair.experiment, training=training))


def judge_in_float64(
    climb: Climb, failed: set[str], stall: float, follow: Callable[[str], Follow]
) -> dict[str, list[Check]] | None:
    """Returns the checks of some parts by what both sides answer in float64; None where one cannot.

    Args:
        climb: that has ended, in float32.
        failed: the parts.
        stall: how many seconds a process may be silent.
        follow: from a side to what is called with its events.
    """
    own = Path(climb.task.output_dir)
    folder = own.with_name(f"{own.name}-further")
    wanted = {"facts", *failed, *(before for part in failed for before in BEFORE.get(part, ()))}
    parts = tuple(part for part in climb.task.parts if part in wanted)
    task = replace(
        climb.task, pair=in_float64(climb.task.pair), parts=parts, output_dir=str(folder / KERAS), exact=True
    )
    try:
        folder.mkdir()
        if not (ours := ask_reference(task, folder, stall, follow(KERAS))):
            return None
        task = replace(candidates_task(task, ours), parts=parts, output_dir=str(folder / LIGHTNING))
        theirs = ask(LIGHTNING, task, task.write(folder / "lightning.json"), stall, follow(LIGHTNING))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if not {*parts} <= theirs.parts.keys():
        return None
    try:
        beside = Side(parts=with_runs(ours.parts, climb.reference.parts))
    except ValueError:  # arrays of other shapes: code that asks for the precision is another model
        return None
    return {part: judge(part, beside, theirs, climb.asked) for part in failed}


def ask_reference(task: Task, folder: Path, stall: float, follow: Follow) -> Side | None:
    """Asks Keras, on its own backend where that rounds nothing to float32, else on PyTorch if it can.

    Args:
        task: in float64.
        folder: where tasks and logs are left.
        stall: how many seconds the process may be silent.
        follow: called with its events.

    Returns:
        what it answered; None where it cannot answer all parts.
    """
    for backend, must_be_exact in ((task.backend, True), (EXACT_BACKEND, False), (task.backend, False)):
        side = Side()

        def arrived(part: str, side: Side = side, must_be_exact: bool = must_be_exact) -> None:
            if part == "facts" and must_be_exact and is_rounded(side.parts["facts"]):
                side.enough.set()

        with suppress(Stopped):
            own = replace(task, backend=backend)
            ask(KERAS, own, own.write(folder / "keras.json"), stall, follow, arrived, side)
        if {*task.parts} <= side.parts.keys():
            return side
    return None


def is_rounded(facts: Facts) -> bool:
    """Says whether what Keras runs on rounds numbers to float32 where it is to compute in float64."""
    return any(quirk.id == "float64-on-tensorflow" for quirk in facts.quirks)


def with_runs(exact: dict, own: dict) -> dict:
    """Returns the reference's records in float64 with runs that depart from them as far as those in float32 do.

    Args:
        exact: its records in float64, by part.
        own: those in float32.
    """
    found = dict(exact)
    for part, name in DEPARTED_FROM.items():
        if part in exact:
            bases = [getattr(parts[part], name) for parts in (exact, own)]
            found[part] = replace(exact[part], variants=departed(*bases, own[part].variants))
    if "lockstep" in exact:
        bases = [free_run(parts) for parts in (exact, own)]
        found["floor"] = replace(own["floor"], variants=departed(*bases, own["floor"].variants))
    return found


def free_run(parts: dict) -> Run:
    """Returns the reference's free run as the runs of the noise floor are kept."""
    trained, predicted = parts["lockstep"], parts.get("interchange")
    return Run(trained.losses, trained.curves, trained.final, predicted.probabilities if predicted else None)


def departed(exact, own, runs: list) -> list:
    """Returns runs beside an answer in float64, and one more, a few units of float32 in the last place away.

    Args:
        exact, own: the reference's answers in float64 and in float32, whatever holds their arrays.
        runs: in float32, which may have ended early.
    """  # fmt: skip
    return [*(of_arrays(beside, exact, own, run) for run in runs), of_arrays(rounded, exact)]


def of_arrays(change: Callable, first, *others):
    """Returns what holds arrays with each of them changed; what else it holds is kept.

    Args:
        change: from arrays, the first's and the others', to an array.
        first, others: hold arrays in the same places; a dictionary is cut to the keys that all have.
    """  # fmt: skip
    if isinstance(first, np.ndarray) and first.dtype.names:  # several outputs
        both = np.empty_like(first)
        for name in first.dtype.names:
            both[name] = of_arrays(change, first[name], *(other[name] for other in others))
        return both
    if isinstance(first, np.ndarray) and first.dtype.kind == "f" and all(other is not None for other in others):
        return change(first, *others)
    if isinstance(first, dict):
        keys = [key for key in first if all(key in other for other in others)]
        return {key: of_arrays(change, first[key], *(other[key] for other in others)) for key in keys}
    if isinstance(first, list):
        return [of_arrays(change, *each) for each in zip(first, *others, strict=True)]
    if is_dataclass(first):
        names = [each.name for each in fields(first)]
        found = {name: of_arrays(change, *(getattr(one, name) for one in (first, *others))) for name in names}
        return replace(first, **found)
    return first


def beside(exact: np.ndarray, own: np.ndarray, run: np.ndarray) -> np.ndarray:
    """Returns an array in float64, moved as far as a run in float32 departs from its own.

    Args:
        exact, own: the reference's, of one shape.
        run: of the same shape, or shorter.
    """  # fmt: skip
    ends = slice(len(run)) if exact.ndim else ()
    # x' = x + (y_32 - x_32)
    return exact[ends] + (run.astype(np.float64) - own[ends])


def rounded(exact: np.ndarray) -> np.ndarray:
    """Returns an array, moved by as many units of float32 in the last place as the noise floor has at least."""
    return moved(exact, ULPS * SINGLE)


def is_within_a_floor(check: Check | None) -> bool:
    """Says whether a check departs by a noise floor at most; one that has judged too little to pass may do so, too."""
    is_measured = check is not None and check.status in ("pass", "info") and check.measured is not None
    return is_measured and check.measured <= (check.noise_floor or 0)
