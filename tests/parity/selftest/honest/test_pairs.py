"""Honest pairs: every kind of layer, optimizer, data set and training is drawn, and none that cannot be alike."""

from collections import Counter

import pytest

from parity.selftest.honest.data import ROWS
from parity.selftest.honest.models import KINDS
from parity.selftest.honest.pairs import OPTIMIZERS, draw_pair


@pytest.fixture(scope="module")
def pairs():
    """Some pairs."""
    return [draw_pair(seed) for seed in range(600)]


def test_every_kind_is_drawn(pairs):
    counts = Counter(layer.kind for pair in pairs for layer in pair.layers)
    assert counts.keys() == KINDS.keys()
    assert {pair.optimizer for pair in pairs} == set(OPTIMIZERS)
    assert {pair.rows.name for pair in pairs} == {rows.name for rows in ROWS}
    settings = {(pair.setting.backend, pair.setting.precision) for pair in pairs}
    assert settings == {("tensorflow", "float32"), ("tensorflow", "float64"), ("jax", "float32")}
    assert {pair.is_named for pair in pairs} == {pair.is_sequential for pair in pairs} == {True, False}
    assert any("torch.optim.SGD" in pair.torch_optimizer for pair in pairs)
    assert {pair.clip for pair in pairs} == {0.0, 0.0625}


def test_sparse_gradients_are_left_to_sgd_on_tensorflow(pairs):
    sparse = [pair for pair in pairs if pair.rows.words and pair.setting.backend == "tensorflow"]
    assert sparse and all(pair.optimizer.kind == "KerasSGD" and not pair.clip for pair in sparse)


def test_a_rate_that_changes_is_carried_by_kerass_velocity(pairs):
    scheduled = [pair for pair in pairs if pair.training.rate and "momentum" in pair.optimizer.torch]
    assert scheduled and not any("torch.optim.SGD" in pair.torch_optimizer for pair in scheduled)


def test_the_last_batch_is_half_of_one(pairs):
    for pair in pairs:
        assert pair.count % pair.batch_size == pair.batch_size - pair.batch_size // 2
        assert pair.count + 50 <= pair.rows.most


def test_updates_of_several_batches_end_with_an_epoch(pairs):
    for pair in pairs:
        batches = -(-pair.count // pair.batch_size)
        assert batches and batches % pair.training.accumulated == 0
    assert {pair.training.accumulated for pair in pairs} == {1, 2, 3, 4}
    assert {pair.has_input for pair in pairs} == {bool(pair.second) for pair in pairs} == {True, False}
