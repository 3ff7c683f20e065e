"""Loaders serve other rows."""

from types import SimpleNamespace

import pytest
import torch
from torch.utils.data import DataLoader, RandomSampler, SequentialSampler, TensorDataset

from parity.selftest.planted import rows


@pytest.fixture
def data():
    """A data module over pictures whose labels are their numbers."""
    dataset = TensorDataset(torch.rand(200, 2, 2), torch.arange(200) % 10)
    return SimpleNamespace(
        train_dataloader=lambda: DataLoader(dataset, 4, shuffle=True), val_dataloader=lambda: DataLoader(dataset, 8)
    )


def test_both_loaders_serve_other_rows_in_the_same_batches(data):
    changed = rows.with_rows(lambda x, y: (1 - x, y + 1))(data)
    for name, size, sampler in (("train_dataloader", 4, RandomSampler), ("val_dataloader", 8, SequentialSampler)):
        loader, own = getattr(changed, name)(), getattr(data, name)()
        assert loader.batch_size == size and isinstance(loader.sampler, sampler)
        for new, old, sign in zip(loader.dataset.tensors, own.dataset.tensors, (-1, 1), strict=True):
            torch.testing.assert_close(new, 1 + sign * old)


def test_inputs_or_targets_alone_are_changed(data):
    x, y = data.val_dataloader().dataset.tensors
    for plant in (one for one in rows.ROWS if one.data and one.id not in ("inputs-scaled",)):
        new_x, new_y = plant.data(data).val_dataloader().dataset.tensors
        assert torch.equal(new_x, x) == (plant.touches == ("targets",)), plant.name
        assert torch.equal(new_y, y) == (plant.touches == ("inputs",)), plant.name


def test_a_batch_is_centred():
    x, y = rows.centre(None, (torch.tensor([0.0, 1.0]), 3), 0)
    assert x.tolist() == [-1.0, 1.0] and y == 3
