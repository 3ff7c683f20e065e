"""Norms are rounded as well as Keras's, wherever they are taken, and nothing else is changed."""

import numpy as np
import pytest
import torch
from torch import nn

from parity.adapters.torch.norms import ExactNorms

GRADIENT = torch.from_numpy(np.random.default_rng(0).normal(size=(700, 900)).astype(np.float32))
EXACT = float(np.linalg.norm(GRADIENT.numpy().astype(np.float64)))
WAYS = {
    "norm": lambda g: g.norm(),
    "of a dimension": lambda g: g.ravel().norm(dim=0),
    "torch.norm": torch.norm,
    "linalg": lambda g: torch.linalg.norm(g.ravel()),
    "vector": torch.linalg.vector_norm,
    "several": lambda g: torch._foreach_norm([g, g])[1],
    "clipping": lambda g: nn.utils.get_total_norm([g]),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_norm_is_rounded_once(way):
    with ExactNorms():
        norm = WAYS[way](GRADIENT)
    assert norm.dtype == torch.float32 and abs(float(norm) / EXACT - 1) < 1e-7


def test_pytorchs_own_is_further_away():
    """Says so when PyTorch sums better, and this is no longer needed."""
    assert abs(float(torch.linalg.vector_norm(GRADIENT)) / EXACT - 1) > 1e-6


def test_gradients_are_clipped_by_it_in_place():
    weight = nn.Parameter(torch.zeros_like(GRADIENT))
    weight.grad = GRADIENT.clone()
    with ExactNorms():
        nn.utils.clip_grad_norm_([weight], 1.0)
    torch.testing.assert_close(weight.grad, (GRADIENT.double() / EXACT).float(), rtol=2e-7, atol=0)


def test_everything_else_is_as_it_was():
    exact, few = GRADIENT[:9].double(), GRADIENT[:9].clone().requires_grad_()
    with ExactNorms():
        assert torch.equal(exact.norm(), torch.linalg.vector_norm(exact))
        assert float(few.norm(1).detach()) == pytest.approx(float(few.detach().abs().sum()), rel=1e-6)
        few.norm().backward()
        assert torch.norm(few.detach(), dtype=torch.float64).dtype == torch.float64
    torch.testing.assert_close(few.grad, few.detach() / few.detach().norm())
