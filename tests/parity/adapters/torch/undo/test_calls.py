"""Functions are noted and replaced wherever they are called: as modules, functions or methods."""

import pytest
import torch
import torch.nn.functional as F
from sample_undoing import Port
from torch import nn

from keras_like.slopes import KerasPReLU
from parity.adapters.torch.undo.calls import Calls

X = torch.randn(2, 3)


def port() -> Port:
    def forward(self, x):
        x = self.relu(self.first(x).mT.mT)
        x = self.slopes(torch.tanh(self.second(x)).sigmoid())
        return F.softmax(x + F.relu_(x), dim=1).unsqueeze(1).squeeze(1)

    parts = {"first": nn.Linear(3, 3), "relu": nn.ReLU(), "second": nn.Linear(3, 3), "slopes": KerasPReLU(3)}
    return Port(forward, **parts)


def watched(module: Port) -> Calls:
    return Calls(module, {"first": module.first, "second": module.second})


def test_calls_are_noted_with_where_they_stand():
    module = port()
    trace = watched(module).trace(lambda: module(X))
    calls = trace.of("activation")
    assert [call.name for call in calls] == ["relu", "tanh", "sigmoid", "relu", "softmax"]  # none of keras_like's
    assert [call.number for call in calls] == [0, 1, 2, 3, 4]
    assert [call.place for call in calls] == ["relu", "", "", "", ""]
    assert [call.direct for call in calls] == ["first", "second", "", "", ""]  # turned round, it is still first's
    assert calls[2].owners == (frozenset({"second"}),)
    assert [call.is_last for call in calls] == [False] * 4 + [True]  # what follows is its form alone
    assert trace.shape_into("second") == (2, 3) and trace.made_by["second"] == {"relu"}


def test_a_call_is_replaced_at_every_pass_and_no_other():
    module = port()
    calls = watched(module)
    tanh = calls.trace(lambda: module(X)).of("activation")[1]
    before = module(X)
    calls.replace(tanh, torch.zeros_like)
    assert torch.equal(module(X), module(2 * X)) and not torch.equal(module(X), before)
    assert torch.allclose(module(X).sum(1), torch.ones(2))


def test_a_forward_that_raises_leaves_nothing_behind():
    module = port()
    calls = watched(module)
    before = module(X)
    with pytest.raises(RuntimeError):
        module(torch.randn(2, 5))
    assert torch.equal(module(X), before) and not calls.mode.stack
