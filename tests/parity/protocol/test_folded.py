"""Projections onto heads are folded to matrices and back."""

from dataclasses import replace

import numpy as np
import pytest

from parity.protocol.folded import Folded
from parity.protocol.recording import from_document, to_document
from parity.protocol.tensors import BIAS, KERNEL, Tensor


@pytest.mark.parametrize(
    ("shape", "inputs", "in_torch"),
    [((5, 2, 3), 1, (6, 5)), ((2, 3, 5), 2, (5, 6)), ((2, 3), 0, (6,)), ((5, 4), 1, (4, 5)), ((5,), 0, (5,))],
)
def test_an_array_comes_back_as_it_was(shape, inputs, in_torch):
    layout, array = Folded(shape, inputs), np.random.default_rng(0).random(shape)
    turned = layout.to_torch(array)
    assert turned.shape == layout.shape_in_torch(shape) == in_torch
    assert np.array_equal(layout.to_keras(turned), array)
    assert turned.flags.c_contiguous and not np.shares_memory(turned, array)


def test_a_folded_product_is_the_same_product():
    draw = np.random.default_rng(0)
    x, kernel = draw.random((7, 5)), draw.random((5, 2, 3))
    heads = np.einsum("nc,chd->nhd", x, kernel)
    assert np.allclose(x @ Folded(kernel.shape, 1).to_torch(kernel).T, heads.reshape(7, 6))
    back = draw.random((2, 3, 4))
    assert np.allclose(
        heads.reshape(7, 6) @ Folded(back.shape, 2).to_torch(back).T, np.einsum("nhd,hde->ne", heads, back)
    )


def test_a_tensor_knows_its_matrix_and_crosses_between_processes():
    kernel = Tensor("att/query/kernel", "EinsumDense", KERNEL, (5, 2, 3), inputs=1)
    bias = Tensor("att/query/bias", "EinsumDense", BIAS, (2, 3))
    dense = Tensor("dense/kernel", "Dense", KERNEL, (5, 6))
    # what the port looks like says nothing of Keras's law
    assert replace(kernel, torch_name="w", axes=(1, 2, 0)).drawn_shape == (5, 6)
    assert [t.drawn_shape for t in (kernel, bias, dense)] == [(5, 6), (6,), (5, 6)]
    assert [t.shape_in_torch for t in (kernel, bias, dense)] == [(6, 5), (6,), (6, 5)]
    assert from_document(list[Tensor], to_document([kernel, bias], {}), {}) == [kernel, bias]
