"""Hypotheses about the gradients."""

from collections.abc import Iterator

from parity.causes.answers import Answers
from parity.causes.hypothesis import Evidence, Hypothesis
from parity.numpy_mlp import layers_of


def search(evidence: Evidence) -> Iterator[Hypothesis]:
    """Tests whether no gradient reaches the first layers."""
    answers = Answers(evidence)
    for layers in range(1, len(layers_of(answers.cases[0].weights))):
        title, other = f"no gradient reaches the first {layers} layers", f"none for the first {layers}"
        yield Hypothesis.of("detached-layer", title, answers.share(detached=layers), other=other)
