"""Traps in SGD: the formula of each, in numpy, computes what PyTorch computed."""

import pytest

from parity.traps.catalogue.optimizer.sgd import TRAPS

EXAMPLES = {trap.id: trap for trap in TRAPS}
# Three steps of one weight from 0, or one step of three weights.
IN_NUMPY = {
    "momentum": ("sgd", {"momentum": 0.9}, [[1.0]] * 3),
    "momentum-and-schedule": ("sgd", {"momentum": 0.9, "torch_momentum": True, "rate_at": lambda step: 0.9**step},
                              [[1.0]] * 3),
    "nesterov": ("sgd", {"momentum": 0.9, "nesterov": True}, [[1.0]] * 3),
    "dampening": ("sgd", {"momentum": 0.9, "torch_momentum": True, "dampening": 0.9}, [[1.0]] * 3),
}  # fmt: skip


@pytest.mark.parametrize("trap", IN_NUMPY)
def test_the_formula_computes_what_pytorch_does(trap, take_steps):
    example = EXAMPLES[trap]
    assert take_steps(*IN_NUMPY[trap]) == pytest.approx(example.port_numbers, rel=2 * 10.0 ** (1 - example.digits))


def test_without_the_fault_the_steps_are_those_of_keras(take_steps):
    example, steps = EXAMPLES["momentum"], take_steps("sgd", {}, [[1.0]] * 3)
    assert steps == pytest.approx(example.keras_numbers, rel=1e-4)
    assert steps != pytest.approx(example.port_numbers, rel=1e-4)


def test_kerass_velocity_carries_the_rate(take_steps):
    steps = take_steps("sgd", {"momentum": 0.9, "rate_at": lambda step: 0.9**step}, [[1.0]] * 3)
    assert steps == pytest.approx(EXAMPLES["momentum-and-schedule"].keras_numbers, rel=1e-4)
