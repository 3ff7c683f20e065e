"""Dropouts of modules and of functional code drop as Keras's do, in their places and in their mode."""

import numpy as np
import torch
from sample_built import make_built
from torch import nn
from torch.nn import functional as F

from parity.adapters.torch.chance import Chance
from parity.adapters.torch.undo import dropouts
from parity.protocol.law import RandomCall

UNDOS = {undo.id: undo for undo in dropouts.UNDOS}
X = torch.rand(400, 5, 6) + 0.5


class Port(nn.Module):
    """A dropout of each kind behind ReLUs of other values."""

    def __init__(self, drop=lambda x, training: F.dropout(x, 0.5, training), rate=0.3):
        super().__init__()
        self.drop, self.second = drop, nn.Dropout(rate)

    def forward(self, x):
        return self.second(F.relu(self.drop(F.relu(x), self.training) * 2))


def built_of(module: nn.Module, *keras: RandomCall, kind: str = "Dropout"):
    """Returns what is built beside Keras's random layers."""
    built = make_built(module, settings={call.layer: {"class_name": kind} for call in keras})

    def places(training: bool = True) -> list:
        module.train(training)
        with torch.no_grad(), Chance(), dropouts.noted_places(module) as seen:
            module(X)
        module.train()
        return seen

    seen = {mode: places(mode) for mode in (True, False)}
    built.places, built.random_calls = (lambda training=True: seen[training]), lambda: list(keras)
    return built


def zeros(module: nn.Module) -> float:
    return float((module(X) == 0).float().mean())


ONE, TWO = RandomCall("one", 0.2, X.numpy()), RandomCall("two", 0.3, 2 * X.numpy())


def test_a_rate_becomes_kerass():
    port = Port(rate=0.0)
    built = built_of(port, ONE, RandomCall("two", 0.0, 2 * X.numpy()))
    (line,) = UNDOS["dropout-rate"].change(built)
    assert line.startswith("test_dropouts.py, line ") and line.endswith("a dropout of 0.5: write 0.2")
    assert abs(zeros(port) - 0.2) < 0.03
    assert UNDOS["dropout-rate"].change(built_of(Port(), RandomCall("one", 0.5), TWO)) == []


def test_a_module_is_named():
    assert UNDOS["dropout-rate"].change(built_of(Port(rate=0.1), RandomCall("one", 0.5), TWO)) == [
        "second: a dropout of 0.1: write 0.3"
    ]


def test_what_drops_in_evaluation_follows_the_mode():
    port = Port(lambda x, training: F.dropout(x, 0.5), rate=0.0)
    assert zeros(port.eval()) > 0.4
    (line,) = UNDOS["dropout-mode"].change(built_of(port, ONE, TWO))
    assert line.endswith("drops also in evaluation: write training=self.training")
    assert zeros(port.eval()) == 0 < zeros(port.train())
    assert UNDOS["dropout-mode"].change(built_of(Port(), ONE, TWO)) == []


def test_one_that_is_missing_is_put_where_keras_has_it_and_a_further_one_goes():
    port = Port(lambda x, training: x, rate=0.0)
    del port.second
    port.second = nn.Identity()
    (line,) = UNDOS["dropout-missing"].change(built_of(port, TWO))
    assert ", behind mul: Keras's two is missing: write Dropout(0.3)" in line
    assert abs(zeros(port) - 0.3) < 0.03 and zeros(port.eval()) == 0
    port = Port()
    (line,) = UNDOS["dropout-missing"].change(built_of(port, TWO))
    assert line.endswith("a dropout of 0.5 that Keras does not have: leave it out") and abs(zeros(port) - 0.3) < 0.03


def test_of_the_same_values_before_and_behind_a_flattening_those_of_kerass_rank_are_dropped():
    flat = RandomCall("flat", 0.3, X.movedim(1, -1).flatten(1).numpy(), flattened=(6, 5))
    for call, name in ((flat, "flatten"), (RandomCall("whole", 0.3, X.movedim(1, -1).numpy()), "relu")):
        port = nn.Sequential(nn.ReLU(), nn.Flatten())
        (line,) = UNDOS["dropout-missing"].change(built_of(port, call))
        assert f", behind {name}: Keras's {call.layer} is missing" in line
        assert abs(zeros(port) - 0.3) < 0.03


def test_whole_channels_are_dropped_where_keras_does():
    port = Port(rate=0.0)
    call = RandomCall("one", 0.5, X.numpy())
    (line, *_) = UNDOS["spatial-dropout"].change(built_of(port, call, TWO, kind="SpatialDropout1D"))
    assert "write F.dropout1d of x.movedim(-1, 1)" in line
    dropped = (port(X) == 0).numpy()
    assert np.array_equal(dropped.any(axis=1), dropped.all(axis=1)) and 0.4 < dropped.mean() < 0.6
