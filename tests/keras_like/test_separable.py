"""Separable convolutions: the values of Keras's own layers, and the law that their weights start from."""

import math

import numpy as np
import pytest
import torch
from sample_layers import cases_of

from keras_like import separable
from parity.protocol.tensors import Tensor, parts_in_torch


def give(layer, weights, kind):
    """Fills a separable convolution by the table of layouts."""
    tensors = [Tensor(f"x/{role}", kind, role, array.shape) for role, array in weights.items()]
    for part, module in zip(parts_in_torch(tensors), (layer.depthwise, layer.pointwise), strict=True):
        for tensor in part:
            name = "bias" if tensor.role == "bias" else "weight"
            with torch.no_grad():
                getattr(module, name).copy_(torch.from_numpy(tensor.layout.to_torch(weights[tensor.role])))
    return layer


@pytest.mark.parametrize("axes", [1, 2])
def test_values_are_kerass(axes, keras_layers):
    count = 0
    for options, x, y, weights in cases_of(f"SeparableConv{axes}d", keras_layers):
        layer = getattr(separable, f"KerasSeparableConv{axes}d")(3, 4, **options)
        output = give(layer, weights, f"SeparableConv{axes}D")(torch.from_numpy(x)).detach().numpy()
        assert output.shape == y.shape and np.allclose(output, y, atol=2e-6), options
        count += 1
    assert count == 2


def test_weights_start_from_kerass_law():
    torch.manual_seed(0)
    layer = separable.KerasSeparableConv2d(40, 50, 3, depth_multiplier=2)
    # Keras: all channels in, the multiplier out; 3 x 3 places
    limits = math.sqrt(6 / (9 * 40 + 9 * 2)), math.sqrt(6 / (80 + 50))
    for part, limit in zip((layer.depthwise, layer.pointwise), limits, strict=True):
        assert 0.99 * limit < part.weight.abs().max() <= limit * (1 + 1e-6)
    assert layer.depthwise.bias is None and not layer.pointwise.bias.any()
    assert separable.KerasSeparableConv1d(3, 4, 3, bias=False).pointwise.bias is None
