"""Layouts turn arrays over and back; a table names what both models have; arrays that do not fit are refused."""

import numpy as np
import pytest

from mlp_spec.support.errors import UserError
from parity.protocol.recording import from_document, to_document
from parity.protocol.tensors import (
    BIAS,
    KERNEL,
    LAYERS,
    Layout,
    Tensor,
    check_fit,
    dense_table,
    layers_of,
    parts_in_torch,
)

DRAW = np.random.default_rng(0)
AXES = [(0,), (1, 0), (0, 1), (3, 2, 0, 1), (2, 0, 1), (1, 2, 3, 0)]
TABLE = dense_table([(784, 25), (25, 10)])


@pytest.mark.parametrize("axes", AXES)
def test_an_array_goes_there_and_back(axes):
    layout = Layout(axes)
    for _ in range(20):
        array = DRAW.random(tuple(DRAW.integers(1, 6, len(axes)))).astype(np.float32)
        there = layout.to_torch(array)
        assert there.shape == layout.shape_in_torch(array.shape) and there.flags.c_contiguous
        assert layout.to_keras(there).tobytes() == array.tobytes()
        back = layout.to_keras(array)
        assert layout.to_torch(back).tobytes() == array.tobytes()


@pytest.mark.parametrize("flattened", [(2, 3, 4), (3, 3, 3), (5, 2), (2, 2, 2, 3)])
def test_a_kernel_behind_flatten_goes_there_and_back(flattened):
    rows = int(np.prod(flattened))
    tensor = Tensor("dense/kernel", "Dense", KERNEL, (rows, 7), flattened=flattened)
    kernel = DRAW.random((rows, 7)).astype(np.float32)
    there = tensor.layout.to_torch(kernel)
    assert there.shape == tensor.shape_in_torch == (7, rows) and there.flags.c_contiguous
    assert tensor.layout.to_keras(there).tobytes() == kernel.tobytes()
    # the same product, of (N, H, W, C) flattened and of (N, C, H, W) flattened
    x = DRAW.random((2, *flattened)).astype(np.float32)
    turned = np.moveaxis(x, -1, 1)
    assert np.allclose(x.reshape(2, rows) @ kernel, turned.reshape(2, rows) @ there.T, rtol=1e-5)
    assert not np.allclose(x.reshape(2, rows) @ kernel, turned.reshape(2, rows) @ kernel, rtol=1e-5)


def test_what_is_turned_over_is_a_copy():
    array = np.zeros((2, 2), np.float32)
    for layout in (Layout((0, 1)), Layout((1, 0)), Layout((1, 0), (2,))):
        layout.to_torch(array)[:] = 1
        layout.to_keras(array)[:] = 1
    assert not array.any()


def test_a_square_kernel_is_transposed_and_not_left_alone():
    kernel = DRAW.random((7, 7))
    layout = Tensor("dense/kernel", "Dense", KERNEL, (7, 7)).layout
    assert np.array_equal(layout.to_torch(kernel), kernel.T) and not np.array_equal(layout.to_torch(kernel), kernel)


def test_a_convolution_goes_from_height_width_in_out_to_out_in_height_width():
    array = DRAW.random((3, 5, 2, 4))
    assert Layout((3, 2, 0, 1)).to_torch(array)[1, 0, 2, 4] == array[2, 4, 0, 1]


@pytest.mark.parametrize("wrong", [(0, 1, 2), (0, 2, 1), (2, 1, 0), (1, 0, 2), (1, 2, 0)])
def test_a_wrong_order_of_axes_is_caught(wrong):
    array = DRAW.random((4, 4, 4))  # a cube: shapes say nothing
    assert not np.array_equal(Layout(wrong).to_torch(array), Layout((2, 0, 1)).to_torch(array))
    if wrong != (1, 2, 0):  # its own inverse
        assert not np.array_equal(Layout(wrong).to_keras(Layout((2, 0, 1)).to_torch(array)), array)


def test_a_layout_with_too_few_axes_is_refused():
    with pytest.raises(ValueError, match="axes don't match array"):
        Layout((1, 0)).to_torch(np.zeros((2, 3, 4)))


def test_dense_layers_have_the_paths_of_keras():
    assert [(tensor.path, tensor.role, tensor.shape) for tensor in TABLE] == [
        ("dense/kernel", KERNEL, (784, 25)),
        ("dense/bias", BIAS, (25,)),
        ("dense_1/kernel", KERNEL, (25, 10)),
        ("dense_1/bias", BIAS, (10,)),
    ]
    assert all(tensor.trained and tensor.torch_name is None for tensor in TABLE)
    assert [tensor.shape_in_torch for tensor in TABLE] == [(25, 784), (25,), (10, 25), (10,)]


def test_every_kind_of_layer_has_a_layout_for_each_of_its_tensors():
    for kind, (torch_kinds, tensors) in LAYERS.items():
        assert kind and all(torch_kinds) and tensors and isinstance(torch_kinds, tuple)
        for role, (name, layout) in tensors.items():
            axes = (layout((2, 3, 4, 5)) if callable(layout) else layout).axes
            assert role and name and sorted(axes) == list(range(len(axes)))


def test_tensors_are_grouped_by_layer_in_their_order():
    assert [[tensor.role for tensor in layer] for layer in layers_of(TABLE)] == [[KERNEL, BIAS]] * 2
    assert [layer[0].path for layer in layers_of(TABLE)] == ["dense/kernel", "dense_1/kernel"]


def test_a_separable_convolution_is_two_layers_in_torch():
    roles = ("depthwise_kernel", "pointwise_kernel", "bias")
    layer = [Tensor(f"x/{role}", "SeparableConv1D", role, (3, 2, 4)) for role in roles]
    assert [[tensor.role for tensor in part] for part in parts_in_torch(layer)] == [[roles[0]], [*roles[1:]]]
    assert parts_in_torch(TABLE[:2]) == [TABLE[:2]] and all(tensor.is_kernel for tensor in layer[:2])


def test_a_table_crosses_between_processes():
    bound = [*TABLE, Tensor("a/b/kernel", "Dense", KERNEL, (2, 2), False, "layers.0.weight")]
    assert from_document(list[Tensor], to_document(bound, {}), {}) == bound


def test_arrays_that_fit_are_taken():
    check_fit(TABLE, {tensor.path: np.zeros(tensor.shape) for tensor in TABLE})


@pytest.mark.parametrize(
    "change",
    [
        lambda arrays: arrays.pop("dense/bias"),
        lambda arrays: arrays.update({"dense_2/bias": np.zeros(3)}),
        lambda arrays: arrays.update({"dense/kernel": np.zeros((25, 784))}),
        lambda arrays: arrays.update({"dense/bias": np.zeros((1, 25))}),
    ],
)
def test_arrays_of_other_paths_or_shapes_are_refused_with_both_tables(change):
    arrays = {tensor.path: np.zeros(tensor.shape) for tensor in TABLE}
    change(arrays)
    with pytest.raises(UserError, match="the weights do not fit the model") as caught:
        check_fit(TABLE, arrays)
    assert "it has {'dense/kernel': (784, 25)" in str(caught.value) and "got {" in str(caught.value)
