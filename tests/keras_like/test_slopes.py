"""PReLU with a slope for every value: the values of Keras's own layer."""

import numpy as np
import torch
from sample_layers import cases_of
from torch import nn

from keras_like.slopes import KerasPReLU
from parity.protocol.tensors import Tensor


def test_values_are_kerass(keras_layers):
    count = 0
    for options, x, y, weights in cases_of("PReLU", keras_layers):
        *places, channels = options["shape"]
        shared = [1 if options["shared"] and axis in options["shared"] else size for axis, size in enumerate(places, 1)]
        layer, tensor = KerasPReLU((channels, *shared)), Tensor("x/alpha", "PReLU", "alpha", weights["alpha"].shape)
        assert tuple(layer.weight.shape) == tensor.shape_in_torch and not layer.weight.any()
        modules = [layer] + [nn.PReLU(channels)] * (layer.weight.ndim == 1)
        for module in modules:
            with torch.no_grad():
                module.weight.copy_(torch.from_numpy(tensor.layout.to_torch(weights["alpha"])))
                assert np.array_equal(module(torch.from_numpy(x)).numpy(), y), options
        count += len(modules)
    assert count == 7


def test_slopes_start_where_they_are_asked_to():
    assert KerasPReLU(3, 0.25).weight.tolist() == [0.25] * 3
