"""Rows are the same but for rounding, whatever their order, and each counts once."""

import numpy as np
import pytest

from parity.adapters.torch.by_value import differing, match, projections, rounding

DRAW = np.random.default_rng(0)
X, Y = DRAW.random((300, 6, 5)).astype(np.float32), DRAW.integers(0, 9, 300)


def found(ours: list, theirs: list) -> list[int]:
    """Returns which of our rows each of theirs is."""
    return match(projections(ours), projections(theirs), rounding(ours)).tolist()


def test_rows_are_found_in_any_order_though_they_are_rounded_otherwise():
    order = DRAW.permutation(300)
    rounded = X[order] * np.float32(1 / 3) * np.float32(3)
    assert not np.array_equal(rounded, X[order])
    assert found([X, Y], [rounded, Y[order].astype(np.int32)]) == order.tolist()
    assert found([X, Y], [X[order[:7]], Y[order[:7]]]) == order[:7].tolist()


@pytest.mark.parametrize("part", ["inputs", "targets"])
def test_a_row_with_one_other_value_is_nowhere(part):
    x, y = X.copy(), Y.copy()
    if part == "inputs":
        x[5, 2, 3] += 1e-4
    else:
        y[5] += 1
    assert [number for number, place in enumerate(found([X, Y], [x, y])) if place < 0] == [5]
    assert differing([X, Y], [x, y])[0] == 1 and differing([X, Y], [X, Y]) == (0, 0.0)


def test_rows_that_are_alike_count_as_often_as_they_are_there():
    ours = np.repeat(np.arange(4.0), 50)[:, None]
    assert sorted(found([ours], [ours[::-1]])) == list(range(200))
    assert found([ours], [np.ones((52, 1))]).count(-1) == 2
    assert found([ours[:0]], [ours[:3]]) == [-1] * 3
