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
    assert np.flatnonzero(np.isnan(lists["with NaN"])).tolist() == [3, 12]
    # the first one is the best for ever in Keras, and in no other: it has a list of its own
    started = metric_lists(24, starts=(3, 5, 12))
    assert np.flatnonzero(np.isnan(started[callbacks.NAN_FIRST])).tolist() == [0, 3, 5, 12]
    assert np.flatnonzero(np.isnan(started["with NaN"])).tolist() == [4, 13]
    again = metric_lists(24)
    assert all(np.array_equal(values, again[name], equal_nan=True) for name, values in lists.items())


@pytest.mark.parametrize(
    ("steps", "every", "batches"),
    [(1875, 4, 11), (1876, 4, 8), (47, 1, 8), (5, 1, 5), (6, 8, 6), (24, 3, 9), (25, 3, 10), (23, 2, 9)],
)
def test_a_short_epoch_ends_where_the_training_s_does(steps, every, batches):
    assert batches_of_accumulation(steps, every) == batches
    assert batches == steps or (batches - steps) % every == 0 or every == 1


def test_it_is_compared_in_which_batches_files_are_saved_until_all_are_often():
    assert callbacks.batches_of_saving([], 3, 10) == 30 and callbacks.batches_of_saving([], 9, 10) == 30
    often = Callback("ModelCheckpoint", "saves files", settings={"by_batches": True, "save_freq": 4})
    assert callbacks.batches_of_saving([often], 99, 10) == 120 and callbacks.batches_of_saving([often], 5, 10) == 50


def test_which_callbacks_look_at_a_metric():
    saving = Callback("ModelCheckpoint", "saves files", "val_loss", {"save_best_only": False, "logged": False})
    assert not saving.looks_at_metric and not saving.lacks_metric and saving.saves_any
    best = Callback("ModelCheckpoint", "saves files", "val_loss", {"save_best_only": True, "logged": False})
    assert best.looks_at_metric and best.lacks_metric and not best.saves_any
    assert (
        Callback("EarlyStopping", STOP, "loss").looks_at_metric and not Callback("TerminateOnNaN", STOP).looks_at_metric
    )
    assert not Callback("EarlyStopping", STOP, "loss").lacks_metric  # unless it is said
    assert not Callback("ModelCheckpoint", "saves files", settings={"by_time": True}).saves_any


def test_a_callback_of_the_trainer_s_own_is_implied():
    assert Callback("ModelCheckpoint", "saves files", settings={"implied": True}).is_implied
    assert not Callback("ModelCheckpoint", "saves files").is_implied
