"""The rung forward: the same weights and images in, the same probabilities out?"""

from collections.abc import Callable

from parity.protocol.records import Answer, Cases
from parity.rungs.check import Check, Context, Gap, compare, missing, worst


def judge(reference: Cases, candidate: Cases, context: Context) -> list[Check]:
    """Checks the probabilities of every case."""
    gaps = compare_answers(reference, candidate, "probabilities", lambda answer: answer.probabilities)
    return [worst("probabilities", "forward", gaps, limit_text(len(reference.variants)))]


def compare_answers(reference: Cases, candidate: Cases, name: str, array_of: Callable[[Answer], object]) -> list:
    """Compares one array of every case's answer; a case that one side lacks is said in words."""
    gaps: list[Gap | str] = list(missing(reference.answers, candidate.answers))
    for case, answer in reference.answers.items():
        if case in candidate.answers:
            variants = [array_of(variant[case]) for variant in reference.variants]
            theirs = array_of(candidate.answers[case])
            gaps.append(compare(f"{case}: {name}", array_of(answer), theirs, variants))
    return gaps


def limit_text(runs: int) -> str:
    """Says why the limit is what it is."""
    return f"limit: 10 times the reference's own departure in {runs} runs that differ in rounding only"
