"""Traps in Adam: the formula of each, in numpy, computes what PyTorch computed."""

import pytest

from parity.traps.catalogue.optimizer.adam import TRAPS

EXAMPLES = {trap.id: trap for trap in TRAPS}
# Three steps of one weight from 0, or one step of three weights.
IN_NUMPY = {
    "adam-epsilon-place": ("adam", {"learning_rate": 1e-3, "epsilon": 1e-7, "outside": True}, [[1e-6, 1e-5, 1e-4]]),
    "adam-epsilon": ("adam", {"learning_rate": 1e-3, "epsilon": 1e-8}, [[1e-6, 1e-5, 1e-4]]),
    "adam-beta-1": ("adam", {"learning_rate": 1e-3, "beta_1": 0.95, "epsilon": 1e-7}, [[1.0], [0.1], [0.01]]),
    "adam-beta-2": ("adam", {"learning_rate": 1e-3, "beta_2": 0.99, "epsilon": 1e-7}, [[1.0], [0.1], [0.01]]),
    "adam-no-correction": (
        "adam",
        {"learning_rate": 1e-3, "epsilon": 1e-7, "corrected": False},
        [[1.0], [0.1], [0.01]],
    ),
    "amsgrad": (
        "adam",
        {"learning_rate": 1e-3, "beta_2": 0.9, "epsilon": 1e-8, "amsgrad": True, "outside": True},
        [[1.0], [0.1], [0.01]],
    ),
    "adam-for-sgd": ("adam", {"learning_rate": 1e-2, "epsilon": 1e-8, "outside": True}, [[1e-3, 0.1, 10.0]]),
}


@pytest.mark.parametrize("trap", IN_NUMPY)
def test_the_formula_computes_what_pytorch_does(trap, take_steps):
    example = EXAMPLES[trap]
    assert take_steps(*IN_NUMPY[trap]) == pytest.approx(example.port_numbers, rel=2 * 10.0 ** (1 - example.digits))


def test_without_the_fault_the_steps_are_those_of_keras(take_steps):
    example, steps = (
        EXAMPLES["adam-beta-1"],
        take_steps("adam", {"learning_rate": 1e-3, "epsilon": 1e-7}, [[1.0], [0.1], [0.01]]),
    )
    assert steps == pytest.approx(example.keras_numbers, rel=1e-4)
    assert steps != pytest.approx(example.port_numbers, rel=1e-4)
