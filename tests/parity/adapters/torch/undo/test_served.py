"""Loaders that leave rows out serve all, and a validation of training rows gets Keras's; others stay as they are."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sample_built import make_built
from torch.utils.data import BatchSampler, DataLoader, IterableDataset, RandomSampler, TensorDataset

from parity.adapters.torch.rows import UserRows
from parity.adapters.torch.undo.difference import Built
from parity.adapters.torch.undo.served import serve_last, validate, visit, whole

DRAW = np.random.default_rng(0)
X, Y = DRAW.random((50, 4)).astype(np.float32), DRAW.integers(0, 3, 50)
TRAIN, VAL = (
    TensorDataset(torch.from_numpy(X[part]), torch.from_numpy(Y[part])) for part in (slice(30), slice(30, 50))
)
DROPPED = {"batch_size": 8, "shuffle": True, "drop_last": True}


def make(train, val) -> Built:
    """Returns what is built of two loaders."""
    arrays = {"x_train": X[:30], "y_train": Y[:30], "x_test": X[30:], "y_test": Y[30:]}
    built = make_built()
    built.rows = UserRows((train, val), arrays, "float32", "own.py: lightning_data()")
    return built


class Stream(IterableDataset):
    """Rows that have no numbers."""

    def __iter__(self):
        return iter([TRAIN[number] for number in range(30)])


@pytest.mark.parametrize(
    "loader",
    [
        DataLoader(TRAIN, **DROPPED),
        DataLoader(TRAIN, batch_sampler=BatchSampler(RandomSampler(TRAIN), 8, True)),
        DataLoader(Stream(), batch_size=8, drop_last=True),
    ],
)
def test_the_last_batch_is_served(loader):
    built = make(loader, DataLoader(VAL, batch_size=8))
    assert sum(len(y) for _, y in loader) == 24
    (line,) = serve_last(built)
    assert line == (
        "lightning_data(), the training loader leaves out 6 of 30 rows in every epoch: write drop_last=False"
    )
    assert [len(y) for _, y in built.rows.loaders["train"]] == [8, 8, 8, 6]
    found = built.rows.describe("train", "full")
    assert not found["drop_last"] and (found["samples"], found["different"]) == (30, 0)
    assert serve_last(built) == [] and sum(len(y) for _, y in loader) == 24


def test_a_validation_that_leaves_rows_out_is_told_and_full_batches_are_no_difference():
    built = make(DataLoader(TRAIN, batch_size=10, drop_last=True), DataLoader(VAL, batch_size=8, drop_last=True))
    (line,) = serve_last(built)
    assert "the validation loader leaves out 4 of 20 rows" in line
    plain = DataLoader(TRAIN, batch_size=8)
    assert serve_last(make(plain, plain)) == [] and [len(y) for _, y in whole(plain)] == [8, 8, 8, 6]


@pytest.mark.parametrize("options", [{"batch_size": 8}, {"batch_size": 8, "shuffle": True}])
def test_a_validation_of_training_rows_gets_keras_rows(options):
    built = make(DataLoader(TRAIN, batch_size=8, shuffle=True), DataLoader(TRAIN, **options))
    assert built.rows.describe("test", "full")["samples"] == 30
    (line,) = validate(built)
    assert line.startswith("lightning_data(): the validation loader serves the training rows")
    found = built.rows.describe("test", "full")
    assert (found["samples"], found["different"], found["batch_size"]) == (20, 0, 8)
    assert validate(built) == []


def test_other_rows_in_the_validation_are_left():
    other = TensorDataset(torch.from_numpy(X[30:] + 1), torch.from_numpy(Y[30:]))
    assert validate(make(DataLoader(TRAIN, batch_size=8), DataLoader(other, batch_size=8))) == []
    assert validate(make(DataLoader(TRAIN, batch_size=8), DataLoader(VAL, batch_size=8))) == []


@pytest.mark.parametrize(("ours", "theirs"), [(True, False), (False, True)])
def test_rows_are_shuffled_as_in_keras(ours, theirs):
    given = DataLoader(TRAIN, batch_size=8, shuffle=theirs, drop_last=True)
    built = make(given, DataLoader(VAL, batch_size=8))
    built.facts = replace(built.facts, data={"train": {"shuffles": ours}})
    (line,) = visit(built)
    assert line.endswith(f"write shuffle={ours}")
    torch.manual_seed(0)
    loader = built.rows.loaders["train"]
    served = [torch.cat([y for _, y in loader]).tolist() for _ in range(2)]
    assert (served[0] != served[1]) == ours and built.rows.describe("train", "full")["shuffles"] == ours
    assert visit(built) == [] and len(served[0]) == 24


def test_an_order_that_is_not_known_is_left():
    built = make(DataLoader(Stream(), batch_size=8), DataLoader(VAL, batch_size=8))
    for ours in (True, None):
        built.facts = replace(built.facts, data={"train": {"shuffles": ours}})
        assert visit(built) == []
