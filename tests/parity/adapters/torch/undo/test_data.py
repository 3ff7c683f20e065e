"""What was done to rows is found from their values, and taken back; hooks that change batches are left out."""

from types import SimpleNamespace

import lightning
import numpy as np
import pytest
import torch
from sample_built import make_built
from sample_undoing import Port, build, tensors
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from parity.adapters.torch.rows import UserRows
from parity.adapters.torch.undo.data import (
    find_change,
    keep_inputs,
    leave_batches,
    read_features_last,
    repair,
    turned_back,
)

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


class Held(TensorDataset):
    """Gives whole batches."""

    def __getitem__(self, rows):
        return tuple(tensor[rows] for tensor in self.tensors)


def served(x, y, numbered: bool, order=None) -> DataLoader:
    """Returns a loader of rows, with or without numbers, in an order."""
    order = np.arange(len(x)) if order is None else order
    tensors = torch.from_numpy(x), torch.from_numpy(y)
    if numbered:
        return DataLoader(TensorDataset(*(tensor[order] for tensor in tensors)), batch_size=30, shuffle=True)
    return DataLoader(Held(*tensors), sampler=[*torch.from_numpy(order).split(30)], batch_size=None)


MANY, LABELS = np.random.default_rng(1).random((120, 9)).astype(np.float32), np.arange(120) % 5
RELABELLED = LABELS.copy()
RELABELLED[[3, 50]] = 4
ORDER = np.random.default_rng(2).permutation(120)


def repaired(id: str, *loaders) -> tuple[list[str], list[int]]:
    """Undoes a difference in both splits; returns what is said, and how many rows differ then."""
    arrays = {"x_train": MANY, "y_train": LABELS, "x_test": MANY, "y_test": LABELS}
    built = make_built()
    built.rows = rows = UserRows(loaders, arrays, "float32", "own.py: lightning_data()")
    lines, chunks = repair(built, id), rows.chunks
    rows.chunks = lambda split, count: turned_back(chunks, built.repairs, split, count)
    return lines, [rows.describe(split, "full")["different"] for split in ("train", "test")]


@pytest.mark.parametrize("numbered", [True, False])
def test_rows_with_and_without_numbers_are_turned_back(numbered):
    x = MANY * np.float32(255 / 256)
    lines, different = repaired("pixels-256", served(x, LABELS, numbered), served(x, LABELS, numbered))
    assert lines == ["lightning_data(), input as in Keras: values are 0.996094 x, Keras's are x"] and different == [
        0,
        0,
    ]
    assert repaired("inputs-scaled", served(x, LABELS, numbered), served(x, LABELS, numbered)) == ([], [120, 120])


def test_what_was_done_to_one_split_is_tried_on_the_other_where_its_rows_have_no_numbers():
    x = 2 * MANY - 1
    lines, different = repaired("pixels-centred", served(x, LABELS, False, ORDER), served(x, LABELS, False))
    assert len(lines) == 1 and different == [0, 0]
    lines, different = repaired("pixels-centred", served(MANY, LABELS, False, ORDER), served(x, LABELS, False))
    assert len(lines) == 1 and different == [0, 0]  # the rows of the training are right, and stay


@pytest.mark.parametrize("numbered", [True, False])
@pytest.mark.parametrize("order", [None, ORDER])
def test_rows_with_other_targets_get_keras_targets(numbered, order):
    given = served(MANY, RELABELLED, numbered, order), served(MANY, LABELS, numbered)
    lines, different = repaired("labels-changed", *given)
    assert lines == ["lightning_data(): 2 rows of the training loader: other targets than Keras's"]
    assert different == [0, 0] and repaired("pixels-moved", *given)[1][0] >= 2


def test_rows_that_are_nowhere_get_no_targets():
    other = np.random.default_rng(3).random((120, 9)).astype(np.float32)
    assert repaired("labels-changed", served(other, LABELS, True), served(MANY, LABELS, True))[0] == []


def test_what_a_step_does_to_inputs_is_left_out():
    put_back = []
    change = SimpleNamespace(
        kind="input", hook="training_step", text="values are 2 x", put_back=lambda: put_back.append(1)
    )
    assert keep_inputs(None, change) == "training_step: values are 2 x: leave it out" and put_back == [1]
    assert keep_inputs(None, SimpleNamespace(kind="rate")) is None


def test_rows_of_a_square_that_lie_features_first_are_turned_for_what_reads_features_last():
    x, table = torch.randn(2, 4, 4), tensors("first", "SimpleRNN", (4, 3), (3, 3), (3,))
    for form, layer, forward, count in (
        ("channels first", nn.RNN(4, 3, batch_first=True), lambda self, x: self.first(x)[0], 1),
        ("as in Keras", nn.RNN(4, 3, batch_first=True), lambda self, x: self.first(x)[0], 0),
        ("channels first", nn.RNN(4, 3, batch_first=True), lambda self, x: self.first(x.mT)[0], 0),
    ):
        built = build(Port(forward, first=layer), x, {"first": {"class_name": "SimpleRNN"}}, table)
        built.rows = SimpleNamespace(places={0: SimpleNamespace(part=0, form=SimpleNamespace(name=form))})
        before = layer(x if count == 0 and form != "channels first" else x.mT)[0]
        assert len(read_features_last(built)) == count
        torch.testing.assert_close(built.run(), before)
    built.rows = None
    assert read_features_last(built) == []
