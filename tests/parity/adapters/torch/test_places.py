"""Several of Keras's inputs may stand side by side in one tensor of a batch."""

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from mlp_spec.support.errors import UserError
from parity.adapters.torch.places import order_in, side_by_side
from parity.adapters.torch.rows import UserRows
from parity.protocol.user_data import joined

DRAW = np.random.default_rng(0)
Y, CODES, W = DRAW.integers(0, 3, 50), DRAW.integers(0, 9, (50, 3)), DRAW.random(50)
LABELS = torch.from_numpy(Y)


def rows_of(loader, x) -> UserRows:
    """Returns the rows of a loader, beside Keras's."""
    arrays = {"x_train": x, "y_train": Y, "x_test": x, "y_test": Y}
    return UserRows((loader, loader), arrays, "float32", "own.py: lightning_data()")


def loader_of(*tensors) -> DataLoader:
    """Returns a loader of some tensors."""
    return DataLoader(TensorDataset(*tensors), batch_size=8)


def places(rows: UserRows) -> list[str]:
    """Returns what was found, in words."""
    return [str(place) for place in rows.places.values()]


def test_inputs_that_stand_side_by_side_are_found_in_their_order_and_served_there():
    columns = {"age": DRAW.integers(0, 90, 50), "codes": CODES, "sum": W.astype(np.float32)}
    x, table = joined(columns), torch.from_numpy(np.column_stack([W, columns["age"], CODES]).astype(np.float32))
    rows = rows_of(loader_of(table, LABELS), x)
    assert places(rows) == ["inputs sum, age, codes side by side", "target as in Keras"]
    batch = rows.batch_of(x[5:9], Y[5:9])
    assert torch.equal(batch[0], table[5:9]) and batch[0].dtype == torch.float32
    assert rows.describe("train", "full")["different"] == 0
    one_off = table.clone()
    one_off[7, 1] += 1
    assert rows_of(loader_of(one_off, LABELS), x).describe("train", "full")["different"] == 1
    with pytest.raises(UserError, match=r"x_train \(age\) has rows of \(\)"):
        rows_of(loader_of(table[:, 1:], LABELS), x)


def test_inputs_side_by_side_of_a_loader_without_numbers_stand_in_keras_order():
    class Rows(IterableDataset):
        def __iter__(self):
            return iter(list(zip(table, LABELS, strict=True))[::-1])

    x = joined({"age": DRAW.integers(10, 90, 50), "codes": CODES + 10})
    table = torch.from_numpy(np.column_stack([x["age"], x["codes"]]))
    rows = rows_of(DataLoader(Rows(), batch_size=8), x)
    assert places(rows)[0] == "inputs age, codes side by side" and rows.places[0].form.gap == 0


def test_the_order_is_keras_where_values_do_not_tell():
    table = np.column_stack([CODES[:, 0], W]).astype(np.float32)
    assert order_in({"w": W, "code": CODES[:, 0]}, table) == ("code", "w")
    assert order_in({"w": W, "code": CODES[:, 0]}, table * 2 + 1) == ("w", "code")
    place = side_by_side({"w": W, "code": CODES[:, 0]}, {3: table * 2 + 1}, is_ordered=True)[3]
    assert place.names == ("w", "code") and place.form.gap > 0.1


def test_one_input_alone_and_images_stand_beside_nothing():
    assert not side_by_side({"code": CODES}, {0: CODES}, is_ordered=True)
    images = np.zeros((50, 2, 2))
    assert not side_by_side({"image": images, "w": W}, {0: np.zeros((50, 5))}, is_ordered=True)
