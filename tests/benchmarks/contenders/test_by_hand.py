"""The network by hand: gradients and steps are PyTorch's, and training learns what the preset learns."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from benchmarks.contenders.by_hand import MLP, scale
from keras_like.optimizers import KerasAdam
from mlp_spec.experiment import PRESETS, ModelSpec


@pytest.mark.parametrize("preset", ["small", "bigger"])
def test_it_takes_pytorchs_steps(preset):
    experiment = replace(PRESETS[preset], model=ModelSpec((6, 5), PRESETS[preset].model.activation))
    model = MLP(experiment, np.random.default_rng(0))
    layers = []
    for weight, bias in zip(model.weights, model.biases, strict=True):
        layer = torch.nn.Linear(*weight.shape)
        layer.weight.data, layer.bias.data = torch.tensor(weight.T.copy()), torch.tensor(bias.copy())
        layers += [layer, torch.nn.Sigmoid() if model.sigmoid else torch.nn.Tanh()]
    other = torch.nn.Sequential(*layers[:-1])
    kind = KerasAdam if preset == "bigger" else torch.optim.SGD
    optimizer = kind(other.parameters(), experiment.training.optimizer.learning_rate)
    random = np.random.default_rng(1)
    for _ in range(5):
        x, y = random.random((8, 784), np.float32), random.integers(10, size=8)
        loss = F.cross_entropy(other(torch.tensor(x)), torch.tensor(y), reduction="sum")
        correct = (other(torch.tensor(x)).argmax(dim=1) == torch.tensor(y)).sum()
        assert model.train(x, y) == (pytest.approx(loss.item(), rel=1e-5), correct.item())
        optimizer.zero_grad()
        (loss / 8).backward()
        optimizer.step()
    for ours, theirs in zip(model.weights, other[::2], strict=True):
        np.testing.assert_allclose(ours.T, theirs.weight.detach().numpy(), atol=2e-5)
    with pytest.raises(AssertionError):  # the comparison sees a step that is missing
        np.testing.assert_allclose(MLP(experiment, np.random.default_rng(0)).weights[-1], model.weights[-1], atol=2e-5)


def test_images_are_flattened_and_divided():
    scaled = scale(np.full((2, 28, 28), 51, np.uint8))
    assert (
        scaled.shape == (2, 784) and scaled.dtype == np.float32 and (scaled == np.float32(51) / np.float32(255)).all()
    )


@pytest.mark.parametrize("preset", ["small", "bigger"])
def test_it_learns_what_the_preset_learns(preset, assert_learns_like_ours):
    assert_learns_like_ours("by-hand", preset)
