"""A plain module in a LightningModule's place: alone, or trained by a loss and an optimizer that stand beside it."""

from functools import partial

import pytest
import torch
from torch import nn

from mlp_spec.support.errors import UserError
from parity.adapters.torch.plain import Training, ValidatedModule, WrappedModule, take_apart

NET = nn.Linear(4, 3)
WHAT = "own.py: lightning_module() returned"
LOSS, SGD = nn.CrossEntropyLoss(), partial(torch.optim.SGD, lr=0.1)


def wrapped(optimizer, net=NET) -> WrappedModule:
    """Wraps a module whose batches are pairs."""
    return WrappedModule(net, Training(LOSS, optimizer), lambda module, batch: (module(batch[0]), batch[1]))


def test_a_module_is_taken_alone_or_with_its_loss_and_optimizer():
    assert take_apart(NET, WHAT) == (NET, None)
    assert take_apart((NET, LOSS, SGD), WHAT) == (NET, Training(LOSS, SGD))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (3, r"returned int; it must return a LightningModule; or a plain nn.Module, alone or in a tuple \(module,"),
        ((NET, LOSS), r"a tuple \(Linear, CrossEntropyLoss\); it must return"),
        ((LOSS, NET, SGD, 1), r"a tuple \(CrossEntropyLoss, Linear, partial, int\); it must return"),
        ((3, LOSS, SGD), r"a tuple \(int, CrossEntropyLoss, partial\); it must return"),
        ((NET, "mse", SGD), r"a tuple \(Linear, str, partial\); it must return"),
        ((NET, LOSS, "adam"), "a tuple whose optimizer is a str; it must be a torch.optim.Optimizer, or a function"),
    ],
)
def test_anything_else_is_refused(given, words):
    with pytest.raises(UserError, match=words):
        take_apart(given, WHAT)


def test_a_step_returns_the_loss_of_the_output_and_the_target():
    x, y = torch.rand(5, 4), torch.tensor([0, 1, 2, 0, 1])
    assert wrapped(SGD).training_step((x, y), 0).item() == LOSS(NET(x), y).item()


def test_the_optimizer_is_the_given_one_or_made_of_the_parameters():
    own = torch.optim.Adam(NET.parameters())
    assert wrapped(own).configure_optimizers() is own
    made = wrapped(SGD).configure_optimizers()
    assert isinstance(made, torch.optim.SGD) and made.param_groups[0]["params"][0] is NET.weight


@pytest.mark.parametrize(
    ("optimizer", "words"),
    [
        (lambda parameters: 3, "the optimizer makes a int; it must make a torch.optim.Optimizer"),
        (SGD(nn.Linear(4, 3).parameters()), "the optimizer trains other parameters than the module's"),
    ],
)
def test_an_optimizer_of_something_else_is_refused(optimizer, words):
    with pytest.raises(UserError, match=words):
        wrapped(optimizer).configure_optimizers()


def test_a_module_that_keeps_states_goes_through_the_validation_rows():
    seen = []
    ValidatedModule(NET, Training(LOSS, SGD), lambda *given: seen.append(given)).validation_step("rows", 0)
    assert seen == [(NET, "rows")]
