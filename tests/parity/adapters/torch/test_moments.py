"""Moments of PyTorch's optimizers, under the names of both sides: there and back, and what cannot cross."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from keras_like.adaptive import KerasAdagrad, KerasNadam
from keras_like.more_optimizers import KerasAdadelta, KerasAdamax, KerasLion
from keras_like.optimizers import KerasAdam, KerasRMSprop, KerasSGD
from keras_like.recurrent import KerasLSTM
from parity.adapters.torch import moments
from parity.adapters.torch.tensors import Binding
from parity.protocol.tensors import Tensor, dense_table

TABLE = dense_table([(3, 2)])
RATE = 0.0123
OPTIMIZERS = {
    "SGD": lambda p: torch.optim.SGD(p, RATE),
    "SGD, momentum": lambda p: torch.optim.SGD(p, RATE, 0.9, nesterov=True),
    "RMSprop": lambda p: torch.optim.RMSprop(p, RATE),
    "RMSprop, momentum": lambda p: torch.optim.RMSprop(p, RATE, momentum=0.9),
    "Adam": lambda p: torch.optim.Adam(p, RATE),
    "AdamW": lambda p: torch.optim.AdamW(p, RATE),
    "NAdam": lambda p: torch.optim.NAdam(p, RATE),
    "Adagrad": lambda p: torch.optim.Adagrad(p, RATE),
    "Adamax": lambda p: torch.optim.Adamax(p, RATE),
    "Adadelta": lambda p: torch.optim.Adadelta(p, RATE),
    "KerasSGD, momentum": lambda p: KerasSGD(p, RATE, 0.9),
    "KerasRMSprop, momentum": lambda p: KerasRMSprop(p, RATE, momentum=0.9),
    "KerasAdam": lambda p: KerasAdam(p, RATE),
    "KerasNadam": lambda p: KerasNadam(p, RATE),
    "KerasAdagrad": lambda p: KerasAdagrad(p, RATE),
    "KerasAdamax": lambda p: KerasAdamax(p, RATE),
    "KerasAdadelta": lambda p: KerasAdadelta(p, RATE),
    "KerasLion": lambda p: KerasLion(p, RATE),
}


def stepped(make, steps=5):
    """Returns the binding of a module, and its optimizer after some steps from seeded gradients."""
    torch.manual_seed(0)
    binding = Binding(nn.Sequential(nn.Linear(3, 2)), TABLE)
    optimizer = make(list(binding.module.parameters()))
    for _ in range(steps):
        for parameter in binding.module.parameters():
            parameter.grad = torch.randn_like(parameter)
        optimizer.step()
    return binding, optimizer


class Whole(nn.Module):
    """A tensor of Keras's in two parameters, in rows of one, and the sum of two."""

    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(4, 3, batch_first=True)
        self.lstm = nn.LSTM(4, 3, batch_first=True)
        self.att = nn.MultiheadAttention(4, 2, batch_first=True)


def recurrent(name, kind, gates, rows):
    shapes = {"kernel": (4, gates), "recurrent_kernel": (3, gates), "bias": rows}
    return [Tensor(f"{name}/{role}", kind, role, shape) for role, shape in shapes.items()]


def test_moments_of_parameters_in_pieces_cross_too():
    table = [*recurrent("gru", "GRU", 9, (2, 9)), *recurrent("lstm", "LSTM", 12, (12,))]
    for part in ("query", "key", "value"):
        table += [Tensor(f"att/{part}/kernel", "EinsumDense", "kernel", (4, 2, 2), inputs=1)]
        table += [Tensor(f"att/{part}/bias", "EinsumDense", "bias", (2, 2))]
    table += [Tensor("att/output/kernel", "EinsumDense", "kernel", (2, 2, 4), inputs=2)]
    table += [Tensor("att/output/bias", "EinsumDense", "bias", (4,))]
    binding = Binding(Whole(), table)
    draw = np.random.default_rng(0)
    given = {slot: {t.path: draw.random(t.shape, np.float32) for t in table} for slot in ("momentum", "velocity")}
    optimizer = torch.optim.Adam(binding.module.parameters())
    binding.load_moments([optimizer], given, 5, 0.001)
    assert moments.why_alone([optimizer], binding) == ""
    found = moments.read_moments(optimizer, binding)
    for slot, arrays in given.items():
        assert all(np.array_equal(found[slot][path], array) for path, array in arrays.items()), slot


def test_a_frozen_parameter_has_no_moments_and_needs_none():
    table = [*recurrent("lstm", "LSTM", 12, (12,)), *dense_table([(3, 2)])]
    module = nn.Sequential(KerasLSTM(4, 3, batch_first=True), nn.Linear(3, 2))  # its second bias is not trained
    binding, optimizer = Binding(module, table), torch.optim.Adam(module.parameters())
    for parameter in moments.trained_by(optimizer):
        parameter.grad = torch.randn_like(parameter)
    optimizer.step()
    assert len(moments.trained_by(optimizer)) == len(list(module.parameters())) - 1
    assert moments.why_alone([optimizer], binding) == ""
    assert moments.why_unread(optimizer, optimizer.state_dict(), "a.ckpt") == ""
    held = moments.read_moments(optimizer, binding)["velocity"]
    assert held.keys() == {tensor.path for tensor in table} and held["lstm/bias"].any()
    module[1].weight.requires_grad_(False)  # Keras trains it
    assert "does not train the same tensors" in moments.why_alone([optimizer], binding)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_what_is_read_is_loaded_again_and_steps_the_same(name):
    make = OPTIMIZERS[name]
    binding, optimizer = stepped(make)
    assert moments.why_alone([optimizer], binding) == ""
    assert moments.why_unread(optimizer, optimizer.state_dict(), "a.ckpt") == ""
    held = moments.read_moments(optimizer, binding)
    assert held.keys() == moments.names_of(optimizer).keys()
    assert all(arrays["dense/kernel"].shape == (3, 2) for arrays in held.values())
    other = copy.deepcopy(binding.module)
    second = Binding(other, TABLE)
    again = make(list(other.parameters()))
    second.load_moments([again], held, 5, RATE)
    for ours, theirs in zip(binding.module.parameters(), other.parameters(), strict=True):
        ours.grad = theirs.grad = torch.randn_like(ours)
    optimizer.step(), again.step()
    for ours, theirs in zip(binding.module.parameters(), other.parameters(), strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-6, atol=1e-8)


