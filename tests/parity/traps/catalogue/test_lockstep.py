"""Traps in what changes from epoch to epoch, by hand."""

import numpy as np
import pytest

from parity.traps.catalogue.lockstep import TRAPS

EXAMPLES = {trap.id: trap.example for trap in TRAPS}


def test_a_rate_that_falls_shortens_the_steps_after_it_and_no_others():
    example = EXAMPLES["schedule-epoch"]
    assert example.keras == pytest.approx(-np.cumsum([0.01, 0.01, 0.01]))
    assert example.port == pytest.approx(-np.cumsum([0.01, 0.01, 0.001]))
    assert example.port[:2] == example.keras[:2] and example.port[2] != example.keras[2]


def test_a_loop_that_starts_at_one_trains_one_epoch_less():
    example = EXAMPLES["epochs"]
    assert example.keras == (1, 2, 3) and example.port == (0, 1, 2)
