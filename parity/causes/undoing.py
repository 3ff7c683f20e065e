"""Which differences fail a pair file's candidate: each is proved by undoing it, in the candidate's own process.

A failed part is answered again with each known difference undone, with all, and with all but one
(`adapters.torch.undo`). A difference is named where undoing it takes nine tenths of a failed check's gap away or makes
the check pass, or, of several, where leaving it alone brings a failure back. The ladder is then climbed with all that
were named undone, and what fails still is searched again.
"""

import math
import shutil
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from parity.causes import effects
from parity.ladder.climb import Climb, candidates_task, judge
from parity.process import Follow, Side, ask
from parity.protocol.records import Trials
from parity.protocol.task import CANDIDATE_PARTS, LIGHTNING, TRIALS, Task, read_record
from parity.rungs.check import Check
from parity.traps.catalogue import TRAPS
from parity.traps.layers.catalogue import DIFFERENCES

ENOUGH = 0.9  # of a gap
ROUNDS = 4
# What follows from differences that show before: searched where nothing else fails.
TRAINED = ("metrics", "lockstep", "restarts", "interchange")

Checks = list[Check]


@dataclass(frozen=True)
class Difference:
    """A difference that was undone, and what of the gap went with it."""

    id: str
    check: Check  # the failed check that shows it first
    explained: float  # 1 - gap with it undone / gap
    changes: list[str]  # where it is in the candidate, and what to write there
    # what the training ends with where it alone is left, by Keras's name of the metric: as Keras's, and with it; None
    # where that was not measured, nothing where both train from the same weights and it is a difference of these
    effect: dict[str, tuple[float, float]] | None = None

    @property
    def title(self) -> str:
        """What it is, in a few words."""
        return (TRAPS.get(self.id) or DIFFERENCES[self.id]).title

    @property
    def formulas(self) -> dict[str, str]:
        """What both compute, or write."""
        if trap := TRAPS.get(self.id):
            return {"Keras": trap.keras, "candidate": trap.port}
        shown = DIFFERENCES[self.id].shown
        return {"Keras": shown["keras"], "candidate": shown["port"]}

    def to_dict(self) -> dict:
        """Returns the difference as `report.json` holds it."""
        return {
            "id": self.id, "title": self.title, "formulas": self.formulas, "rung": self.check.rung,
            "check": self.check.id, "explained": round(self.explained, 6), "changes": self.changes,
            "effect": self.effect,
        }  # fmt: skip


@dataclass
class Undone:
    """What was found by undoing."""

    found: list[Difference] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)  # why a difference could not be undone, by its id
    tried: set[str] = field(default_factory=set)
    checks: Checks = field(default_factory=list)  # of the ladder with all that was found undone
    accepted: tuple[str, ...] = ()  # which of them are accepted
    beside: Checks = field(default_factory=list)  # of the ladder with these alone undone

    @property
    def left(self) -> Checks:
        """The checks that fail, or cannot be decided, with all that was found undone."""
        return [check for check in self.checks if check.status in ("fail", "error")]

    def to_dict(self) -> dict:
        """Returns it as `report.json` holds it."""
        return {
            "found": [one.to_dict() for one in self.found],
            "accepted": list(self.accepted),
            "tried": sorted(self.tried),
            "refused": self.refused,
            "left": [{"id": check.id, "rung": check.rung, "name": check.name} for check in self.left],
        }


def search(
    climb: Climb,
    folder: Path,
    stall: float,
    follow: Follow,
    first_alone: bool = False,
    accepted: tuple[str, ...] = (),
) -> Undone | None:
    """Searches for the differences that fail a pair file's candidate; returns None where nothing failed.

    Args:
        climb: both sides, and what failed.
        folder: where tasks and logs are left.
        stall: how many seconds a process may be silent.
        follow: called with the events of the processes.
        first_alone: whether the search ends with the first part that fails.
        accepted: ids of differences, or of the checks that show them: the ladder is climbed with these alone undone.
    """
    if climb.task is None or climb.task.pair.is_lab or not failed_parts(climb.judgements):
        return None
    result, side, judgements = Undone(checks=climb.checks), climb.candidate, climb.judgements
    for number in range(ROUNDS):
        parts = searched_parts(judgements)[: 1 if first_alone else None]
        if not parts:
            break
        undone = tuple(one.id for one in result.found)
        place = folder / f"undoing-{number + 1}"
        try:
            trials = ask_trials(climb, stall, follow, place, undone=undone, explained=parts)
            found = named(climb, side, judgements, trials, place, result) if trials else []
        finally:
            shutil.rmtree(place, ignore_errors=True)
        if not found:
            break
        result.found += found
        side, judgements = climb_changed(climb, folder, stall, follow, tuple(one.id for one in result.found))
        result.checks = [check for part in CANDIDATE_PARTS for check in judgements.get(part, ())]
        if first_alone:
            break
    result.found = effects.measured(climb, side, result.found, folder, partial(ask_trials, climb, stall, follow))
    chosen = tuple(one.id for one in result.found if {one.id, one.check.id} & {*accepted})
    result.accepted, result.beside = chosen, result.checks
    if 0 < len(chosen) < len(result.found):
        _, judgements = climb_changed(climb, folder, stall, follow, chosen)
        result.beside = [check for part in CANDIDATE_PARTS for check in judgements.get(part, ())]
    return result


def ask_trials(climb: Climb, stall: float, follow: Follow, folder: Path, **asked) -> Trials | None:
    """Has the candidate answer parts with differences undone; returns what was tried, None where it did not answer.

    Args:
        climb: both sides.
        stall: how many seconds the process may be silent.
        follow: called with its events.
        folder: of the records.
        asked: what the task says of differences.
    """
    task = replace(candidate_task(climb, folder), parts=TRIALS, **asked)
    path = task.write(folder.with_name(f"{folder.name}.json"))
    return ask(LIGHTNING, task, path, stall, follow).parts.get("trials")


