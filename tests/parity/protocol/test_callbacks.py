"""The lists of metrics: long enough for every callback, and no improvement in them is as large as a threshold."""

import numpy as np
import pytest

from parity.protocol import callbacks
from parity.protocol.callbacks import PLATEAU, STOP, Callback, batches_of_accumulation, epochs_needed, metric_lists


def test_lists_last_until_every_callback_can_have_decided_twice():
    assert epochs_needed([]) == callbacks.LEAST_EPOCHS == 24
    assert epochs_needed([Callback("EarlyStopping", STOP, "loss", {"patience": 3, "start": None})]) == 24
    plateau = Callback("ReduceLROnPlateau", PLATEAU, "loss", {"patience": 10, "cooldown": 5})
    assert epochs_needed([plateau, Callback("EarlyStopping", STOP, "loss", {"patience": 12, "start": 8})]) == 52


@pytest.mark.parametrize("least", [0.0, 0.01, 0.3])
@pytest.mark.parametrize("epochs", [24, 90])
def test_no_sum_of_improvements_is_as_large_as_a_threshold(least, epochs):
    lists = metric_lists(epochs, least, longest=20)
    threshold = least or callbacks.SMALL
    for name, values in lists.items():
        assert values.shape == (epochs,) and np.array_equal(values, values.astype(np.float32), equal_nan=True), name
        gaps = np.abs(values[:, None] - values[None])
        for limit in (threshold, 1e-4 * np.abs(values)):
            near = np.abs(gaps - limit)[np.isfinite(gaps)]
            assert near.min() > 2 * np.spacing(np.float32(np.nanmax(np.abs(values)))), name


def test_lists_fall_and_rise_stand_still_and_are_no_numbers():
    lists = metric_lists(24)
    assert (np.diff(lists["falling"]) < 0).all() and (np.diff(lists["rising"]) > 0).all()
    assert len(set(lists["flat"])) == 1 and np.isnan(lists["with NaN"]).sum() == 2
    assert not np.isnan(lists["with NaN"][0])  # the first one would be the best for ever in Keras, and in no other
    again = metric_lists(24)
    assert all(np.array_equal(values, again[name], equal_nan=True) for name, values in lists.items())


@pytest.mark.parametrize(
    ("steps", "every", "batches"),
    [(1875, 4, 11), (1876, 4, 8), (47, 1, 8), (5, 1, 5), (6, 8, 6), (24, 3, 9), (25, 3, 10), (23, 2, 9)],
)
def test_a_short_epoch_ends_where_the_training_s_does(steps, every, batches):
    assert batches_of_accumulation(steps, every) == batches
    assert batches == steps or (batches - steps) % every == 0 or every == 1


def test_a_callback_of_the_trainer_s_own_is_implied():
    assert Callback("ModelCheckpoint", "saves files", settings={"implied": True}).is_implied
    assert not Callback("ModelCheckpoint", "saves files").is_implied
