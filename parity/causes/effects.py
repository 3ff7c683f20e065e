"""What each difference alone does to a training: it is made once more with all others undone."""

import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from parity.ladder.climb import Climb
from parity.process import Side
from parity.protocol.records import Steps
from parity.protocol.task import read_record

MOST = 12  # differences of which each is left alone
TRAINING_LOSS = "the last epoch's loss"  # the mean over its steps, where nothing is logged of the validation
START = "initial weights"  # the rung of what no training from common weights shows


def measured(climb: Climb, undone: Side, found: list, folder: Path, ask_trials: Callable) -> list:
    """Returns differences with their effects, the largest first; those whose effect is not known come last.

    Args:
        climb: both sides.
        undone: the candidate with all of them undone.
        found: a `Difference` each.
        folder: where tasks are left.
        ask_trials: has a part answered with differences undone, see `undoing.ask_trials`.
    """
    moved = [one for one in found if one.check.rung != START]
    right = undone.parts.get("lockstep")
    if right is None or not moved or len(moved) > MOST:
        return found
    runs, place = {}, folder / "effects"
    if len(moved) == 1 and "lockstep" in climb.candidate.parts:
        runs = {moved[0].id: climb.candidate.parts["lockstep"]}
    elif len(moved) > 1:
        try:
            runs = runs_left_alone(tuple(one.id for one in moved), place, ask_trials)
        finally:
            shutil.rmtree(place, ignore_errors=True)
    names = logged_names(climb)
    effects = {id: effect_of(right, run, names) for id, run in runs.items()}
    effects |= {one.id: {} for one in found if one.check.rung == START}
    told = [replace(one, effect=effects.get(one.id)) for one in found]
    return sorted(told, key=lambda one: -size_of(one.effect))


def runs_left_alone(ids: tuple[str, ...], place: Path, ask_trials: Callable) -> dict[str, Steps]:
    """Returns by difference the training in which it alone is left.

    Args:
        ids: of the differences.
        place: folder of the records.
        ask_trials: see `measured`.
    """
    trials = ask_trials(place, explained=("lockstep",), left_alone=ids)
    runs = {}
    for number, trial in enumerate(trials.trials if trials else ()):
        (left,) = {*ids} - {*trial.undone}
        runs[left] = read_record(place / str(number), "lockstep")
    return runs


def logged_names(climb: Climb) -> dict[str, str]:
    """Returns by Keras's name of a metric under which name the candidate logs it."""
    return {check.subject: check.more["logged_as"] for check in climb.checks if check.more.get("logged_as")}


def effect_of(right: Steps, wrong: Steps, names: dict[str, str]) -> dict[str, tuple[float, float]]:
    """Returns by Keras's name what two trainings end with: validation's metrics; else the mean loss of the last steps.

    Args:
        right, wrong: the trainings.
        names: see `logged_names`.
    """  # fmt: skip
    chosen = {ours: names[ours] for ours in sorted(names, key=lambda one: "loss" not in one) if ours.startswith("val_")}
    ends = {ours: [run.curves.get(logged, ()) for run in (right, wrong)] for ours, logged in chosen.items()}
    found = {ours: (float(a[-1]), float(b[-1])) for ours, (a, b) in ends.items() if len(a) and len(b)}
    last = max(1, len(right.losses) // max(1, len(right.epoch_seconds)))
    return found or {TRAINING_LOSS: tuple(float(run.losses[-last:].mean()) for run in (right, wrong))}


def size_of(effect: dict[str, tuple[float, float]] | None) -> float:
    """Returns how much the first metric of an effect changes, relative; -1 where nothing is known."""
    if not effect:
        return -1.0
    right, wrong = next(iter(effect.values()))
    size = abs(wrong - right) / (abs(right) or 1.0)
    return size if math.isfinite(size) else math.inf


def describe(effect: dict[str, tuple[float, float]] | None) -> str:
    """Says what a difference alone does; empty where that is not known."""
    if effect is None:
        return ""
    if not effect:
        return "alone: nothing here, where both train from the same weights"
    return "alone: " + ", ".join(
        f"{name} {wrong:.4g} in place of {right:.4g}" for name, (right, wrong) in effect.items()
    )
