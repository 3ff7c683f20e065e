"""Curves are compared by their values."""

from parity.protocol.curves import MINUS_ONE, POINTS, are_alike


def test_curves_are_alike_to_rounding():
    assert are_alike(POINTS, [point + 1e-6 for point in POINTS])
    assert not are_alike(POINTS, [point + 4e-4 for point in POINTS])
    assert not are_alike(POINTS, POINTS[1:]) and POINTS[MINUS_ONE] == -1.0
