"""Further kinds of layers: the sizes that come out, worked out by hand."""

import pytest

from parity.selftest.honest.further import FURTHER, KINDS
from parity.selftest.honest.layers import KINDS as FIRST
from parity.selftest.honest.layers import Draw


@pytest.mark.parametrize(
    ("kind", "shape", "drawn", "expected"),
    [
        ("Conv2DTranspose", (5, 4, 2), {"padding": "same", "kernel": 3, "stride": 2, "filters": 6}, (10, 8, 6)),
        ("Conv2DTranspose", (5, 4, 2), {"padding": "valid", "kernel": 3, "stride": 2, "filters": 6}, (11, 9, 6)),
        ("Conv1DTranspose", (5, 2), {"padding": "valid", "kernel": 2, "stride": 3, "filters": 6}, (15, 6)),
        ("UpSampling3D", (5, 4, 3, 2), {"times": 2}, (10, 8, 6, 2)),
        ("Cropping1D", (5, 2), {"before0": 1, "after0": 0}, (4, 2)),
        ("PReLU", (5, 2), {}, (5, 2)),
    ],
)
def test_shapes_by_hand(kind, shape, drawn, expected):
    assert FURTHER[kind].shape(shape, drawn) == expected


def test_no_kind_is_drawn_in_two_ways():
    assert len(KINDS) == len(FURTHER) + len(FIRST)


def test_a_depthwise_kernel_has_more_than_one_channel():
    options = [FURTHER["DepthwiseConv1D"].options(Draw(seed), (9, 4)) for seed in range(20)]
    assert all(one["made"] == one["filters"] == 4 * one["multiplier"] for one in options if one)
    assert FURTHER["SeparableConv1D"].options(Draw(0), (9, 1)) is None


def test_slopes_are_shared_by_places_or_not():
    drawn = [FURTHER["PReLU"].options(Draw(seed), (5, 6, 3)) for seed in range(30)]
    assert {"module": "nn.PReLU(3, init=0.0)", "shared": "shared_axes=[1, 2]"} in drawn
    assert {"module": "KerasPReLU((3, 5, 6))", "shared": ""} in drawn
