"""Modules are measured as they are meant to be: with the given weights, in the given mode, channels where they are."""

import numpy as np
import pytest
import torch
from torch import nn

from keras_like.attention import KerasMultiHeadAttention
from keras_like.recurrent import KerasGRU, KerasLSTM
from keras_like.slopes import KerasPReLU
from mlp_spec.support.errors import UserError
from parity.adapters.torch.differences import measure, with_gates
from parity.adapters.torch.tensors import Binding
from parity.traps.layers.layouts import AXES, draw_input, draw_weights, table_of


def measured(make, kind, mode="evaluation", call=lambda module, x: module(x), **options):
    """Measures a module on rows (6, 3); returns a vector."""
    given = {"x": lambda: draw_input(6, 3), "values": lambda y, w, before: y, "sizes": {}, "first": True} | options
    optimizer = given.get("optimizer", ("SGD", 0.1))
    return measure(make, call, given["x"], given["values"], kind, given["sizes"], mode, optimizer, given["first"])


def test_a_module_gets_the_examples_weights():
    weights = draw_weights(table_of("Dense"))
    expected = draw_input(6, 3) @ weights["layer/kernel"] + weights["layer/bias"]
    assert measured(lambda: nn.Linear(3, 4), "Dense") == pytest.approx(expected.ravel(), abs=1e-6)


def test_a_module_with_other_weights_is_refused():
    with pytest.raises(UserError, match="do not fit"):
        measured(lambda: nn.Linear(3, 5), "Dense")


@pytest.mark.parametrize(("first", "taken"), [(True, (2, 3, 4, 5)), (False, (2, 4, 5, 3))])
def test_channels_are_moved_there_and_back(first, taken):
    x, shapes = draw_input(2, 4, 5, 3), []
    y = measured(nn.Identity, "Flatten", x=lambda: x, first=first, call=lambda _, x: shapes.append(tuple(x.shape)) or x)
    assert np.array_equal(y, x.ravel()) and shapes == [taken]


def test_a_step_is_taken_by_the_sum_of_the_outputs():
    def added(y, w, before):
        return w["bias"] - before["bias"]

    assert measured(lambda: nn.Linear(3, 4), "Dense", "step", values=added) == pytest.approx([-0.6] * 4)
    adam = measured(lambda: nn.Linear(3, 4), "Dense", "step", values=added, optimizer=("Adam", 0.01))
    assert adam == pytest.approx([-0.01] * 4, rel=1e-5)


def test_initial_weights_are_those_after_the_call():
    def start(call):
        return measured(lambda: nn.Linear(3, 4), "Dense", "start", call, values=lambda y, w, before: w["bias"])

    assert start(lambda module, x: nn.init.zeros_(module.bias)).tolist() == [0.0] * 4
    assert np.array_equal(start(lambda module, x: None), start(lambda module, x: None))  # seeded
    assert start(lambda module, x: None).any()


@pytest.mark.parametrize(("mode", "drops"), [("chance", True), ("training", True), ("evaluation", False)])
def test_what_draws_draws_in_training_alone(mode, drops):
    y = measured(lambda: nn.Dropout(0.5), "Dropout", mode, x=lambda: np.ones((50, 4), "f4"))
    assert (y == 0).any() == drops


def test_gates_are_exchanged():
    module = nn.GRU(3, 2)
    before = [parameter.detach().clone() for parameter in module.parameters()]
    for parameter, old in zip(with_gates(module, (1, 0, 2)).parameters(), before, strict=True):
        assert torch.equal(parameter, old[[2, 3, 0, 1, 4, 5]])


MODULES = {
    "Dense": lambda: nn.Linear(3, 4), "Dense, behind Flatten": lambda: nn.Linear(36, 4),
    "Embedding": lambda: nn.Embedding(7, 4), "BatchNormalization": lambda: nn.BatchNorm1d(4),
    "LayerNormalization": lambda: nn.LayerNorm(4), "GroupNormalization": lambda: nn.GroupNorm(2, 4),
    "PReLU": lambda: KerasPReLU((4, 3, 3)), "PReLU, shared_axes=[1, 2]": lambda: nn.PReLU(4),
    "SimpleRNN": lambda: nn.RNN(3, 4), "LSTM": lambda: nn.LSTM(3, 4), "GRU": lambda: nn.GRU(3, 4),
    "GRU, reset_after=False": lambda: KerasGRU(3, 4, reset_after=False),
    "Bidirectional": lambda: KerasLSTM(3, 4, bidirectional=True),
    "MultiHeadAttention": lambda: KerasMultiHeadAttention(3, 2, 3),
    **{f"Conv{n}D": lambda n=n: getattr(nn, f"Conv{n}d")(3, 4, 3) for n in (1, 2, 3)},
    **{f"Conv{n}DTranspose": lambda n=n: getattr(nn, f"ConvTranspose{n}d")(3, 4, 3) for n in (1, 2, 3)},
    **{f"DepthwiseConv{n}D": lambda n=n: getattr(nn, f"Conv{n}d")(3, 6, 3, groups=3) for n in (1, 2)},
    **{
        f"SeparableConv{n}D": lambda n=n: nn.Sequential(
            getattr(nn, f"Conv{n}d")(3, 6, 3, groups=3, bias=False), getattr(nn, f"Conv{n}d")(6, 4, 1)
        )
        for n in (1, 2)
    },
}  # fmt: skip


@pytest.mark.parametrize("kind", AXES)
def test_pytorchs_class_holds_what_every_kind_of_the_page_has(kind):
    table = table_of(kind)
    binding = Binding(MODULES[kind](), table)
    weights = draw_weights(table)
    binding.load(weights)
    assert all(np.array_equal(array, weights[path]) for path, array in binding.weights().items())
