"""What a module configures is changed, and what its hooks do."""

from functools import partial

import torch
from torch import nn

from parity.selftest.planted import optimizers


class Module(nn.Linear):
    """Configures SGD."""

    def configure_optimizers(self):
        """Returns the optimizer."""
        return torch.optim.SGD(self.parameters(), lr=0.5, momentum=0.9)


def configured(*changes):
    """Returns what a module configures with some changes, in their order."""
    module = Module(2, 1)
    for change in changes:
        change(module)
    return module.configure_optimizers()


def test_numbers_are_others_and_those_that_an_optimizer_lacks_are_left():
    (group,) = configured(optimizers.with_numbers(lr=lambda rate: rate / 10, alpha=1.0)).param_groups
    assert group["lr"] == 0.05 and "alpha" not in group and group["momentum"] == 0.9


def test_another_optimizer_takes_parameters_and_numbers_over():
    rate = optimizers.with_numbers(lr=0.25)
    optimizer = configured(rate, optimizers.with_optimizer(torch.optim.RMSprop, lr="lr", momentum="momentum"))
    (group,) = optimizer.param_groups
    assert type(optimizer) is torch.optim.RMSprop and len(group["params"]) == 2
    assert (group["lr"], group["momentum"]) == (0.25, 0.9)


def test_a_schedule_comes_in_lightnings_form():
    made = configured(optimizers.with_schedule(partial(optimizers.DECAY, gamma=0.5), "step"))
    assert made["lr_scheduler"]["interval"] == "step"
    assert made["lr_scheduler"]["scheduler"].optimizer is made["optimizer"]


def test_biases_are_stilled():
    module = nn.Linear(2, 1)
    module(torch.ones(1, 2)).sum().backward()
    optimizers.still_biases(module)
    assert module.bias.grad == 0 and module.weight.grad.all()


def test_copies_are_updated_in_the_place_of_parameters():
    module = Module(2, 1)
    optimizers.configured(optimizers.of_copies)(module)
    (group,) = module.configure_optimizers().param_groups
    for copy, own in zip(group["params"], module.parameters(), strict=True):
        assert copy is not own and torch.equal(copy, own)
