"""Convolutions and poolings with Keras's paddings: the values of Keras's own layers."""

import numpy as np
import pytest
import torch
from sample_layers import cases_of
from torch import nn

from keras_like import padding

ROLES = {"kernel": "weight", "bias": "bias"}
KINDS = ("Conv1d", "Conv2d", "MaxPool1d", "MaxPool2d", "AvgPool1d", "AvgPool2d", "Conv3d", "MaxPool3d", "AvgPool3d")


def give(layer, weights):
    """Fills a convolution with Keras's kernel (*window, in, out) and bias."""
    axes = weights["kernel"].ndim - 1
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(np.transpose(weights["kernel"], (axes, axes - 1, *range(axes - 1)))))
        layer.bias.copy_(torch.from_numpy(weights["bias"]))
    return layer


@pytest.mark.parametrize("kind", KINDS)
def test_values_are_kerass(kind, keras_layers):
    count = 0
    for options, x, y, weights in cases_of(kind, keras_layers):
        layer = getattr(padding, f"Keras{kind}")(*((3, 4) if weights else ()), **options)
        given = give(layer, weights) if weights else layer
        output = given(torch.from_numpy(x)).detach().numpy()
        assert output.shape == y.shape and np.allclose(output, y, atol=2e-6), options
        count += 1
    assert count >= 4


def test_half_a_window_on_both_sides_is_another_convolution(keras_layers):
    (_, x, y, weights), *_ = (
        case for case in cases_of("Conv1d", keras_layers)
        if case[0] == {"kernel_size": 3, "stride": 2, "padding": "same"} and case[1].shape[-1] == 8
    )  # fmt: skip
    layer = give(nn.Conv1d(3, 4, 3, stride=2, padding=1), weights)
    output = layer(torch.from_numpy(x)).detach().numpy()
    assert output.shape == y.shape and np.abs(output - y).max() > 0.5


@pytest.mark.parametrize(
    ("window", "sides"),
    [
        ((8, 3, 2), (0, 1)),  # the odd value at the end
        ((7, 3, 2), (1, 1)),
        ((8, 3, 1), (1, 1)),
        ((8, 4, 1), (1, 2)),
        ((9, 3, 1, 2), (2, 2)),
        ((8, 1, 3), (0, 0)),
    ],
)
def test_what_same_pads_by_hand(window, sides):
    assert padding.same_padding(*window) == sides


def test_a_layer_says_its_window():
    assert "kernel_size=(3, 3), stride=(2, 2), padding='same'" in repr(padding.KerasMaxPool2d(3, 2, "same"))


@pytest.mark.parametrize(
    "make",
    [
        lambda: padding.KerasConv1d(3, 4, 3, padding="full"),
        lambda: padding.KerasConv2d(3, 4, 3, padding="causal"),
        lambda: padding.KerasMaxPool1d(3, padding="causal"),
    ],
)
def test_another_padding_is_refused(make):
    with pytest.raises(ValueError, match="is unknown; choose one of valid, same"):
        make()
