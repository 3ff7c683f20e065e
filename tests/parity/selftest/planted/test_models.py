"""Planted models: each is what it claims to be, and nothing else about it is."""

import pytest
import torch
from torch import nn

from keras_like.optimizers import KerasAdam
from lightning_mlp.model import LitMLP
from parity.selftest.faults import FAULTS
from parity.selftest.planted import models

NUMBERS = {"input_size": 12, "hidden_sizes": (6, 5), "num_classes": 10}
NAMES = [fault.name for fault in FAULTS if not fault.data]
IMAGES, LABELS = torch.rand(16, 12, generator=torch.Generator().manual_seed(0)), torch.arange(16) % 10


def build(cls, **numbers):
    torch.manual_seed(0)
    return cls(**{**NUMBERS, **numbers})


def loss_of(model):
    return float(model.training_step((IMAGES, LABELS), 0).detach())


@pytest.mark.parametrize("name", NAMES)
def test_a_planted_model_is_a_litmlp_with_the_same_tensors(name):
    model = build(getattr(models, name))
    assert isinstance(model, LitMLP) and type(model) is not LitMLP
    assert [tuple(p.shape) for p in model.parameters()] == [tuple(p.shape) for p in build(LitMLP).parameters()]
    assert models.linear(model) == [layer for layer in model.layers if isinstance(layer, nn.Linear)]


@pytest.mark.parametrize("name", ["TorchInit", "BiasInit", "InitScale", "XavierNormal", "HeUniform"])
def test_other_initial_weights(name):
    ours, theirs = build(LitMLP).state_dict(), build(getattr(models, name)).state_dict()
    assert any(not torch.equal(ours[key], theirs[key]) for key in ours)


LOSSES = ["SoftmaxTwice", "LabelSmoothing", "LossSum", "LossOverClasses", "MeanSquares", "L2Penalty", "HalfTemperature"]


@pytest.mark.parametrize("name", LOSSES)
def test_another_loss_and_the_same_predictions(name):
    sound, faulty = build(LitMLP), build(getattr(models, name))
    assert abs(loss_of(faulty) - loss_of(sound)) > 1e-4
    assert torch.equal(faulty.predict_step(IMAGES), sound.predict_step(IMAGES))


def test_clipped_probabilities_end_at_16():
    faulty = build(models.Clipped)
    with torch.no_grad():
        models.linear(faulty)[-1].bias.copy_(torch.tensor([99.0] + [0.0] * 9))
    # all but the images of class 0: -log 1e-7 = 16.118
    assert loss_of(faulty) == pytest.approx(16.118 * 14 / 16, abs=0.01)


@pytest.mark.parametrize("name", ["Relu", "Bfloat16", "Dropout"])
def test_another_forward_pass(name):
    assert not torch.equal(build(getattr(models, name))(IMAGES), build(LitMLP)(IMAGES))


def test_no_gradient_reaches_a_detached_layer():
    faulty = build(models.Detached)
    faulty.training_step((IMAGES, LABELS), 0).backward()
    assert [layer.weight.grad is None for layer in models.linear(faulty)] == [True, False, False]


OPTIMIZERS = ["RateOff", "RateTenth", "CoupledDecay", "Momentum", "Nesterov", "AdamForSGD"]
ADAMS = ["TorchAdam", "TorchAdamKerasEpsilon", "Epsilon", "Beta2", "Beta1", "Amsgrad", "DecoupledDecay"]


def weights_after(cls, optimizer: str, steps: int = 4):
    """Returns the weights after a few steps of the class's own optimizer, from the same gradients."""
    model = build(cls, optimizer=optimizer, learning_rate=0.01 if optimizer == "sgd" else 0.001)
    own = model.configure_optimizers()
    for step in range(steps):
        for number, parameter in enumerate(model.parameters()):
            parameter.grad = torch.full_like(parameter, 1e-6 if number % 2 else 0.5 - step / 8)
        own.step()
    return torch.cat([parameter.detach().ravel() for parameter in model.parameters()])


@pytest.mark.parametrize(("name", "optimizer"), [(n, "sgd") for n in OPTIMIZERS] + [(n, "adam") for n in ADAMS])
def test_another_optimizer(name, optimizer):
    assert not torch.equal(weights_after(getattr(models, name), optimizer), weights_after(LitMLP, optimizer))
    assert torch.equal(weights_after(LitMLP, optimizer), weights_after(LitMLP, optimizer))


@pytest.mark.parametrize(("name", "epoch", "factor"), [("EpochSchedule", 2, 0.1), ("EpochScheduleSlight", 3, 0.9)])
def test_a_rate_that_changes_between_epochs(name, epoch, factor):
    (optimizer,), (schedule,) = build(getattr(models, name)).configure_optimizers()
    rates = []
    for _ in range(epoch + 1):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates == pytest.approx([0.01] * epoch + [0.01 * factor])


def test_a_rate_that_falls_with_every_step():
    configured = build(models.StepSchedule).configure_optimizers()
    assert configured["lr_scheduler"]["interval"] == "step"


def test_the_sound_adam_is_keras_own():
    assert isinstance(build(LitMLP, optimizer="adam").configure_optimizers(), KerasAdam)
