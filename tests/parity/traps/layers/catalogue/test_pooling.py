"""Differences between poolings, padding, resizing and flattening, by hand."""

import numpy as np
import pytest

from parity.traps.layers.catalogue.pooling import DIFFERENCES
from parity.traps.layers.layouts import draw_input

ENTRY = {entry.id: entry for entry in DIFFERENCES}


def test_the_order_of_what_is_flattened_by_hand():
    x = draw_input(2, 4, 4, 3)
    gap = np.abs(x.reshape(2, -1) - np.moveaxis(x, -1, 1).reshape(2, -1)).max()
    assert ENTRY["flatten-order"].size == pytest.approx(gap, rel=0.05)


def test_the_order_of_paddings_by_hand():
    x = draw_input(2, 4, 4, 3)
    keras, port = (np.pad(x, ((0, 0), *sides, (0, 0))) for sides in (((1, 0), (0, 1)), ((0, 1), (1, 0))))
    assert ENTRY["zero-padding-order"].size == pytest.approx(np.abs(keras - port).max(), rel=0.05)


def test_a_mean_that_counts_zeros_by_hand():
    # at a corner, the mean of four values counts as that of nine
    x = draw_input(2, 6, 6, 3)
    sums = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    sums = np.stack([sums[:, row : row + 3, column : column + 3].sum((1, 2)) for row, column in np.ndindex(6, 6)])
    counts = np.array([(3 - (row in (0, 5))) * (3 - (column in (0, 5))) for row, column in np.ndindex(6, 6)])
    gap = np.abs(sums * (1 / counts - 1 / 9)[:, None, None]).max()
    assert ENTRY["average-pooling-same"].size == pytest.approx(gap, rel=0.05)


def test_windows_that_are_one_off_by_hand():
    x = draw_input(2, 6, 6, 3)
    pooled = []
    for before, after in ((0, 1), (1, 1)):
        padded = np.pad(x, ((0, 0), (before, after), (before, after), (0, 0)), constant_values=-np.inf)
        places = [(2 * row, 2 * column) for row, column in np.ndindex(3, 3)]
        pooled.append(np.stack([padded[:, row : row + 3, column : column + 3].max((1, 2)) for row, column in places]))
    assert ENTRY["max-pooling-same"].size == pytest.approx(np.abs(pooled[0] - pooled[1]).max(), rel=0.05)


def test_nothing_but_bicubic_resizing_lacks_a_remedy():
    assert [entry.id for entry in DIFFERENCES if not entry.right] == ["resizing-bicubic"]
