"""Faults for a study of many seeds: what is larger than its margins, what is smaller, and what is none."""

import numpy as np
import pytest
import torch

from keras_like.optimizers import KerasSGD
from lightning_mlp.model import LitMLP
from parity.selftest.planted import seeds

IMAGES = torch.rand(8, 784, generator=torch.Generator().manual_seed(0))


def build(cls):
    torch.manual_seed(0)
    return cls(hidden_sizes=(6, 5))


def test_a_rate_a_fifth_lower():
    (group,) = build(seeds.RateFifthLower).configure_optimizers().param_groups
    assert group["lr"] == pytest.approx(0.008)


def test_half_the_momentum():
    optimizer = build(seeds.HalfMomentum).configure_optimizers()
    assert isinstance(optimizer, KerasSGD) and optimizer.param_groups[0]["momentum"] == 0.5


def test_no_shuffle_visits_the_samples_in_their_own_order():
    module = seeds.NoShuffle(dataset="mnist-sample")
    module.setup("fit")
    assert all(np.array_equal(module.order(epoch), np.arange(4000)) for epoch in (0, 1))


def test_another_generator_shuffles_every_epoch_anew_and_alike_for_a_seed():
    module = seeds.OtherGenerator(dataset="mnist-sample", seed=3)
    module.setup("fit")
    first, second = module.order(0), module.order(1)
    assert sorted(first) == sorted(second) == list(range(4000)) and not np.array_equal(first, second)
    again = seeds.OtherGenerator(dataset="mnist-sample", seed=3)
    again.setup("fit")
    assert np.array_equal(again.order(0), first)


def test_sums_in_reverse_order_round_otherwise_and_are_the_same_mathematics():
    ours, theirs = build(LitMLP)(IMAGES), build(seeds.RoundedOtherwise)(IMAGES)
    assert torch.allclose(ours, theirs, atol=1e-5)
    exact = [build(cls).double()(IMAGES.double()) for cls in (LitMLP, seeds.RoundedOtherwise)]
    assert torch.allclose(*exact, atol=1e-13)
