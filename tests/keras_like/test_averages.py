"""Averages of weights, by hand."""

import pytest
import torch

from keras_like.averages import WeightAverages


def trained(values, **options):
    """A parameter after it was set to some values one after the other, each averaged; and the averages."""
    parameter = torch.nn.Parameter(torch.zeros(1))
    averages = WeightAverages([parameter], **options)
    for value in values:
        parameter.data.fill_(value)
        averages.update()
    return parameter, averages


def test_the_first_weights_are_the_average_and_later_ones_count_by_momentum():
    parameter, averages = trained([4.0, 8.0, 0.0], momentum=0.75)
    # .75 * 4 + .25 * 8 = 5; .75 * 5 + .25 * 0 = 3.75
    assert parameter.item() == 0.0 and averages.averages[0].item() == 3.75
    averages.overwrite()
    assert parameter.item() == 3.75


def test_what_is_left_of_1_rounds_in_the_parameters_precision():
    _, averages = trained([0.0, 1.0])  # 1 - float32(.99), and not float32(.01)
    assert averages.averages[0].item() == 1 - torch.tensor(0.99).item() != torch.tensor(0.01).item()


def test_averages_take_their_place_every_so_many_steps():
    parameter, _ = trained([4.0, 8.0], momentum=0.75, overwrite_frequency=2)
    assert parameter.item() == 5.0
    parameter, _ = trained([4.0, 8.0, 6.0], momentum=0.75, overwrite_frequency=2)
    assert parameter.item() == 6.0


def test_without_a_step_nothing_is_overwritten():
    parameter, averages = trained([])
    parameter.data.fill_(3.0)
    averages.overwrite()
    assert parameter.item() == 3.0


@pytest.mark.parametrize("options", [{"momentum": 1.1}, {"momentum": -0.1}, {"overwrite_frequency": 0}])
def test_numbers_are_held_to_their_range(options):
    with pytest.raises(ValueError, match=r"must be (from 0 to 1|at least 1 or None), not"):
        trained([], **options)
