"""Planted data modules: each serves what it claims to, from the offline sample."""

from functools import cache

import numpy as np
import pytest
import torch

from lightning_mlp.data import MNISTDataModule
from parity.selftest.faults import FAULTS
from parity.selftest.planted import data

NAMES = [fault.name for fault in FAULTS if fault.data]


@cache
def served(name: str | None = None):
    """Returns what a data module serves in its first epoch: training images, labels, rows of batches; validation."""
    cls = getattr(data, name) if name else MNISTDataModule
    module = cls(dataset="mnist-sample", batch_size=64, order=lambda epoch: np.arange(1000))
    module.setup("fit")
    batches = list(module.train_dataloader())
    images, labels = (torch.cat([batch[place] for batch in batches]) for place in (0, 1))
    return images, labels, [len(batch[1]) for batch in batches], sum(len(b[1]) for b in module.val_dataloader())


@pytest.mark.parametrize("name", NAMES)
def test_a_planted_data_module_serves_something_else(name):
    sound, faulty = served(), served(name)
    assert not all(
        torch.equal(ours, theirs) if isinstance(ours, torch.Tensor) and ours.shape == theirs.shape else ours == theirs
        for ours, theirs in zip(sound, faulty, strict=True)
        if not isinstance(ours, torch.Tensor) or ours.shape == theirs.shape
    )


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("Over256", 0, 255 / 256), ("Standardised", -0.4242, 2.8215), ("Centred", -1, 1),
     ("Unscaled", 0, 255), ("Inverted", 0, 1)],
)  # fmt: skip
def test_pixels_are_scaled_otherwise_and_labels_are_the_same(name, low, high):
    images, labels, *_ = served(name)
    assert (float(images.min()), float(images.max())) == pytest.approx((low, high), abs=1e-3)
    assert torch.equal(labels, served()[1])


def test_transposed_images_are_the_same_pixels_at_other_places():
    ours, theirs = served()[0], served("Transposed")[0]
    assert torch.equal(theirs.reshape(-1, 28, 28).transpose(1, 2), ours.reshape(-1, 28, 28))


def test_rows_are_served_as_they_lie():
    module = data.InOrder(dataset="mnist-sample", batch_size=64)
    module.setup("fit")
    labels = torch.cat([batch[1] for batch in module.train_dataloader()])
    assert torch.equal(labels, module.train_set.tensors[1])


def test_validation_is_on_the_training_data():
    assert (served()[3], served("ValidatesTraining")[3]) == (1000, 4000)
