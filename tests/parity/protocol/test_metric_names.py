"""Which logged metric is which of Keras's is found by the words of their names."""

import pytest

from parity.protocol.metric_names import counts_rows, find_logged, is_accuracy


@pytest.mark.parametrize(
    ("name", "logged", "found"),
    [
        ("loss", ["train_loss", "val_loss"], ["train_loss"]),
        ("loss", ["loss_epoch", "loss_step_5", "val/loss"], ["loss_epoch"]),
        ("loss", ["train_loss", "train_loss_epoch"], ["train_loss_epoch"]),
        ("val_loss", ["train_loss", "valid/loss"], ["valid/loss"]),
        ("val_accuracy", ["val/acc", "train/acc"], ["val/acc"]),
        ("val_acc", ["valAccuracy"], ["valAccuracy"]),
        ("accuracy", ["Train Accuracy"], ["Train Accuracy"]),
        ("val_sparse_categorical_accuracy", ["test_acc"], ["test_acc"]),
        ("val_mean_absolute_error", ["validation_mae"], ["validation_mae"]),
        ("val_mae", ["val_mse"], []),
        ("val_loss", ["val_loss", "valid_loss"], ["val_loss"]),
        ("val_accuracy", ["dev_acc", "test_acc"], ["dev_acc", "test_acc"]),
        ("accuracy", [], []),
    ],
)
def test_names_are_matched(name, logged, found):
    assert find_logged(name, logged, {}) == found


def test_the_user_has_the_last_word():
    assert find_logged("val_accuracy", ["dev_acc", "other"], {"val_accuracy": "other"}) == ["other"]
    assert find_logged("val_accuracy", ["dev_acc"], {"val_accuracy": "other"}) == []


def test_accuracies_are_told():
    assert is_accuracy("val_acc") and is_accuracy("sparse_categorical_accuracy") and not is_accuracy("val_loss")


def test_accuracies_of_outputs_are_shares_of_rows_too():
    assert counts_rows("val_kind_accuracy") and counts_rows("kind_acc") and counts_rows("accuracy")
    assert not counts_rows("kind_loss") and not is_accuracy("val_kind_accuracy")
