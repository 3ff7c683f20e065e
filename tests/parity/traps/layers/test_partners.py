"""Partners of Keras's layers: every class of keras_like that is no optimizer has its place."""

import inspect
from importlib import import_module

import pytest
import torch
from conftest import ROOT
from torch import nn

from parity.protocol.tensors import LAYERS
from parity.traps.layers.partners import CHANCE, KERAS_LIKE, POOLINGS, torch_classes

NAMED = {name for names in KERAS_LIKE.values() for name in names} | {name for _, name in POOLINGS.values()}
BASES = {"KerasBatchNorm", "KerasConvTranspose", "KerasPool", "KerasRecurrent", "KerasSeparableConv", "KerasStart"}


def test_every_class_of_keras_like_that_stands_for_a_layer_is_named():
    found = set()
    for path in sorted((ROOT / "keras_like").glob("*.py")):
        for name, cls in inspect.getmembers(import_module(f"keras_like.{path.stem}"), inspect.isclass):
            is_own = cls.__module__ == f"keras_like.{path.stem}" and name.startswith("Keras")
            if is_own and not issubclass(cls, torch.optim.Optimizer) and name not in BASES:
                found.add(f"{path.stem}.{name}")
    assert found == NAMED


def test_every_kind_is_one_that_the_tool_matches():
    assert KERAS_LIKE.keys() <= LAYERS.keys()


@pytest.mark.parametrize("kind", LAYERS)
def test_the_classes_are_pytorchs(kind):
    names = torch_classes(kind).replace("`", "").split(", ")
    assert names and all(issubclass(getattr(nn, name.removeprefix("nn.")), nn.Module) for name in names)


def test_what_draws_is_named_by_classes_that_there_are():
    classes = [text.split("`")[1] for text in CHANCE.values() if "`" in text]
    assert len(classes) == 5 and all(hasattr(nn, name.removeprefix("nn.")) for name in classes)