def test_momentum_carries_the_rate_on_keras_side():
    # a gradient of 1 in every step, mu .5: b = 1, then 1.5; v = -.1 b, and of RMSprop m = .1 b
    for make, sign in ((torch.optim.SGD, -1), (torch.optim.RMSprop, 1)):
        parameter = nn.Parameter(torch.zeros(3, 2))
        module = nn.Linear(3, 2)
        optimizer = make([module.weight, module.bias], 0.1, momentum=0.5)
        for one in (module.weight, module.bias):
            optimizer.state[one] = {"momentum_buffer": torch.full_like(one, 1.5), "square_avg": torch.ones_like(one)}
        held = moments.read_moments(optimizer, Binding(nn.Sequential(module), TABLE))
        assert np.allclose(held["momentum"]["dense/bias"], sign * 0.15), parameter
        assert moments.carries_no_rate(optimizer)
    assert not moments.carries_no_rate(KerasSGD([parameter], 0.1, 0.5))
    assert not moments.carries_no_rate(torch.optim.SGD([parameter], 0.1))


def test_pytorchs_rmsprop_goes_on_as_keras_does():
    """Without epsilon, both are one formula: whatever is translated, the next steps must be the same."""
    torch.manual_seed(0)
    ours, theirs = (nn.Linear(3, 2) for _ in range(2))
    keras = KerasRMSprop(ours.parameters(), RATE, 0.99, 0.9, 1e-30)
    for number in range(6):
        if number == 3:
            theirs.load_state_dict(ours.state_dict())
            torchs = torch.optim.RMSprop(theirs.parameters(), RATE, 0.99, 1e-30, momentum=0.9)
            held = moments.read_moments(keras, Binding(nn.Sequential(ours), TABLE))
            Binding(nn.Sequential(theirs), TABLE).load_moments([torchs], held, 3, RATE)
        for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            one.grad = other.grad = torch.randn_like(one)
        keras.step()
        if number >= 3:
            torchs.step()
            for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
                assert torch.allclose(one, other, rtol=1e-5)


def without(optimizer, change):
    """Returns why an optimizer's state is refused after a change of it."""
    state = copy.deepcopy(optimizer.state_dict())
    change(state)
    return moments.why_unread(optimizer, state, "a.ckpt")


def test_a_state_that_is_not_the_optimizers_is_told():
    _, optimizer = stepped(OPTIMIZERS["Adam"])
    assert "damaged" in without(optimizer, lambda s: s.pop("state"))
    assert "damaged" in moments.why_unread(optimizer, None, "a.ckpt")
    assert "trains other parameters" in without(optimizer, lambda s: s["param_groups"][0]["params"].pop())
    assert "has made no update" in without(optimizer, lambda s: s["state"].clear())
    for number in (0, 1):
        assert "has no moments of 1 of its 2 tensors" in without(optimizer, lambda s, n=number: s["state"].pop(n))
    _, other = stepped(OPTIMIZERS["KerasAdam"])
    why = moments.why_unread(optimizer, other.state_dict(), "a.ckpt")
    assert "keeps other moments than the module's Adam (exp_avg, exp_avg_sq, momentum, velocity)" in why


def test_optimizers_that_correspond_to_none_are_told():
    binding, adam = stepped(OPTIMIZERS["Adam"])
    weight = binding.parameters["dense/kernel"]
    both = list(binding.module.parameters())
    assert moments.why_alone([], binding) == "configure_optimizers() returned no optimizers; one can be converted"
    assert "returned 2 optimizers" in moments.why_alone([adam, adam], binding)
    assert "does not train the same tensors" in moments.why_alone([torch.optim.Adam([weight])], binding)
    for one in (torch.optim.Adam(both, amsgrad=True), torch.optim.RMSprop(both, centered=True)):
        assert "as it is set, keeps what no known optimizer of Keras's does" in moments.why_alone([one], binding)
    assert "the module's Rprop, as it is set" in moments.why_alone([torch.optim.Rprop(both)], binding)
    why = moments.why_other_optimizer([adam], binding, "SGD", {"momentum"}, "the optimizer in a.keras")
    assert why == "the optimizer in a.keras is SGD, the module's Adam is Adam"
    plain = torch.optim.SGD(both, 0.1)
    why = moments.why_other_optimizer([plain], binding, "SGD", {"momentum"}, "the optimizer in a.keras")
    assert why == "the optimizer in a.keras keeps momentum, the module's SGD keeps nothing"
    assert moments.why_other_optimizer([adam], binding, "Adam", {"momentum", "velocity"}, "a") == ""