def failed_parts(judgements: dict[str, Checks]) -> list[str]:
    """Names the parts with failed checks, from cause to effect."""
    return [part for part in CANDIDATE_PARTS if any(check.status == "fail" for check in judgements.get(part, ()))]


def searched_parts(judgements: dict[str, Checks]) -> tuple[str, ...]:
    """Names the failed parts that are searched now: what was trained only where nothing before it failed."""
    failed = failed_parts(judgements)
    return tuple([part for part in failed if part not in TRAINED] or failed)


def candidate_task(climb: Climb, folder: Path) -> Task:
    """Returns what the candidate was asked, for another folder."""
    task = candidates_task(climb.task, climb.reference)
    return replace(task, output_dir=str(folder))


def climb_changed(
    climb: Climb, folder: Path, stall: float, follow: Follow, undone: tuple[str, ...]
) -> tuple[Side, dict[str, Checks]]:
    """Climbs once more with differences undone; returns the candidate's answers and the checks by part."""
    place = folder / "undone"
    task = replace(candidate_task(climb, place), undone=undone)
    try:
        side = ask(LIGHTNING, task, task.write(folder / "undone.json"), stall, follow)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return side, {part: judge(part, climb.reference, side, climb.asked) for part in task.parts}


def named(
    climb: Climb, side: Side, judgements: dict[str, Checks], trials: Trials, folder: Path, result: Undone
) -> list[Difference]:
    """Returns the differences that the trials prove.

    Args:
        climb: the reference, and what was asked.
        side, judgements: the candidate before the trials.
        trials: what was tried.
        folder: of their records.
        result: what could not be undone, and what was tried, is added.
    """  # fmt: skip
    result.refused |= trials.refused
    judged: dict[str, dict[tuple[str, ...], Checks]] = {}
    for number, trial in enumerate(trials.trials):
        result.tried |= {*trial.undone}
        record = read_record(folder / str(number), trial.part)
        changed = Side(parts={**side.parts, trial.part: record})
        judged.setdefault(trial.part, {})[trial.undone] = judge(trial.part, climb.reference, changed, climb.asked)
    found: dict[str, Difference] = {}
    for part, checks in judged.items():
        for id, (check, share) in proved(judgements[part], checks).items():
            if id not in found or found[id].explained < share:
                found[id] = Difference(id, check, share, trials.changes.get(id, []))
    return list(found.values())


def proved(before: Checks, trials: dict[tuple[str, ...], Checks]) -> dict[str, tuple[Check, float]]:
    """Returns the differences that fail a part, each with the first check that shows it and the share it explains.

    Args:
        before: the part's checks with none of them undone.
        trials: the checks by what was undone: each difference alone, all, and all but one.
    """
    alone = [ids[0] for ids in trials if len(ids) == 1]
    together = max(trials, key=len)
    found = {}
    for id in together:
        without = tuple(one for one in together if one != id)
        worse = trials.get(without) if without else before
        if worse and (shown := explained(worse, trials[together])):
            found[id] = shown
    if found:
        return found
    # differences that stand for each other, so that none is missed: the one that explains most
    shown = {id: one for id in alone if (one := explained(before, trials[id,]))}
    return dict([max(shown.items(), key=lambda item: item[1][1])]) if shown else {}


def explained(worse: Checks, better: Checks) -> tuple[Check, float] | None:
    """Returns the first check that fails and whose gap is gone once something is undone, and the share that is gone.

    Args:
        worse, better: the checks before and after.
    """
    after, passed = {check.id: gap_of(check) for check in better}, {one.id for one in better if one.status == "pass"}
    bad = {check.rung for check in better if check.status in ("fail", "error")}
    for check in worse:
        if check.status != "fail":
            continue
        # a check of something that only the difference brought in is gone with it
        share = share_gone(gap_of(check), after.get(check.id, math.inf if check.rung in bad else 0.0))
        if share >= ENOUGH or (share > 0 and check.id in passed):  # what is left of a small gap is rounding
            return check, share
    return None


def gap_of(check: Check) -> float:
    """Returns the gap that a check measured, in units of its limit; infinite where it found none to measure and failed.

    Of steps, the largest counts: the first that fails, which the check shows, is hardly beyond its limit.
    """
    if isinstance(check.measured, int | float):
        for name in ("largest_ratio_to_limit", "largest_ratio_to_floor"):
            if check.more.get(name) is not None:
                return float(check.more[name])
        limit = check.limit if isinstance(check.limit, int | float) and check.limit > 0 else 1.0
        return float(check.measured) / limit
    return math.inf if check.status in ("fail", "error") else 0.0


def share_gone(before: float, after: float) -> float:
    """Returns 1 - after / before."""
    if not math.isfinite(before):
        return 0.0 if not math.isfinite(after) else 1.0
    return 1 - after / before if before > 0 and math.isfinite(after) else 0.0


def describe(undone: dict) -> str:
    """Says in one sentence where the pair stands with all differences of `report.json` undone."""
    count = len(undone["found"])
    if not count and not undone["tried"]:
        return "No known difference shows in the port."
    if not count:
        return f"None of {len(undone['tried'])} differences that could be undone explains what failed."
    what = "With it undone" if count == 1 else f"With all {count} undone"
    if not undone["left"]:
        return f"{what}, the pair is in parity."
    names = "; ".join(f"{one['rung']} / {one['name']}" for one in undone["left"])
    return f"{what}, it still departs: {names}."
