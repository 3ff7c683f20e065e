"""The rung gradients: the same gradients from the same loss?"""

from dataclasses import replace

from parity.protocol.records import Cases
from parity.rungs.check import Check, Context, Gap, compare, missing, worst
from parity.rungs.forward import limit_text
from parity.rungs.loss import comparable


def judge(reference: Cases, candidate: Cases, context: Context) -> list[Check]:
    """Checks the gradients of every case, tensor by tensor."""
    exact, candidate, _ = comparable(reference, candidate, context)
    gaps: list[Gap | str] = list(missing(exact.answers, candidate.answers))
    for case, answer in exact.answers.items():
        if case not in candidate.answers:
            continue
        theirs = candidate.answers[case].gradients
        gaps += [f"{case}: gradient of {words}" for words in missing(answer.gradients, theirs)]
        own = {}
        for path, gradient in answer.gradients.items():
            if path in theirs:
                variants = [variant[case].gradients[path] for variant in exact.variants]
                own[path] = compare(f"{case}: gradient of {path}", gradient, theirs[path], variants)
        gaps += own.values() if context.is_lab else with_floors_of_layers(own)
    return [worst("gradients", "gradients", gaps, limit_text(len(reference.variants)))]


def with_floors_of_layers(gaps: dict[str, Gap | str]) -> list[Gap | str]:
    """Returns gaps with the floor of the tensor of the same layer that has the largest.

    The gradient of a bias before a batch normalisation is 0 but for rounding, and so is its own floor: what the
    reference's runs change by does not show there.

    Args:
        gaps: of a model's tensors, by path.
    """
    floors: dict[str, float] = {}
    for path, gap in gaps.items():
        if isinstance(gap, Gap):
            layer = path.rpartition("/")[0]
            floors[layer] = max(floors.get(layer, 0.0), gap.floor)
    return [
        replace(gap, floor=floors[path.rpartition("/")[0]]) if isinstance(gap, Gap) else gap
        for path, gap in gaps.items()
    ]
