"""Differences between activations and between layers that draw, by hand."""

import math

import numpy as np
import pytest

from parity.traps.layers.catalogue.activations import DIFFERENCES
from parity.traps.layers.layouts import draw_input

ENTRY = {entry.id: entry for entry in DIFFERENCES}
X = draw_input(6, 4).astype(float)


def test_slopes_by_hand():
    lowest = -X.min()
    assert ENTRY["leaky-relu-layer"].size == pytest.approx((0.3 - 0.01) * lowest, rel=0.05)
    assert ENTRY["leaky-relu-activation"].size == pytest.approx((0.2 - 0.01) * lowest, rel=0.05)
    assert (ENTRY["prelu-start"].largest, ENTRY["prelu-start"].size) == (0, 0.25)


def test_gelu_by_hand():
    exact = np.array([x * (1 + math.erf(x / math.sqrt(2))) / 2 for x in X.ravel()])
    tanh = np.array([x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2 for x in X.ravel()])
    assert ENTRY["gelu"].size == pytest.approx(np.abs(exact - tanh).max(), rel=0.05)


def test_shares_that_are_dropped_by_hand():
    # a channel is 0 in five steps that are dropped each by itself once in 2 ** 5
    assert ENTRY["spatial-dropout"].size == pytest.approx(0.5 - 0.5**5, rel=0.05)
    assert ENTRY["spatial-dropout"].largest == pytest.approx(0.5, rel=0.05)
    assert ENTRY["gaussian-dropout"].size == pytest.approx(0.5, rel=0.05)
    assert ENTRY["gaussian-dropout"].largest == pytest.approx(1, rel=0.05)  # sqrt(.5 / (1 - .5))
