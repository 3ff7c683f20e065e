"""Differences between dense layers and embeddings, by hand."""

import math

import numpy as np
import pytest

from parity.traps.layers.catalogue.dense import DIFFERENCES
from parity.traps.layers.layouts import draw_input, draw_weights, table_of

ENTRY = {entry.id: entry for entry in DIFFERENCES}
ROOT_3 = math.sqrt(3)  # U(-l, l) has the standard deviation l / sqrt(3)


def test_a_square_kernel_by_hand():
    kernel = draw_weights(table_of("Dense", {"inputs": 4}))["layer/kernel"]
    gap = np.abs(draw_input(6, 4) @ (kernel - kernel.T)).max()
    assert ENTRY["dense-transposed"].size == pytest.approx(gap, rel=0.05)


def test_initial_kernels_by_hand():
    glorot, torchs = math.sqrt(6 / (128 + 64)) / ROOT_3, 1 / math.sqrt(128) / ROOT_3
    assert ENTRY["dense-start"].largest == pytest.approx(glorot, rel=0.05)
    assert ENTRY["dense-start"].size == pytest.approx(glorot - torchs, rel=0.05)
    assert ENTRY["dense-bias-start"].largest == 0
    assert ENTRY["dense-bias-start"].size == pytest.approx(torchs, rel=0.2)  # of 64 biases alone


def test_initial_embeddings_by_hand():
    assert ENTRY["embedding-start"].largest == pytest.approx(0.05 / ROOT_3, rel=0.05)
    assert ENTRY["embedding-start"].size == pytest.approx(1 - 0.05 / ROOT_3, rel=0.05)


def test_a_word_that_occurs_eight_times_by_hand():
    # m / sqrt(v) is 8 g / sqrt(8 g^2) in place of 8 g / sqrt((8 g)^2)
    assert ENTRY["embedding-sparse-adam"].largest == pytest.approx(math.sqrt(8) * 0.001, rel=0.05)
    assert ENTRY["embedding-sparse-adam"].size == pytest.approx((math.sqrt(8) - 1) * 0.001, rel=0.05)
