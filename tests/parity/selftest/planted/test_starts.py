"""Initial weights are drawn from PyTorch's laws."""

import torch
from torch import nn

from keras_like.recurrent import KerasLSTM
from parity.selftest.planted import starts


def test_kernels_and_biases_lie_within_the_root_of_the_inputs():
    layer = nn.Linear(400, 50)
    nn.init.zeros_(layer.bias)
    with torch.no_grad():
        starts.torch_kernel(layer)
        starts.torch_bias(layer)
    for parameter in layer.parameters():
        assert 0.04 < parameter.abs().max() <= 0.05  # 1 / sqrt(400)


def test_a_recurrent_bias_that_is_not_trained_stays_zero():
    layer = KerasLSTM(3, 25)
    with torch.no_grad():
        starts.torch_recurrent(layer, "bias")
    assert 0.15 < layer.bias_ih_l0.abs().max() <= 0.2 and not layer.bias_hh_l0.any()


def test_every_plant_changes_a_module():
    assert all(plant.module for plant in [*starts.STARTS, *starts.NUMBERS])
