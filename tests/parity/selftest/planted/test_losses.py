"""A training has another loss."""

import torch
from torch import nn
from torch.nn import functional as F

from parity.selftest.planted import losses


class Module(nn.Identity):
    """Gives what it is given, and keeps what is logged."""

    def log(self, name, value, **options):
        """Keeps it."""
        self.logged = name, value

    def penalty(self):
        """Returns what is added to the loss."""
        return 6.0


def test_a_step_returns_the_loss_of_what_the_module_gives():
    module = Module()
    losses.with_loss(lambda module, z, y: (z - y).square().sum() + module.penalty())(module)
    assert module.training_step((torch.tensor([1.0, 4.0]), torch.tensor([1.0, 2.0])), 0) == 10
    assert module.logged == ("train_loss", 10)


def test_a_penalty_is_half_of_it():
    module = Module()
    losses.halve_penalty(module)
    assert module.penalty() == 3


def test_a_criterion_is_another_one():
    module = Module()
    module.criterion = nn.HuberLoss()
    losses.with_criterion("another-loss", "diabetes", nn.L1Loss).module(module)
    assert isinstance(module.criterion, nn.L1Loss)


def test_losses_of_logits():
    z, y = torch.tensor([[0.5, -1.0, 2.0], [0.0, 1.0, 0.0]]), torch.tensor([2, 0])
    p, right = z.softmax(dim=1), F.cross_entropy(z, y)
    expected = {
        "softmax-twice": F.cross_entropy(p, y),
        "nll-of-no-logarithms": -(p[0, 2] + p[1, 0]) / 2,
        "log-of-probabilities": right,
        "clipped-probabilities": right,
        "temperature": F.cross_entropy(z / 2, y),
        "loss-scale": right / 10,
        "loss-sum": 2 * right,
    }
    for plant in losses.LOSSES:
        if plant.id in expected:
            module = Module()
            plant.module(module)
            torch.testing.assert_close(module.training_step((z, y), 0), expected.pop(plant.id))
            if plant.id == "softmax-twice":
                assert plant.touches == losses.LOSS
    assert not expected
