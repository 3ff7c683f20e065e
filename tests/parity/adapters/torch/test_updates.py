"""In which batches Lightning updates weights: by the Trainer's argument, or by the callback that changes it."""

import numpy as np
import pytest
from lightning.pytorch.callbacks import EarlyStopping, GradientAccumulationScheduler

from parity.adapters.torch.updates import accumulation_of, schedule_in, updates_of


def test_updates_are_those_of_a_training():
    assert updates_of({0: 1}, 8, 9).size == 0
    assert np.flatnonzero(updates_of({0: 3}, 8, 9)).tolist() == [2, 5, 7, 10, 13, 15]  # an epoch ends with one


def test_updates_are_seen_as_far_as_they_change():
    updates = updates_of({0: 1, 2: 4}, 4, 9)
    assert np.flatnonzero(updates).tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 11]
    assert updates_of({0: 1, 5: 4}, 4, 3).all() and updates_of({0: 1, 5: 4}, 4, 3).size == 12  # never in three epochs


@pytest.mark.parametrize(
    ("options", "schedule", "accumulation"),
    [
        ({}, {0: 1}, {}),
        ({"callbacks": EarlyStopping("a"), "accumulate_grad_batches": 1}, {0: 1}, {"accumulate_grad_batches": 1}),
        ({"accumulate_grad_batches": 3}, {0: 3}, {"accumulate_grad_batches": 3}),
        ({"callbacks": [GradientAccumulationScheduler({0: 3})]}, {0: 3}, {"accumulate_grad_batches": 3}),
        ({"callbacks": GradientAccumulationScheduler({2: 3})}, {0: 1, 2: 3}, {}),
    ],
)
def test_a_schedule_of_updates_is_found(options, schedule, accumulation):
    assert schedule_in(options) == schedule and accumulation_of(options) == accumulation
