"""Activations become Keras's, told by the values they give; what a port leaves to its loss is left."""

import pytest
import torch
import torch.nn.functional as F
from sample_undoing import Port, build, tensors, undone
from torch import nn

from parity.adapters.torch.undo import activations
from parity.protocol.curves import POINTS

X = torch.randn(4, 3)
TABLE = [*tensors("first", "Dense", (3, 5), (5,)), *tensors("last", "Dense", (5, 2), (2,))]
FIRST = {"class_name": "Dense", "fed_by": ["input"]}
LAST = {"class_name": "Dense", "activation": "softmax", "fed_by": ["first"]}


def curve(function) -> list[float]:
    return function(torch.tensor(POINTS)).tolist()


def built_of(function, *, last=LAST, between=None, **first):
    """Makes a port of two linear layers and what its `forward` does between, beside Keras's settings."""
    module = Port(function, first=nn.Linear(3, 5), last=nn.Linear(5, 2))
    settings = {"first": FIRST | first, **(between or {}), "last": last}
    return build(module, X, settings, TABLE)


@pytest.mark.parametrize(
    ("id", "ours", "theirs", "written"),
    [
        ("activation", F.relu, torch.tanh, "relu(x): write torch.tanh(x)"),
        ("activation", nn.ELU(), lambda x: F.elu(x, 0.5), "elu(x, alpha=1.0): write F.elu(x, 0.5)"),
        ("activation", F.hardtanh, lambda x: x.clamp(0, 6), "write F.relu6(x)"),
        ("gelu", F.gelu, lambda x: F.gelu(x, approximate="tanh"), "write F.gelu(x, approximate='tanh')"),
        ("leaky-relu-activation", F.leaky_relu, lambda x: F.leaky_relu(x, 0.2), "write F.leaky_relu(x, 0.2)"),
    ],
)
def test_another_function_is_replaced_by_what_gives_kerass_values(id, ours, theirs, written):
    built = built_of(lambda self, x: self.last(ours(self.first(x))), curve=curve(theirs))
    lines, output = undone(id, built)
    right = built.module.last(theirs(built.module.first(X)))
    torch.testing.assert_close(output, right)
    assert written in lines[0] and lines[0].startswith("forward: ")


def test_the_same_function_under_another_name_is_none():
    built = built_of(lambda self, x: self.last(F.softplus(self.first(x))), curve=curve(F.softplus), activation="own")
    assert [undone(id, built)[0] for id in activations.IDS] == [[]] * len(activations.IDS)


@pytest.mark.parametrize("end", [lambda y: y, lambda y: F.log_softmax(y, 1), lambda y: torch.softmax(y, 1).squeeze()])
def test_a_softmax_at_the_end_may_be_left_to_the_loss(end):
    built = built_of(lambda self, x: end(self.last(F.relu(self.first(x)))), curve=curve(F.relu))
    assert activations.mismatches(built) == []


def test_one_that_is_missing_is_put_behind_its_layer():
    built = built_of(lambda self, x: self.last(self.first(x)), curve=curve(F.relu))
    right = built.module.last(F.relu(built.module.first(X)))
    lines, output = undone("activation-missing", built)
    assert lines == ["first: no activation behind it: write F.relu(x)"] and torch.equal(output, right)


def test_one_too_many_is_left_out():
    built = built_of(lambda self, x: self.last(F.relu(self.first(x)).tanh()), curve=curve(torch.tanh))
    assert [one.id for one in activations.mismatches(built)] == ["activation"]  # at first: they are not as many
    built = built_of(lambda self, x: F.relu(self.last(torch.tanh(self.first(x)))), curve=curve(torch.tanh))
    right = built.module.last(torch.tanh(built.module.first(X)))
    lines, output = undone("activation-added", built)
    assert lines == ["forward: relu behind last: leave it out"] and torch.equal(output, right)


def test_a_layer_that_bends_counts_and_so_do_modules():
    between = {"bent": {"class_name": "LeakyReLU", "curve": curve(lambda x: F.leaky_relu(x, 0.3)), "fed_by": ["first"]}}
    built = built_of(lambda self, x: self.last(F.leaky_relu(self.first(x))), between=between)
    lines, _ = undone("leaky-relu-layer", built)
    assert lines == ["forward: leaky_relu(x, negative_slope=0.01): write F.leaky_relu(x, 0.3)"]


def test_a_softmax_is_taken_over_kerass_axis():
    images = torch.randn(2, 3, 4, 4)
    conv, settings = nn.Conv2d(3, 4, 1), {"class_name": "Conv2D", "activation": "softmax"}
    module = Port(lambda self, x: self.conv(x).softmax(-1).mean((2, 3)), conv=conv)
    whole = {"conv": settings, "mean": {"class_name": "GlobalAveragePooling2D", "fed_by": ["conv"]}}
    built = build(module, images, whole, tensors("conv", "Conv2D", (1, 1, 3, 4), (4,)))
    lines, output = undone("softmax-axis", built)
    assert lines == ["forward: softmax over the axis 3: write dim=1"]
    torch.testing.assert_close(output, conv(images).softmax(1).mean((2, 3)))


def test_where_it_cannot_be_told_which_is_which_nothing_is_changed():
    between = {"sum": {"class_name": "Activation", "curve": curve(F.relu), "fed_by": ["first", "input"]}}
    assert activations.mismatches(built_of(lambda self, x: self.last(self.first(x)), between=between)) == []
