"""Differences between normalisations, by hand."""

import numpy as np
import pytest

from parity.traps.layers.catalogue.normalizations import DIFFERENCES
from parity.traps.layers.layouts import draw_input, draw_weights, table_of

ENTRY = {entry.id: entry for entry in DIFFERENCES}
WEIGHTS = {path.partition("/")[2]: array for path, array in draw_weights(table_of("BatchNormalization")).items()}
X = draw_input(6, 4).astype(float)


def normal(x, axis, eps, mean=None, variance=None):
    """Returns gamma (x - mean) / sqrt(variance + eps) + beta."""
    mean = x.mean(axis, keepdims=True) if mean is None else mean
    variance = x.var(axis, keepdims=True) if variance is None else variance
    return WEIGHTS["gamma"] * (x - mean) / np.sqrt(variance + eps) + WEIGHTS["beta"]


def test_epsilons_by_hand():
    moving = (WEIGHTS["moving_mean"], WEIGHTS["moving_variance"])
    gap = abs(normal(X, 0, 1e-3, *moving) - normal(X, 0, 1e-5, *moving)).max()
    assert ENTRY["batch-norm-epsilon"].size == pytest.approx(gap, rel=0.05)
    gap = abs(normal(0.05 * X, 1, 1e-3) - normal(0.05 * X, 1, 1e-5)).max()
    assert ENTRY["layer-norm-epsilon"].size == pytest.approx(gap, rel=0.05)


def test_statistics_by_hand():
    # .01 and .1 of the way to the batch's mean
    gap = 0.09 * abs(X.mean(0) - WEIGHTS["moving_mean"]).max()
    assert ENTRY["batch-norm-momentum"].size == pytest.approx(gap, rel=0.05)
    # of N = 6, N / (N - 1) - 1 = 1 / 5
    assert ENTRY["batch-norm-variance"].size == pytest.approx(0.01 * X.var(0).max() / 5, rel=0.05)


def test_frozen_statistics_by_hand():
    moving = (WEIGHTS["moving_mean"], WEIGHTS["moving_variance"])
    gap = abs(normal(X, 0, 1e-3, *moving) - normal(X, 0, 1e-3)).max()
    assert ENTRY["batch-norm-frozen"].size == pytest.approx(gap, rel=0.05)


def test_the_unbiased_deviation_is_larger():
    whole = abs((X - X.mean(0)) / X.std(0)).max()
    entry = ENTRY["normalization-variance"]
    assert entry.largest == pytest.approx(whole, rel=0.05)
    assert entry.size == pytest.approx(whole * (1 - np.sqrt(5 / 6)), rel=0.05)
