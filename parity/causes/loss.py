"""Hypotheses about the loss."""

from collections.abc import Iterator

from parity.causes.answers import Answers
from parity.causes.hypothesis import Evidence, Hypothesis


def search(evidence: Evidence) -> Iterator[Hypothesis]:
    """Tests what may be different about the loss."""
    answers = Answers(evidence)
    yield Hypothesis.of("softmax-twice", "softmax is applied twice", answers.share(softmaxes=2))
    yield Hypothesis.of("mse-loss", "mean squared error in place of cross-entropy", answers.share(loss="mse"))
    title = "probabilities are clipped before the logarithm"
    yield Hypothesis.of("clipped-probabilities", title, answers.share(clip=1e-7))
    yield from fit_numbers(answers)
    for temperature in (0.5, 2.0, 10.0):
        share, other = answers.share(temperature=temperature), f"softmax(z / {temperature})"
        yield Hypothesis.of("temperature", f"logits divided by {temperature}", share, "softmax(z)", other)


def fit_numbers(answers: Answers) -> Iterator[Hypothesis]:
    """Tests what has one free number: smoothing, a factor, a penalty."""
    amount, share = answers.fit(smoothing=1.0)
    yield Hypothesis.of("label-smoothing", f"label smoothing of {amount:.4g}", share)
    amount, share = answers.fit(factor=2.0)
    size = len(answers.cases[0].images)
    title = f"the loss is {amount + 1:.6g} times Keras's ({size} images in the batch)"
    if abs(amount + 1 - size) < 0.01 * size:
        yield Hypothesis.of("loss-sum", title, share)
    else:
        yield Hypothesis.of("loss-scale", title, share, other=f"{amount + 1:.6g} L")
    for biases in (False, True):
        amount, share = answers.fit(l2=1.0, l2_biases=biases)
        weights = "all weights" if biases else "the kernels"
        title = f"an L2 penalty of {amount:.4g} on {weights} in the loss"
        yield Hypothesis.of("l2-penalty", title, share, other=f"L + {amount:.4g} sum w^2 over {weights}")
