"""Weights and layers of a LightningModule by canonical names."""

import numpy as np
import pytest
from torch import nn

from lightning_mlp.model import LitMLP
from mlp_spec.support.errors import UserError
from parity.adapters.torch import tensors as layers


def test_canonical_weights_go_in_and_come_out_transposed():
    model = LitMLP(hidden_sizes=(4,))
    arrays = {name: np.random.default_rng(0).random(a.shape, np.float32) for name, a in layers.weights(model).items()}
    assert arrays["dense_0/kernel"].shape == (784, 4)
    layers.load_weights(model, arrays)
    np.testing.assert_array_equal(model.layers[0].weight.detach().numpy(), arrays["dense_0/kernel"].T)
    for name, array in layers.weights(model).items():
        np.testing.assert_array_equal(array, arrays[name])


def test_weights_of_another_model_are_refused_and_change_nothing():
    model = LitMLP(hidden_sizes=(10,))
    before = layers.weights(model)
    # a square kernel transposed by mistake would fit silently; missing and extra ones must not
    other = layers.weights(LitMLP(hidden_sizes=(10, 10)))
    with pytest.raises(UserError, match="do not fit"):
        layers.load_weights(model, other)
    for name, array in layers.weights(model).items():
        np.testing.assert_array_equal(array, before[name])


def test_the_description_reads_the_modules():
    class Other(LitMLP):
        def __init__(self):
            super().__init__(hidden_sizes=(7, 6))
            self.layers[3] = nn.ReLU()

    described = layers.describe(Other(), 784)
    assert [(layer.inputs, layer.outputs, layer.activation) for layer in described] == [
        (784, 7, "sigmoid"),
        (7, 6, "relu"),
        (6, 10, "softmax"),
    ]
