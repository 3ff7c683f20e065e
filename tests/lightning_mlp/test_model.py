"""LitMLP: start, forward, prediction, loss, checkpoints, and what it refuses."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from keras_like.optimizers import KerasAdam
from lightning_mlp import train
from lightning_mlp.model import EpochMean, LitMLP
from mlp_spec.experiment import PRESETS

IMAGES = torch.rand(5, 784, generator=torch.Generator().manual_seed(1))


def linear_layers(model):
    return [layer for layer in model.layers if isinstance(layer, nn.Linear)]


@pytest.mark.parametrize(("preset", "counts"), [("small", [19_625, 260]), ("bigger", [78_500, 7_575, 1_900, 260])])
def test_parameters_are_the_labs(preset, counts):
    model = train.build(PRESETS[preset])
    assert [layer.weight.numel() + layer.bias.numel() for layer in linear_layers(model)] == counts
    assert sum(parameter.numel() for parameter in model.parameters()) == sum(counts)


@pytest.mark.parametrize("preset", PRESETS)
def test_the_initialisation_is_complete_and_keras_like(preset):
    for layer in linear_layers(train.build(PRESETS[preset])):
        # limit = sqrt(6 / (fan_in + fan_out)); PyTorch's own would be 1 / sqrt(fan_in)
        limit = (6 / (layer.in_features + layer.out_features)) ** 0.5
        largest = layer.weight.abs().max().item()
        assert 0.9 * limit < largest <= limit * (1 + 1e-6)
        assert layer.weight.var().item() == pytest.approx(limit**2 / 3, rel=0.15)
        assert torch.count_nonzero(layer.bias) == 0


def test_forward_gives_logits_and_predict_step_probabilities():
    model = LitMLP(hidden_sizes=(3,), activation="tanh")
    logits = model(IMAGES)
    first, last = model.layers[0], model.layers[2]
    by_hand = torch.tanh(IMAGES @ first.weight.T + first.bias) @ last.weight.T + last.bias
    torch.testing.assert_close(logits, by_hand)
    probabilities = model.predict_step((IMAGES, torch.zeros(5, dtype=torch.int64)), 0)
    torch.testing.assert_close(probabilities, F.softmax(by_hand, dim=1))
    torch.testing.assert_close(model.predict_step(IMAGES), probabilities)
    assert not torch.allclose(logits.sum(dim=1), torch.ones(5))


def test_the_training_step_returns_the_cross_entropy_once():
    model = LitMLP()
    labels = torch.tensor([5, 0, 4, 1, 9])
    # loss = -mean(log softmax(logits)[label])
    by_hand = -torch.log(model(IMAGES).softmax(dim=1))[range(5), labels].mean()
    torch.testing.assert_close(model.training_step((IMAGES, labels), 0), by_hand)


def test_the_optimizer_is_what_its_name_says():
    assert type(LitMLP(optimizer="sgd").configure_optimizers()) is torch.optim.SGD
    assert type(LitMLP(optimizer="torch-adam").configure_optimizers()) is torch.optim.Adam
    adam = LitMLP(optimizer="adam", learning_rate=0.002, beta_1=0.8, beta_2=0.99, epsilon=1e-6).configure_optimizers()
    assert type(adam) is KerasAdam
    group = adam.param_groups[0]
    assert (group["lr"], group["betas"], group["eps"]) == (0.002, (0.8, 0.99), 1e-6)
    sgd = LitMLP(learning_rate=0.5, momentum=0.9, nesterov=True).configure_optimizers().param_groups[0]
    assert (sgd["lr"], sgd["momentum"], sgd["nesterov"]) == (0.5, 0.9, True)


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="relu, sigmoid, tanh"):
        LitMLP(activation="swish")
    with pytest.raises(ValueError, match="sgd, adam, adamw, rmsprop, torch-adam"):
        LitMLP(optimizer="lion").configure_optimizers()


def test_the_checkpoint_loads_again_safely(lightning_run):
    model = LitMLP.load_from_checkpoint(lightning_run / "checkpoint.ckpt", weights_only=True)
    assert dict(model.hparams) == dict(train.build(PRESETS["small"]).hparams)
    assert model.predict_step(IMAGES).shape == (5, 10)


def test_the_mean_weights_batches_by_their_samples():
    mean = EpochMean()
    logits = torch.eye(10)[:3] * 9
    mean.update(torch.tensor(1.0), logits, torch.tensor([0, 1, 9]))
    mean.update(torch.tensor(5.0), logits[:1], torch.tensor([0]))
    loss, acc = mean.compute()
    # (3 * 1 + 1 * 5) / 4 = 2, not the mean of the two batch means, 3
    assert (loss.item(), acc.item()) == (2.0, 0.75)
    mean.reset("cpu")
    mean.update(torch.tensor(7.0), logits, torch.tensor([0, 1, 2]))
    assert [value.item() for value in mean.compute()] == [7.0, 1.0]


def test_the_sums_of_a_mean_stay_where_they_are_once_they_are_on_the_device():
    mean = EpochMean()
    with torch.inference_mode():
        mean.reset("meta")  # a device that every machine has
        assert {total.device.type for total in vars(mean).values()} == {"meta"}
    mean.reset("meta")  # outside of it, too
    mean = EpochMean()
    before = {name: total.data_ptr() for name, total in vars(mean).items()}
    mean.update(torch.tensor(1.0), torch.eye(10)[:3], torch.tensor([0, 1, 9]))
    with torch.inference_mode():
        mean.reset(torch.device("cpu"))
    assert {name: total.data_ptr() for name, total in vars(mean).items()} == before
    assert not any(total.item() for total in vars(mean).values())
