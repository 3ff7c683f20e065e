"""Batch norm as Keras computes it: outputs and statistics of Keras's own layer, step by step, and in evaluation."""

import numpy as np
import pytest
import torch
from sample_layers import channels_first
from torch import nn

from keras_like import normalization

SHAPES = {2: "1d", 3: "1d", 4: "2d", 5: "3d"}


def trained(layer, recorded, axes):
    """Puts the recorded batches through a layer in training; returns outputs, and the statistics after each."""
    outputs, statistics = [], []
    for step in range(3):
        x = torch.from_numpy(channels_first(recorded[f"norm-{axes}/{step}/x"]))
        outputs.append(layer(x).detach().numpy())
        statistics.append((layer.running_mean.numpy().copy(), layer.running_var.numpy().copy()))
    return outputs, statistics


@pytest.mark.parametrize("axes", SHAPES)
def test_outputs_and_statistics_are_kerass(axes, keras_layers):
    layer = getattr(normalization, f"KerasBatchNorm{SHAPES[axes]}")(3)
    outputs, statistics = trained(layer, keras_layers, axes)
    for step in range(3):
        name = f"norm-{axes}/{step}"
        assert np.allclose(outputs[step], channels_first(keras_layers[f"{name}/y"]), atol=2e-6)
        assert np.allclose(statistics[step][0], keras_layers[f"{name}/moving_mean"], rtol=1e-6, atol=1e-7)
        assert np.allclose(statistics[step][1], keras_layers[f"{name}/moving_variance"], rtol=1e-6)
    x = torch.from_numpy(channels_first(keras_layers[f"norm-{axes}/2/x"]))
    evaluated = layer.eval()(x).detach().numpy()
    assert np.allclose(evaluated, channels_first(keras_layers[f"norm-{axes}/evaluated"]), atol=2e-6)
    assert layer.num_batches_tracked == 3


def test_torchs_own_with_the_same_numbers_keeps_another_variance(keras_layers):
    layer = nn.BatchNorm1d(3, eps=1e-3, momentum=0.01)
    outputs, statistics = trained(layer, keras_layers, 2)
    assert np.allclose(outputs[2], keras_layers["norm-2/2/y"], atol=2e-6)  # nothing shows in training
    gap = np.abs(statistics[2][1] - keras_layers["norm-2/2/moving_variance"]).max()
    assert gap > 1e-2  # N = 6: a fifth of each variance, a hundredth of it a step


def test_a_state_dict_is_torchs():
    ours, theirs = normalization.KerasBatchNorm2d(4), nn.BatchNorm2d(4)
    ours.load_state_dict(theirs.state_dict())
    assert isinstance(ours, nn.BatchNorm2d) and (ours.eps, ours.momentum) == (1e-3, 0.01)


def test_gradients_are_torchs():
    torch.manual_seed(0)
    layers = normalization.KerasBatchNorm1d(3), nn.BatchNorm1d(3, eps=1e-3)
    x = torch.randn(8, 3)
    inputs = [x.clone().requires_grad_() for _ in layers]
    for layer, value in zip(layers, inputs, strict=True):
        (layer(value) ** 3).sum().backward()
    assert torch.allclose(inputs[0].grad, inputs[1].grad, atol=1e-6)
    assert torch.allclose(layers[0].weight.grad, layers[1].weight.grad)


def off_in_float32(kind, x):
    """Returns how far the gradient of a bias before a batch norm is off in float32."""
    gradients = []
    for dtype in (torch.float32, torch.float64):
        torch.manual_seed(0)
        target, bias = torch.randn(x.shape, dtype=torch.float64).to(dtype), torch.zeros(x.shape[1], dtype=dtype)
        bias.requires_grad_()
        y = kind(x.shape[1], eps=1e-3).to(dtype)(nn.functional.softplus(x.to(dtype) + bias))
        ((y - target) ** 2).mean().backward()
        gradients.append(bias.grad)
    return (gradients[0] - gradients[1]).abs().max().item()


def test_a_bias_before_it_has_a_gradient_as_precise_as_kerass():
    torch.manual_seed(1)
    x = torch.randn(32, 24) / 4 + 3  # far from 0, as behind softplus
    ours, torchs = (off_in_float32(kind, x) for kind in (normalization.KerasBatchNorm1d, nn.BatchNorm1d))
    assert ours < torchs / 4, (ours, torchs)


def test_another_number_of_axes_is_refused():
    with pytest.raises(ValueError, match="expected 4D input"):
        normalization.KerasBatchNorm2d(3)(torch.zeros(2, 3))


def test_without_statistics_it_normalises_by_the_batch():
    layer = normalization.KerasBatchNorm1d(3, track_running_stats=False).eval()
    assert layer(torch.tensor([[1.0, 2, 3], [3, 4, 5]])).abs().max() < 1.001


def test_channels_last_memory_is_summed_as_precisely():
    torch.manual_seed(0)
    rows = torch.randn(32, 8, 8, 4)
    rows[::2] = torch.tensor([0.3, -0.2, 0.1, 0.7])  # half of the images are empty
    layer, x = normalization.KerasBatchNorm2d(4), rows.movedim(-1, 1)
    exact = normalization.KerasBatchNorm2d(4).double()(x.double())
    gap = (layer(x) - exact).abs().max().item()
    assert gap < 1e-6  # 1.2e-5 where torch.nn normalises the same memory
