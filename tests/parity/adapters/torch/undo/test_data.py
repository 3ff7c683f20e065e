"""What was done to rows is found from their values, and taken back; hooks that change batches are left out."""

from types import SimpleNamespace

import lightning
import numpy as np
import pytest
import torch

from parity.adapters.torch.undo.data import find_change, keep_inputs, leave_batches

X = np.random.default_rng(0).random((20, 16)).astype(np.float32)
IMAGES, Y = X.reshape(20, 4, 4, 1), np.arange(20) % 3


@pytest.mark.parametrize(
    ("theirs", "id", "text"),
    [
        (X * 255 / 256, "pixels-256", "values are 0.996094 x, Keras's are x"),
        (X * 255, "pixels-unscaled", "values are 255 x, Keras's are x"),
        (2 * X - 1, "pixels-centred", "values are 2 x - 1, Keras's are x"),
        (1 - X, "pixels-inverted", "values are -1 x + 1, Keras's are x"),
        ((X - 0.1307) / 0.3081, "pixels-standardised", "values are 3.2457 x - 0.424213, Keras's are x"),
        (X * 0.7, "inputs-scaled", "values are 0.7 x, Keras's are x"),
        ((X - X.mean(0)) / X.std(0), "inputs-scaled", "each column is scaled by itself"),
        (X.reshape(-1, 4, 4)[:, :, ::-1].reshape(20, 16), "pixels-moved", "the same values, mirrored along axis 2"),
        (X.reshape(-1, 4, 4).mT.reshape(20, 16), "pixels-moved", "with the axes 1 and 2 exchanged"),
        (X[:, [1, 0, *range(2, 16)]], "pixels-moved", "columns in another order: Keras's 0 is the port's 1"),
    ],
)
def test_what_was_done_to_inputs_is_named_and_taken_back(theirs, id, text):
    theirs = np.ascontiguousarray(theirs, np.float32)
    change = find_change(X, theirs)
    assert change.id == id and text in change.text
    np.testing.assert_allclose(change.back(theirs), X, atol=2e-6)


def test_images_are_mirrored_and_turned_back():
    theirs = IMAGES[:, ::-1]
    change = find_change(IMAGES, theirs)
    assert change.text == "the same values, mirrored along axis 1" and np.array_equal(change.back(theirs), IMAGES)


def test_labels_follow_a_rule_or_none():
    assert find_change(Y, Y + 1, True).text == "labels are Keras's +1"
    change = find_change(Y, (Y + 1) % 3, True)
    assert change.id == "labels-changed" and np.array_equal(change.back((Y + 1) % 3), Y)
    assert find_change(Y, np.sort(Y), True) is None and find_change(Y, Y, True) is None


def test_other_values_are_no_change_that_is_known():
    assert find_change(X, X[::-1].copy()) is None and find_change(X, X) is None
    assert find_change(X, X[:, :4]) is None


def test_a_hook_that_changes_batches_is_left_out_and_says_how():
    class Port(lightning.LightningModule):
        def on_after_batch_transfer(self, batch, dataloader_idx):
            return batch[0] * 0.5, batch[1]

    batch = torch.from_numpy(X), torch.from_numpy(Y)
    built = SimpleNamespace(module=Port(), batch=lambda: batch)
    assert leave_batches(built) == ["on_after_batch_transfer: values are 0.5 x, Keras's are x: leave it out"]
    assert built.module.on_after_batch_transfer(batch, 0) is batch
    assert leave_batches(SimpleNamespace(module=lightning.LightningModule(), batch=lambda: batch)) == []


def test_what_a_step_does_to_inputs_is_left_out():
    put_back = []
    change = SimpleNamespace(
        kind="input", hook="training_step", text="values are 2 x", put_back=lambda: put_back.append(1)
    )
    assert keep_inputs(None, change) == "training_step: values are 2 x: leave it out" and put_back == [1]
    assert keep_inputs(None, SimpleNamespace(kind="rate")) is None
