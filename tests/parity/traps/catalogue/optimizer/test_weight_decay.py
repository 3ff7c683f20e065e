"""Traps in weight decay, worked out by hand: Adam's first step has the length of the learning rate."""

import pytest

from parity.traps.catalogue.optimizer.weight_decay import TRAPS

EXAMPLES = {trap.id: trap for trap in TRAPS}
STARTS = (1.0, 2.0, 3.0)
RATE = 0.01


def decoupled(decay: float) -> list[float]:
    """Returns w - lr c w - lr: the decay stands beside the step."""
    return [start - RATE * decay * start - RATE for start in STARTS]


def test_keras_decays_beside_the_step_and_pytorch_within_it():
    example = EXAMPLES["weight-decay-coupled"]
    assert example.keras_numbers == pytest.approx(decoupled(0.1), abs=1e-6)
    assert example.port_numbers == pytest.approx(decoupled(0.0), abs=1e-6)  # in Adam's division, the decay is lost


def test_adamw_decays_by_a_hundredth_unless_told_otherwise():
    example = EXAMPLES["weight-decay-decoupled"]
    assert example.port_numbers == pytest.approx(decoupled(0.01), abs=1e-6)
    assert example.keras_numbers != pytest.approx(decoupled(0.01), abs=1e-6)
