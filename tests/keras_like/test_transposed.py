"""Transposed convolutions with Keras's padding: the values of Keras's own layers."""

import numpy as np
import pytest
import torch
from sample_layers import cases_of
from torch import nn

from keras_like import transposed
from parity.protocol.tensors import LAYERS


def give(layer, weights):
    """Fills a convolution by the table of layouts."""
    axes = weights["kernel"].ndim - 2
    for role, (name, layout) in LAYERS[f"Conv{axes}DTranspose"][1].items():
        with torch.no_grad():
            getattr(layer, name).copy_(torch.from_numpy(layout.to_torch(weights[role])))
    return layer


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_values_are_kerass(axes, keras_layers):
    seen = []
    for options, x, y, weights in cases_of(f"ConvTranspose{axes}d", keras_layers):
        layer = give(getattr(transposed, f"KerasConvTranspose{axes}d")(3, 4, **options), weights)
        output = layer(torch.from_numpy(x)).detach().numpy()
        assert output.shape == y.shape and np.allclose(output, y, atol=2e-6), options
        seen.append(options)
    assert len(seen) >= (60 if axes == 1 else 2)


def test_torchs_own_padding_of_the_right_length_is_one_place_off(keras_layers):
    (_, x, y, weights), *_ = (
        case for case in cases_of("ConvTranspose1d", keras_layers)
        if case[0] == {"kernel_size": 3, "stride": 2, "padding": "same"}
    )  # fmt: skip
    layer = give(nn.ConvTranspose1d(3, 4, 3, stride=2, padding=1, output_padding=1), weights)
    output = layer(torch.from_numpy(x)).detach().numpy()
    assert output.shape == y.shape and np.abs(output - y).max() > 0.5
    assert np.allclose(output[..., :-1], y[..., 1:], atol=2e-6)


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        ((5, 3, 2, "same"), (10, 0)),  # 11 places, the last is cut
        ((5, 4, 2, "same"), (10, 1)),
        ((5, 5, 2, "same"), (10, 1)),  # 13 places: one from the start, two from the end
        ((5, 2, 3, "same"), (15, 0)),  # 14 places and one that no window reaches
        ((5, 3, 2, "valid"), (11, 0)),
        ((5, 2, 3, "valid"), (15, 0)),
        ((5, 3, 2, "same", 1, 0), (9, 1)),
        ((5, 3, 1, "same", 2), (5, 2)),
    ],
)
def test_lengths_by_hand(window, expected):
    assert transposed.output_length(*window) == expected


def test_a_state_dict_is_torchs():
    ours, theirs = transposed.KerasConvTranspose2d(3, 4, 3, 2, "same"), nn.ConvTranspose2d(3, 4, 3, 2)
    ours.load_state_dict(theirs.state_dict())
    assert isinstance(ours, nn.ConvTranspose2d)


def test_another_padding_is_refused():
    with pytest.raises(ValueError, match="padding 'causal' is unknown; choose one of valid, same"):
        transposed.KerasConvTranspose1d(3, 4, 3, padding="causal")
