"""Traps in SGD: the hypothesis that explains each computes what PyTorch computed."""

import pytest

from parity.traps.catalogue.optimizer.sgd import TRAPS

EXAMPLES = {trap.id: trap for trap in TRAPS}
# Three steps of one weight from 0, or one step of three weights.
HYPOTHESES = {
    "momentum": ("sgd", {"momentum": 0.9}, [[1.0]] * 3),
    "nesterov": ("sgd", {"momentum": 0.9, "nesterov": True}, [[1.0]] * 3),
    "dampening": ("sgd", {"momentum": 0.9, "torch_momentum": True, "dampening": 0.9}, [[1.0]] * 3),
}


@pytest.mark.parametrize("cause", HYPOTHESES)
def test_a_hypothesis_computes_what_pytorch_does(cause, take_steps):
    example = EXAMPLES[cause]
    assert take_steps(*HYPOTHESES[cause]) == pytest.approx(example.port_numbers, rel=2 * 10.0 ** (1 - example.digits))


def test_without_the_fault_the_steps_are_those_of_keras(take_steps):
    example, steps = EXAMPLES["momentum"], take_steps("sgd", {}, [[1.0]] * 3)
    assert steps == pytest.approx(example.keras_numbers, rel=1e-4)
    assert steps != pytest.approx(example.port_numbers, rel=1e-4)
