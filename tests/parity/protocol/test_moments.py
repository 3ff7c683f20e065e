"""Which optimizers keep the same moments."""

import inspect

import torch

from keras_like import adaptive, more_optimizers, optimizers
from parity.protocol.moments import KERAS_KINDS, KINDS, TORCH_KINDS, why_apart


def test_the_table_has_every_optimizer_of_keras_like():
    ours = {name for module in (adaptive, more_optimizers, optimizers) for name in vars(module) if name[:5] == "Keras"}
    assert ours - {"KerasOptimizer"} == {f"Keras{kind}" for kind in KINDS} <= TORCH_KINDS.keys()


def test_keras_like_keeps_what_the_table_says():
    for kind, entry in KINDS.items():
        cls = next(c for m in (adaptive, more_optimizers, optimizers) if (c := getattr(m, f"Keras{kind}", None)))
        with_momentum = {"momentum": 0.9} if "momentum" in inspect.signature(cls).parameters else {}
        parameter = torch.nn.Parameter(torch.zeros(2))
        for settings, expected in ((with_momentum, set(entry.slots)), ({}, entry.needed)):
            assert set(cls.slots(cls([parameter], **settings).param_groups[0])) == expected, kind


def test_torchs_own_keep_what_the_table_says():
    for entry in KINDS.values():
        for name in entry.torch:
            parameter = torch.nn.Parameter(torch.ones(2))
            optimizer = getattr(torch.optim, name)([parameter], **({"momentum": 0.9} if entry.rate else {}))
            parameter.grad = torch.ones(2)
            optimizer.step()
            assert optimizer.state[parameter].keys() - {"step", "mu_product"} == set(entry.slots.values()), name


def test_every_kind_has_an_optimizer_on_both_sides():
    assert set(KERAS_KINDS.values()) == set(TORCH_KINDS.values())


def test_what_differs_is_said():
    adam = ("Adam", {"momentum", "velocity"})
    assert why_apart(adam, adam, ("one", "other")) == ""
    assert why_apart(adam, ("SGD", set()), ("one", "other")) == "one is Adam, other is SGD"
    apart = why_apart(("SGD", {"momentum"}), ("SGD", set()), ("one", "other"))
    assert apart == "one keeps momentum, other keeps nothing"
