"""The rung gradients: the same gradients from the same loss?"""

from parity.protocol.records import Cases
from parity.rungs.check import Check, Context, Gap, compare, missing, worst
from parity.rungs.forward import limit_text
from parity.rungs.loss import without_clipping


def judge(reference: Cases, candidate: Cases, context: Context) -> list[Check]:
    """Checks the gradients of every case, tensor by tensor."""
    exact, _ = without_clipping(reference, context)
    gaps: list[Gap | str] = list(missing(exact.answers, candidate.answers))
    for case, answer in exact.answers.items():
        if case not in candidate.answers:
            continue
        theirs = candidate.answers[case].gradients
        gaps += [f"{case}: gradient of {words}" for words in missing(answer.gradients, theirs)]
        for path, gradient in answer.gradients.items():
            if path in theirs:
                variants = [variant[case].gradients[path] for variant in exact.variants]
                gaps.append(compare(f"{case}: gradient of {path}", gradient, theirs[path], variants))
    return [worst("gradients", "gradients", gaps, limit_text(len(reference.variants)))]
