"""Hypotheses about the layers."""

from collections.abc import Iterator

from parity.causes.hypothesis import Evidence, Hypothesis


def search(evidence: Evidence) -> Iterator[Hypothesis]:
    """Tests the activations that were read from both models."""
    ours, theirs = ([layer.activation for layer in facts.layers] for facts in (evidence.reference, evidence.candidate))
    if len(ours) == len(theirs) and ours != theirs:
        cause = "softmax-twice" if ours[:-1] == theirs[:-1] else "activation"
        title = f"activations {', '.join(theirs)} in place of {', '.join(ours)}"
        yield Hypothesis.of(cause, title, 0.99, ", ".join(ours), ", ".join(theirs))
