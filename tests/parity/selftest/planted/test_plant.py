"""What a plant is called, and how it changes a module."""

import torch
from torch import nn

from parity.selftest.planted import plant
from parity.selftest.planted.plant import Plant


def test_a_plant_is_called_as_the_difference_and_what_tells_it_from_others():
    assert Plant("learning-rate", plant.EXAMPLES, ()).name == "learning-rate"
    assert Plant("learning-rate", plant.EXAMPLES, (), form="tenth").name == "learning-rate:tenth"


def test_methods_of_one_module_are_others():
    one, other = nn.ReLU(), nn.ReLU()
    plant.override(one, forward=lambda self, x: -x)
    assert one(torch.ones(1)) == -1 and other(torch.ones(1)) == 1 and isinstance(one, nn.ReLU)


def test_every_layer_of_a_kind_is_changed():
    module = nn.Sequential(nn.Linear(1, 1), nn.Sequential(nn.Linear(1, 1)), nn.LayerNorm(1))
    plant.each(nn.Linear, lambda layer: layer.weight.fill_(7.0))(module)
    plant.with_attributes((nn.LayerNorm, nn.ReLU), eps=0.5)(module)
    first, second = plant.layers(module, nn.Linear)
    assert first.weight == second.weight == 7 and module[2].eps == 0.5


def test_a_pass_is_another_one_around_the_modules_own():
    module = nn.ReLU()
    plant.around(lambda module, own, x: own(x) + 1)(module)
    plant.around(lambda module, own, x: 2 * own(x))(module)
    assert module(torch.tensor([-1.0, 3.0])).tolist() == [2.0, 8.0]


def test_a_layer_stands_in_the_place_of_another_one_with_its_weights():
    module = nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.ReLU()))
    before = module[0].weight.tolist()
    plant.with_layer(lambda own: plant.with_weights(nn.Linear(2, 3), own), "0")(module)
    plant.with_layer(lambda own: nn.Tanh(), "1.0")(module)
    assert module[0].weight.tolist() == before and isinstance(module[1][0], nn.Tanh)
