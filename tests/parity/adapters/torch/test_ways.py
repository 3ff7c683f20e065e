"""How a module is called, and how its output lies."""

import lightning
import pytest
import torch
from torch import nn

from parity.adapters.torch.ways import OUTPUTS, further_ways, in_rows_of

IMAGES = torch.rand(2, 1, 4, 4)


class Given(lightning.LightningModule):
    """Calls the network it was given in its steps, and has no forward."""

    def __init__(self, **networks):
        super().__init__()
        for name, network in networks.items():
            setattr(self, name, network)


class Flat(Given):
    """Takes rows that its training step has flattened."""

    def forward(self, x):
        return self.net(x)


def test_a_module_without_forward_is_called_by_its_one_network():
    net = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    module = Given(net=net, loss=nn.CrossEntropyLoss())
    assert torch.equal(further_ways(module, [IMAGES])[-1](module), net(IMAGES))
    both = Given(encoder=nn.Linear(4, 2), decoder=nn.Linear(2, 4))
    assert not further_ways(both, [torch.rand(2, 4)])  # which of them is the output, the user knows


def test_images_are_flattened_for_a_forward_that_takes_rows():
    module = Flat(net=nn.Linear(16, 3))
    (way,) = further_ways(module, [IMAGES])
    assert torch.equal(way(module), module.net(IMAGES.flatten(1)))


@pytest.mark.parametrize(
    ("given", "shape", "shown"),
    [((5, 3), (3,), (5, 3)), ((5,), (1,), (5, 1)), ((5, 1), (), (5,)), ((5, 1, 4, 4), (4, 4, 1), (5, 4, 4, 1)),
     ((5, 3), (4,), (5, 3)), ((5,), None, (5,))],
)  # fmt: skip
def test_an_output_is_given_keras_axes(given, shape, shown):
    assert tuple(in_rows_of(shape, torch.rand(given)).shape) == shown


@pytest.mark.parametrize("shape", [(3, 5), (3, 4, 5), (3, 2, 4, 5)])
def test_logits_of_every_step_or_place_are_probabilities_of_classes(shape):
    probabilities = OUTPUTS["logits"](torch.arange(torch.Size(shape).numel()).reshape(shape).float())
    assert torch.allclose(probabilities.sum(dim=-1), torch.ones(shape[:-1]))
