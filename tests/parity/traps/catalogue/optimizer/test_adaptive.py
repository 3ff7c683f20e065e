"""Traps in Adamax, Adagrad, Nadam and Adadelta: both formulas give the stored numbers."""

import numpy as np
import pytest

from parity.traps.catalogue.optimizer.adaptive import TRAPS

EXAMPLES = {trap.id: trap for trap in TRAPS}
SMALL = np.array([1e-7, 1e-6, 1e-5])  # gradients


def agrees(numbers, expected) -> bool:
    return numbers == pytest.approx(list(expected), rel=1e-4)


def test_adamaxs_epsilon_weighs_ten_times_as_much():
    # m / (1 - b1) = g at the first step
    assert agrees(EXAMPLES["adamax-epsilon-place"].keras_numbers, -1e-3 * SMALL / (SMALL + 1e-7))
    assert agrees(EXAMPLES["adamax-epsilon-place"].port_numbers, -1e-3 * SMALL / (SMALL + 1e-8))


def test_adagrads_sum_starts_at_a_tenth():
    sums = np.arange(1, 4)  # of squared gradients of 1
    assert agrees(EXAMPLES["adagrad-accumulator"].keras_numbers, -1e-3 * np.cumsum(1 / np.sqrt(0.1 + sums)))
    assert agrees(EXAMPLES["adagrad-accumulator"].port_numbers, -1e-3 * np.cumsum(1 / np.sqrt(sums)))


@pytest.mark.parametrize(("side", "decay", "epsilon"), [("keras", 1.0, 1e-7), ("port", 0.004, 1e-8)])
def test_nadams_momentum_is_on_the_way_to_beta(side, decay, epsilon):
    first, second = (0.9 * (1 - 0.5 * 0.96 ** (decay * step)) for step in (1, 2))
    # m = .1 g, and v_hat = g^2
    moved = second * 0.1 * SMALL / (1 - first * second) + SMALL
    assert agrees(getattr(EXAMPLES["nadam-momentum"], f"{side}_numbers"), -1e-3 * moved / (SMALL + epsilon))


@pytest.mark.parametrize(("side", "rho", "epsilon"), [("keras", 0.95, 1e-7), ("port", 0.9, 1e-6)])
def test_adadelta_steps_by_its_numbers(side, rho, epsilon):
    weight = squares = steps = 0.0
    seen = []
    for _ in range(3):
        squares = rho * squares + 1 - rho
        step = -np.sqrt(steps + epsilon) / np.sqrt(squares + epsilon)
        steps = rho * steps + (1 - rho) * step**2
        weight += step
        seen.append(weight)
    assert agrees(getattr(EXAMPLES["adadelta-numbers"], f"{side}_numbers"), seen)
