"""What a module keeps between batches: found under any name, put back as it was built, and carried where asked."""

from types import SimpleNamespace

import lightning
import pytest
import torch
from torch import nn

from parity.adapters.torch.states import (
    Changed,
    changed_in_a_step,
    keep_states,
    kept_states,
    read_states,
    reset_states,
    settle_states,
)
from parity.protocol.stateful import Stateful

STATEFUL = Stateful(["lstm"], 4)


class Inner(nn.Module):
    """A part that keeps states in every form."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(3, 2, batch_first=True)
        self.pair, self.named, self.is_first, self.size = None, {"h": torch.zeros(1, 4, 2)}, True, 2
        self.register_buffer("cell", torch.zeros(1, 4, 2), persistent=False)

    def forward(self, x):
        _, (h, c) = self.lstm(x, None if self.is_first else (self.named["h"], self.cell))
        self.pair, self.is_first = (h.detach(), c.detach()), False
        self.named["h"].copy_(h.detach())
        self.cell = c.detach()
        self.late = h.detach()
        return h[0]


class Port(lightning.LightningModule):
    """A module around it."""

    def __init__(self):
        super().__init__()
        self.inner, self.weights, self.note = Inner(), None, "a word"

    def forward(self, x):
        return self.inner(x)


@pytest.fixture
def module():
    module = Port()
    keep_states(module, STATEFUL)
    return module


X = torch.randn(4, 5, 3)


def test_a_module_begins_anew(module):
    first, second = module(X), module(X)
    assert not torch.equal(first, second)
    reset_states(module)
    assert module.inner.pair is None and module.inner.is_first and not module.inner.cell.any()
    assert not hasattr(module.inner, "late") and module.note == "a word"  # what came later is gone
    assert torch.equal(module(X), first)
    reset_states(module)
    assert not module.inner.named["h"].any()  # what was put back was not written into


def test_a_module_that_was_not_kept_stays_as_it_is():
    module = Port()
    module(X)
    reset_states(module)
    with kept_states(module):
        module(X)
    assert module.inner.pair is not None
    keep_states(module, None)
    reset_states(module)
    assert module.inner.pair is not None


def test_states_go_on_where_weights_alone_are_changed(module):
    module(X)
    before = read_states(module)
    with kept_states(module):
        reset_states(module)
        module.inner.lstm.weight_ih_l0.data.zero_()
    assert torch.equal(module.inner.cell, before["inner", "cell"]) and not module.inner.is_first


def test_parameters_and_statistics_are_no_states():
    module = nn.Sequential(nn.BatchNorm1d(4), nn.LSTM(4, 2))
    assert not [place for place, value in read_states(module).items() if torch.is_tensor(value)]
    keep_states(module, STATEFUL)
    module[0](torch.randn(4, 4))
    reset_states(module)
    assert module[0].running_mean.any()


def test_what_hooks_make_before_the_first_batch_belongs_to_the_start(module):
    module.hidden = torch.zeros(1, 4, 2)
    settle_states(module)
    module.hidden = torch.ones(1, 4, 2)
    reset_states(module)
    assert not module.hidden.any()


def test_what_is_no_state_of_a_batch_stays_though_it_came_later(module):
    module.class_weights = torch.ones(3)
    reset_states(module)
    assert module.class_weights.any()


def test_states_have_the_precision_of_the_weights():
    module = Port().double()
    keep_states(module, STATEFUL)
    assert module.inner.named["h"].dtype == torch.float64
    module(X.double())


def step(module):
    """Makes a candidate whose training step calls a module."""

    def train_one_step(trained, callbacks):
        trained(X)
        for callback in callbacks:
            callback.on_train_batch_end(None, trained, None, None, 0)
        reset_states(trained)  # as a hook at the end of an epoch may do

    def build():
        keep_states(module, STATEFUL)
        return module

    return SimpleNamespace(build=build, train_one_step=train_one_step, facts=SimpleNamespace(stateful=STATEFUL))


def test_what_a_step_leaves_is_named():
    assert changed_in_a_step(step(Port())) == ["inner.pair", "inner.named", "inner.late", "inner.cell"]
    assert changed_in_a_step(step(nn.Linear(3, 2))) == []
    assert Changed(nn.Linear(3, 2)).names is None


def test_a_step_that_fails_says_nothing_here():
    side = step(nn.Linear(2, 2))
    assert changed_in_a_step(side) is None
    side.facts.stateful = None
    side.build = None
    assert changed_in_a_step(side) is None
