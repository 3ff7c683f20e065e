"""Traps in what changes from epoch to epoch, by hand."""

import numpy as np
import pytest

from parity.traps.catalogue.lockstep import TRAPS

EXAMPLES = {trap.id: trap for trap in TRAPS}


def test_a_rate_that_falls_shortens_the_steps_after_it_and_no_others():
    example = EXAMPLES["schedule-epoch"]
    assert example.keras_numbers == pytest.approx(-np.cumsum([0.01, 0.01, 0.01]))
    assert example.port_numbers == pytest.approx(-np.cumsum([0.01, 0.01, 0.001]))
    assert example.port_numbers[:2] == example.keras_numbers[:2] and example.port_numbers[2] != example.keras_numbers[2]


def test_a_loop_that_starts_at_one_trains_one_epoch_less():
    example = EXAMPLES["epochs"]
    assert example.keras_numbers == (1, 2, 3) and example.port_numbers == (0, 1, 2)
