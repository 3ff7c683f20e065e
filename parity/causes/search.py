"""After a failed rung: which known cause explains what was recorded?"""

from dataclasses import replace

from parity import causes
from parity.ladder.climb import Climb
from parity.protocol.task import PARTS
from parity.rungs import RUNGS
from parity.rungs.check import Check

# A cause that leaves more than a tenth of the gap is not the cause.
ENOUGH = 0.9


def explain(climb: Climb) -> list[Check]:
    """Returns the checks, the first failed one with its cause, or with the word that none explains it.

    Two experiments that are not the same say themselves what differs: the cause of the next failure is searched for.
    """
    failed = [
        place for place, check in enumerate(climb.checks) if check.status == "fail" and check.rung != "experiment"
    ]
    if not failed:
        return climb.checks
    checks, place = list(climb.checks), failed[0]
    checks[place] = replace(checks[place], cause=search(climb, checks[place]))
    return checks


def search(climb: Climb, check: Check) -> dict:
    """Tests every hypothesis for a check's rung against the recordings; returns the one that explains most."""
    tested: list[causes.Found] = []
    for part in parts_of(check):
        ours, theirs = climb.keras.parts.get(part), climb.lightning.parts.get(part)
        if not ours or not theirs:
            continue
        evidence = causes.Evidence(ours, theirs, climb.keras.parts["facts"])
        try:
            if part in causes.SEARCHES:
                tested += causes.SEARCHES[part](evidence)
            elif "lockstep" in climb.keras.parts:
                tested += causes.of_restarts(evidence, climb.keras.parts["lockstep"])
        except (ValueError, KeyError, IndexError, ZeroDivisionError, FloatingPointError):
            continue  # recordings of another shape: nothing can be said about them
    best = max(tested, key=lambda found: found.explained, default=None)
    if best is not None and best.explained >= ENOUGH:
        return best.to_dict()
    nearest = f"; the nearest ({best.id}) explains {max(best.explained, 0):.0%}" if best else ""
    title = f"None of {len(tested)} tested hypotheses explains the gap{nearest}."
    return {"id": None, "title": title, "formulas": {}, "explained": 0.0}


def parts_of(check: Check) -> list[str]:
    """Returns the parts whose recordings a check's rung rests on; the restarted epochs tell more than the free run."""
    if check.id == "data/batches":
        return ["metrics"]
    parts = [part for part in PARTS if check.rung in RUNGS[part]]
    return list(reversed(parts))
