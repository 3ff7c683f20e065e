"""Layouts in words: read off what the table of layouts does, for every kind that it has."""

import numpy as np
import pytest

from parity.protocol.tensors import FOLDED, LAYERS, Tensor
from parity.traps.layers import layouts
from parity.traps.layers.layouts import AXES, PARTS, describe_in_torch, draw_input, draw_weights, gates_of, table_of


def test_every_kind_of_the_table_of_layouts_is_described_with_all_its_tensors():
    described = {PARTS.get(kind, kind).partition(",")[0] for kind in AXES}
    assert described == set(LAYERS)
    for kind, axes in AXES.items():
        own = PARTS.get(kind, kind).partition(",")[0]
        assert {path.rpartition("/")[2] for path in axes} == LAYERS[own][1].keys(), kind


def test_a_table_has_the_shapes_of_keras():
    assert [tensor.shape for tensor in table_of("Conv2D")] == [(3, 3, 3, 4), (4,)]
    assert [tensor.shape for tensor in table_of("LSTM", {"units": 5})] == [(3, 20), (5, 20), (20,)]
    assert [(tensor.kind, tensor.inputs) for tensor in table_of("MultiHeadAttention")][::6] == [
        (FOLDED, 1),
        (FOLDED, 2),
    ]
    assert [tensor.trained for tensor in table_of("BatchNormalization")] == [True, True, False, False]
    assert table_of("Dense, behind Flatten")[0].flattened == (3, 3, 4)
    assert table_of("Flatten") == []


@pytest.mark.parametrize(
    ("kind", "path", "described"),
    [
        ("Dense", "kernel", "(outputs, inputs)"),
        ("Dense", "bias", "(outputs,)"),
        ("Dense, behind Flatten", "kernel", "(outputs, channels*height*width)"),
        ("Conv3D", "kernel", "(outputs, inputs, depth, height, width)"),
        ("Conv2DTranspose", "kernel", "(inputs, outputs, height, width)"),
        ("DepthwiseConv2D", "kernel", "(inputs*multiplier, 1, height, width)"),
        ("SeparableConv1D", "pointwise_kernel", "(outputs, inputs*multiplier, 1)"),
        ("SimpleRNN", "recurrent_kernel", "(units, units)"),
        ("GRU", "recurrent_kernel", "(3*units, units)"),
        ("GRU", "bias", "(2, 3*units)"),
        ("PReLU", "alpha", "(channels, height, width)"),
        ("PReLU, shared_axes=[1, 2]", "alpha", "(channels,)"),
        ("MultiHeadAttention", "query/kernel", "(heads*size, inputs)"),
        ("MultiHeadAttention", "attention_output/kernel", "(inputs, heads*size)"),
    ],
)
def test_a_layout_is_described(kind, path, described):
    (tensor,) = [one for one in table_of(kind) if one.path == f"layer/{path}"]
    assert describe_in_torch(tensor, AXES[kind][path]) == described


def test_another_order_of_merged_axes_is_seen():
    tensor = Tensor("layer/kernel", "Dense", "kernel", (36, 4), flattened=(3, 3, 4))
    assert describe_in_torch(tensor, "height*width*channels outputs") == "(outputs, channels*height*width)"
    plain = Tensor("layer/kernel", "Dense", "kernel", (36, 4))
    assert describe_in_torch(plain, "height*width*channels outputs") == "(outputs, height*width*channels)"


def test_gates_are_in_keras_letters():
    assert gates_of(table_of("GRU")[0]) == ("z, r, h", "r, z, h")
    assert gates_of(table_of("LSTM")[2]) == ("i, f, c, o", "i, f, c, o")
    assert gates_of(table_of("Dense")[0]) == ("", "")


def test_weights_and_inputs_are_the_same_in_every_process():
    table = table_of("BatchNormalization")
    once, again = draw_weights(table), draw_weights(table)
    assert all(np.array_equal(once[path], again[path]) and once[path].dtype == "f4" for path in once)
    assert once["layer/moving_variance"].min() >= 0.5 and once["layer/beta"].max() < 0.5
    assert np.array_equal(draw_input(2, 3), draw_input(2, 3)) and draw_input(2, 3).dtype == "f4"


def test_sizes_are_products():
    assert layouts.size_of("4*units", {"units": 3}) == 12 and layouts.size_of("2", {}) == 2
