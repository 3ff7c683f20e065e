"""A factor of logits is taken away, where it stands: in `forward`, or before the loss."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sample_built import make_built
from torch import nn

from parity.adapters.torch.undo.difference import MODULE
from parity.adapters.torch.undo.loss_calls import Calls
from parity.adapters.torch.undo.temperature import UNDOS, factor_of

(UNDO,) = UNDOS
Z, Y = 3 * torch.randn(8, 3, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 2, 0, 1, 2, 0, 1])


BIT = Y[:, None].clamp(0, 1).float()


def cross_entropy(z):
    return F.cross_entropy(z, Y)


@pytest.mark.parametrize(
    ("loss", "right"),
    [
        (lambda z: F.cross_entropy(z / 2, Y), cross_entropy),
        (lambda z: F.nll_loss((z / 2).log_softmax(1), Y), cross_entropy),
        (lambda z: F.cross_entropy(z * 1.0001, Y), cross_entropy),
        (
            lambda z: F.binary_cross_entropy((3 * z[:, :1]).sigmoid(), BIT),
            lambda z: F.binary_cross_entropy(z[:, :1].sigmoid(), BIT),
        ),
    ],
)
def test_a_factor_before_the_loss_is_taken_away(loss, right):
    lines, outputs = [], [Z, Z[:, :1]]

    def change(call):
        call.outputs = outputs
        lines.append(UNDO.change(make_built(), call))

    with Calls(change):
        result = loss(Z)
        F.cross_entropy(Z + 1, Y), F.cross_entropy(Z, Y), F.nll_loss(Z.log_softmax(1), Y)
    torch.testing.assert_close(result, right(Z), rtol=1e-6, atol=0)
    assert "times the module's output: give it the output itself" in lines[0] and not any(lines[1:])


@pytest.mark.parametrize("factor", [0.5, 2.0, 1.0001, 0.7])
def test_a_factor_in_forward_is_found_in_the_probabilities(factor):
    z = (Z / 3).double()
    ours, theirs = ((s * z).softmax(1).float().numpy() for s in (1, factor))
    assert factor_of(ours, theirs) == factor and factor_of(ours, ours) == 1
    ours, theirs = ((s * z[:, :1]).sigmoid().float().numpy() for s in (1, factor))
    assert factor_of(ours, theirs) == factor


def test_other_probabilities_have_no_factor():
    ours, theirs = (Z / 3).softmax(1).numpy(), (Z / 3).square().softmax(1).numpy()
    for other in (theirs, theirs[:, :2], 2 * theirs, -theirs, theirs[:, 0], np.eye(3, dtype=np.float32)[Y]):
        assert factor_of(ours, other) == 1


def test_logits_are_divided_by_their_factor():
    module = nn.Linear(3, 3)
    built = replace(make_built(module), factor=lambda: 2.0)
    right = module(Z) / 2
    assert UNDO.at(MODULE)(built) == ["forward: the logits are 2 times Keras's: leave the factor out"]
    assert torch.equal(module(Z), right)
    assert UNDO.at(MODULE)(make_built(module)) == []
