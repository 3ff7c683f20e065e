"""What the tests of causes share: a search's best hypothesis, and the evidence of made records."""

from sample_records import make_facts, make_sides

from parity.causes.hypothesis import Evidence, Hypothesis
from parity.causes.search import ENOUGH
from parity.protocol.records import Facts, Record, Steps


def make_evidence(
    reference: Record, candidate: Record, facts: Facts | None = None, lockstep: Steps | None = None
) -> Evidence:
    """Makes what a search has to go by."""
    return Evidence(reference, candidate, facts or make_facts(), lockstep)


def best(search, evidence: Evidence) -> Hypothesis | None:
    """Returns the hypothesis that explains most; None if none does."""
    return max(search(evidence), key=lambda one: one.explained, default=None)


def named(search, evidence: Evidence) -> str | None:
    """Returns the cause that is named; None if no hypothesis explains enough."""
    one = best(search, evidence)
    return one.id if one is not None and one.explained >= ENOUGH else None


def sound_evidence(part: str) -> Evidence:
    """Returns the evidence of a part that agrees."""
    reference, candidate = make_sides()
    lockstep = reference.parts["lockstep"]
    return make_evidence(reference.parts[part], candidate.parts[part], reference.parts["facts"], lockstep)
