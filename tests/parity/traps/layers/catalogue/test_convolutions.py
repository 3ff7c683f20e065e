"""Differences between convolutions, by hand."""

import math

import numpy as np
import pytest

from parity.traps.layers.catalogue.convolutions import DIFFERENCES
from parity.traps.layers.layouts import draw_input, draw_weights, table_of

ENTRY = {entry.id: entry for entry in DIFFERENCES}
ROOT_3 = math.sqrt(3)  # U(-l, l) has the standard deviation l / sqrt(3)


def correlate(x, kernel, before, after, stride=1):
    """Convolves (N, L, inputs) with (k, inputs, outputs) after padding."""
    x = np.pad(x, ((0, 0), (before, after), (0, 0)))
    starts = range(0, x.shape[1] - len(kernel) + 1, stride)
    return np.stack([np.einsum("nli,lio->no", x[:, at : at + len(kernel)], kernel) for at in starts], axis=1)


def test_causal_padding_by_hand():
    x, kernel = draw_input(2, 8, 3), draw_weights(table_of("Conv1D"))["layer/kernel"]
    gap = np.abs(correlate(x, kernel, 2, 0) - correlate(x, kernel, 1, 1)).max()
    assert ENTRY["causal-padding"].size == pytest.approx(gap, rel=0.05)


def test_same_padding_by_hand():
    x, kernel = draw_input(2, 6, 6, 3), draw_weights(table_of("Conv2D"))["layer/kernel"]
    outputs = []
    for before, after in ((0, 1), (1, 1)):
        padded = np.pad(x, ((0, 0), (before, after), (before, after), (0, 0)))
        places = [(row, column) for row in (0, 2, 4) for column in (0, 2, 4)]
        windows = [padded[:, row : row + 3, column : column + 3] for row, column in places]
        outputs.append(np.stack([np.einsum("nhwi,hwio->no", window, kernel) for window in windows]))
    assert ENTRY["same-padding-with-strides"].size == pytest.approx(np.abs(outputs[0] - outputs[1]).max(), rel=0.05)


@pytest.mark.parametrize(
    ("name", "keras", "torchs"),
    [
        ("convolution-start", (32 + 64) * 9, 32 * 9),
        ("transposed-start", (32 + 64) * 9, 64 * 9),
        ("depthwise-start", (64 + 2) * 9, 9),
    ],
)
def test_initial_kernels_by_hand(name, keras, torchs):
    glorot, own = math.sqrt(6 / keras) / ROOT_3, 1 / math.sqrt(torchs) / ROOT_3
    assert ENTRY[name].largest == pytest.approx(glorot, rel=0.05)
    assert ENTRY[name].size == pytest.approx(abs(glorot - own), rel=0.05)


def test_places_that_are_one_off_are_as_far_as_values_are():
    for name in ("transposed-same", "depthwise-channels"):
        assert ENTRY[name].size > ENTRY[name].largest  # nothing is near
