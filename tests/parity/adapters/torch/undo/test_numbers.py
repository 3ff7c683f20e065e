"""Numbers of layers become Keras's, and each says what to write; where they are Keras's, nothing is changed."""

from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from sample_built import SETTINGS, make_built, make_module
from torch import nn

from keras_like.normalization import KerasBatchNorm2d
from parity.adapters.torch.undo import numbers

UNDOS = {undo.id: undo for undo in numbers.UNDOS}


def test_batch_norms_epsilon_and_momentum_become_kerass():
    built = make_built()
    assert UNDOS["batch-norm-epsilon"].change(built) == ["1: nn.BatchNorm2d(eps=1e-05): write eps=0.001"]
    assert UNDOS["batch-norm-momentum"].change(built) == ["1: nn.BatchNorm2d(momentum=0.1): write momentum=0.02"]
    assert (built.module[1].eps, built.module[1].momentum) == (1e-3, 0.02)
    assert UNDOS["batch-norm-epsilon"].change(built) == UNDOS["batch-norm-momentum"].change(built) == []


def test_the_biased_variance_is_tracked_by_the_same_module():
    built, x = make_built(), torch.randn(5, 4, 3, 3)
    (line,) = UNDOS["batch-norm-variance"].change(built)
    assert line.endswith("keras_like.normalization.KerasBatchNorm2d")
    module = built.module[1]
    module.momentum = 1.0
    module(x)
    assert isinstance(module, KerasBatchNorm2d)
    torch.testing.assert_close(module.running_var, x.var((0, 2, 3), correction=0))
    assert UNDOS["batch-norm-variance"].change(built) == []


def test_leaky_slopes_are_set_in_their_order_where_there_are_as_many():
    built = make_built()
    assert numbers.set_slope(built) == ["2: nn.LeakyReLU(0.01): write nn.LeakyReLU(0.3)"]
    assert built.module[2].negative_slope == 0.3
    more = make_module()
    more.append(torch.nn.LeakyReLU())
    assert numbers.set_slope(make_built(more)) == []
    assert more[2].negative_slope == 0.01


def test_a_layer_whose_number_keras_does_not_say_is_left():
    settings = {**SETTINGS, "norm": {"class_name": "BatchNormalization"}}
    assert UNDOS["batch-norm-epsilon"].change(make_built(settings=settings)) == []
    assert UNDOS["layer-norm-epsilon"].change(make_built()) == []


class Norms(nn.Module):
    """Norms a layer by a function, and another by a module."""

    def __init__(self, *arguments, **options):
        super().__init__()
        self.own, self.scale = nn.LayerNorm(4, eps=1e-3), nn.Parameter(torch.ones(4))
        self.arguments, self.options = arguments, options

    def forward(self, x):
        return F.layer_norm(self.own(x), (4,), self.scale, None, *self.arguments, **self.options)


def with_norms(module: nn.Module, count: int = 2):
    """Makes what stands beside some layers of Keras's that norm by rows."""
    settings = {f"norm_{number}": {"class_name": "LayerNormalization", "epsilon": 1e-3} for number in range(count)}
    built = make_built(module, settings=settings)
    built.binding = SimpleNamespace(table=[])
    built.run = lambda: module(torch.randn(3, 4))
    return built


@pytest.mark.parametrize(("given", "own"), [((), "1e-05"), ((1e-6,), "1e-06")])
def test_an_epsilon_of_a_function_becomes_kerass(given, own):
    module, x = Norms(*given), torch.randn(3, 4) / 10
    built, exact = with_norms(module), Norms(eps=1e-3)(x)
    assert not torch.allclose(module(x), exact, atol=1e-6)
    assert UNDOS["layer-norm-epsilon"].change(built) == [f"forward: layer_norm(eps={own}): write eps=0.001"]
    torch.testing.assert_close(module(x), exact)


def test_functions_are_left_alone_that_are_kerass_or_not_as_many():
    assert UNDOS["layer-norm-epsilon"].change(with_norms(Norms(eps=1e-3))) == []
    assert UNDOS["layer-norm-epsilon"].change(with_norms(Norms(), count=3)) == []
