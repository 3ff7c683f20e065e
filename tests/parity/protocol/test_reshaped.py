"""Depthwise kernels and slopes go there and back; their channels are in Keras's order."""

import numpy as np
import pytest

from parity.protocol.reshaped import WithOnes, depthwise, differ_by_ones, slopes
from parity.protocol.tensors import Layout

DRAW = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("layout", "shape", "in_torch"),
    [
        (depthwise, (3, 2, 4, 5), (20, 1, 3, 2)),
        (depthwise, (3, 4, 1), (4, 1, 3)),
        (slopes, (5, 6, 3), (3, 5, 6)),
        (slopes, (1, 1, 3), (3,)),
        (slopes, (1, 6, 3), (3, 1, 6)),
        (slopes, (7,), (7,)),
    ],
)
def test_an_array_goes_there_and_back(layout, shape, in_torch):
    array = DRAW.random(shape).astype(np.float32)
    there = layout(shape).to_torch(array)
    assert there.shape == layout(shape).shape_in_torch(shape) == in_torch and there.flags.c_contiguous
    assert layout(shape).to_keras(there).tobytes() == array.tobytes()
    layout(shape).to_keras(there)[:] = 0
    layout(shape).to_torch(array)[:] = 0
    assert there.any() and array.any()  # copies


@pytest.mark.parametrize(("shape", "in_torch"), [((3, 2), (2, 1, 3)), ((1, 3, 2), (2, 3)), ((3, 2), (1, 2, 3, 1))])
def test_axes_of_length_one_come_and_go(shape, in_torch):
    array = DRAW.random(shape).astype(np.float32)
    turned = Layout((1, 0)) if len(shape) == 2 else Layout((2, 0, 1))
    layout = WithOnes(turned, shape, in_torch)
    there = layout.to_torch(array)
    assert there.shape == layout.shape_in_torch(shape) == in_torch
    assert np.array_equal(there.squeeze(), array.squeeze().T)
    assert layout.to_keras(there).tobytes() == array.tobytes() and layout.to_keras(there).shape == shape


def test_only_axes_of_length_one_may_differ():
    assert differ_by_ones((256,), (1, 1, 256)) and differ_by_ones((1, 2), (2,)) and differ_by_ones((), (1,))
    for other in ((256,), (2, 128), (1, 255), (256, 2)):
        assert not differ_by_ones((256,), other)


def test_the_channels_of_a_multiplier_stand_side_by_side():
    kernel = DRAW.random((3, 4, 2))  # 4 channels, 2 of each
    assert np.array_equal(depthwise(kernel.shape).to_torch(kernel)[5, 0], kernel[:, 2, 1])


def test_slopes_have_channels_first():
    alpha = DRAW.random((2, 3, 4))
    assert slopes(alpha.shape).to_torch(alpha)[3, 1, 2] == alpha[1, 2, 3]
