"""After a failed rung: which known cause explains what was recorded?"""

from dataclasses import replace

from parity.causes import architecture, data, forward, gradients, initial_weights, lockstep, loss, metrics, optimizer
from parity.causes.hypothesis import Evidence, Hypothesis
from parity.ladder.climb import Climb
from parity.pair import Settings
from parity.rungs.check import Check

# A cause that leaves more than a tenth of the gap is not the cause.
ENOUGH = 0.9
# By part, what is tested against its records.
SEARCHES = {
    "facts": (data.search, architecture.search),
    "initial_weights": (initial_weights.search,),
    "cases": (loss.search, forward.search, gradients.search),
    "optimizer": (optimizer.search,),
    "metrics": (data.search_batches, metrics.search),
    "restarts": (lockstep.search,),
    "lockstep": (lockstep.search,),
}
RUNS = ("restarts", "lockstep")  # the restarted epochs tell more than the free run


def explain(climb: Climb) -> list[Check]:
    """Returns the checks, the first failed one with its cause, or with the word that none explains it.

    Two experiments that are not the same say themselves what differs: the cause of the next failure is searched for.
    """
    checks = climb.checks
    if isinstance(climb.asked, Settings):  # a pair file's causes are not searched for yet
        return checks
    for index, check in enumerate(checks):
        if check.status == "fail" and check.rung != "experiment":
            part = next(part for part, judged in climb.judgements.items() if check in judged)
            cause = search(climb, RUNS if part in RUNS else (part,))
            return [*checks[:index], replace(check, cause=cause), *checks[index + 1 :]]
    return checks


def search(climb: Climb, parts: tuple[str, ...]) -> dict:
    """Tests every hypothesis for some parts against their records; returns the one that explains most."""
    tested: list[Hypothesis] = []
    for part in parts:
        ours, theirs = climb.reference.parts.get(part), climb.candidate.parts.get(part)
        if not ours or not theirs:
            continue
        evidence = Evidence(ours, theirs, climb.reference.parts["facts"], climb.reference.parts.get("lockstep"))
        for search_hypotheses in SEARCHES.get(part, ()):
            try:
                tested += search_hypotheses(evidence)
            except (ValueError, KeyError, IndexError, TypeError, ZeroDivisionError, FloatingPointError):
                continue  # records of another shape: nothing can be said about them
    best = max(tested, key=lambda hypothesis: hypothesis.explained, default=None)
    if best is not None and best.explained >= ENOUGH:
        return best.to_dict()
    nearest = f"; the nearest ({best.id}) explains {max(best.explained, 0):.0%}" if best else ""
    title = f"None of {len(tested)} tested hypotheses explains the gap{nearest}."
    return {"id": None, "title": title, "formulas": {}, "explained": 0.0}
