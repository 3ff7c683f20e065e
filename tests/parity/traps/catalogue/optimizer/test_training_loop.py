"""Traps in the training loop: the formula of each, in numpy, computes what PyTorch computed."""

import pytest

from parity.traps.catalogue.optimizer.training_loop import TRAPS

EXAMPLES = {trap.id: trap for trap in TRAPS}
# Three steps of one weight from 0, or one step of three weights.
IN_NUMPY = {
    "clip-norm": ("sgd", {"learning_rate": 1.0, "clipnorm": 1.0}, [[3.0, 4.0, 12.0]]),
    "clip-value": ("sgd", {"learning_rate": 1.0, "clipvalue": 0.5}, [[0.1, -0.7, 3.0]]),
    "accumulation": ("sgd", {"every": 2}, [[1.0]] * 3),
    "schedule-missing": ("sgd", {}, [[1.0]] * 3),
    "schedule-step": ("sgd", {"rate_at": lambda step: 0.9**step}, [[1.0]] * 3),
    "frozen": ("sgd", {"rate_at": lambda step: 0.0}, [[1.0]] * 3),
}


@pytest.mark.parametrize("trap", IN_NUMPY)
def test_the_formula_computes_what_pytorch_does(trap, take_steps):
    example = EXAMPLES[trap]
    assert take_steps(*IN_NUMPY[trap]) == pytest.approx(example.port_numbers, rel=2 * 10.0 ** (1 - example.digits))


def test_without_the_fault_the_steps_are_those_of_keras(take_steps):
    example, steps = EXAMPLES["schedule-step"], take_steps("sgd", {}, [[1.0]] * 3)
    assert steps == pytest.approx(example.keras_numbers, rel=1e-4)
    assert steps != pytest.approx(example.port_numbers, rel=1e-4)


def test_keras_follows_its_schedule(take_steps):
    steps = take_steps("sgd", {"rate_at": lambda step: 0.9**step}, [[1.0]] * 3)
    assert steps == pytest.approx(EXAMPLES["schedule-missing"].keras_numbers, rel=1e-4)
