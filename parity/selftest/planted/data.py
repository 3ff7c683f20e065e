"""Faulty data modules, one trap each."""

import numpy as np
import torch

from lightning_mlp.data import HeldDataset, MNISTDataModule


class Changed(MNISTDataModule):
    """Changes its tensors once they are there: `change` takes and returns images and labels."""

    def setup(self, stage=None):
        if not hasattr(self, "train_set"):
            super().setup(stage)
            self.train_set, self.val_set = (
                HeldDataset(*self.change(*found.tensors)) for found in (self.train_set, self.val_set)
            )


class Over256(Changed):
    def change(self, images, labels):
        return (images * 255).round() / 256, labels


class Reciprocal(Changed):
    def change(self, images, labels):
        return (images * 255).round() * (1 / 255), labels


class Standardised(Changed):
    def change(self, images, labels):
        return (images - 0.1307) / 0.3081, labels


class Centred(Changed):
    def change(self, images, labels):
        return images * 2 - 1, labels


class Unscaled(Changed):
    def change(self, images, labels):
        return (images * 255).round(), labels


class Inverted(Changed):
    def change(self, images, labels):
        return 1 - images, labels


class Transposed(Changed):
    def change(self, images, labels):
        return images.reshape(-1, 28, 28).transpose(1, 2).reshape(-1, 784).contiguous(), labels


class LabelsSwapped(Changed):
    """One label in a thousand of one class is another."""

    def change(self, images, labels):
        labels = labels.clone()
        labels[torch.nonzero(labels == 4).ravel()[::1000]] = 9
        return images, labels


class OwnShuffle(MNISTDataModule):
    def __init__(self, **arguments):
        super().__init__(**{**arguments, "order": None})


class DropLast(MNISTDataModule):
    def __init__(self, **arguments):
        super().__init__(**arguments)
        prescribed = self.order
        if prescribed:
            self.order = lambda epoch: (rows := prescribed(epoch))[: len(rows) // self.batch_size * self.batch_size]


class SwappedBatches(MNISTDataModule):
    """Exchanges the fourth and the fifth batch."""

    def __init__(self, **arguments):
        super().__init__(**arguments)
        prescribed, size = self.order, self.batch_size

        def order(epoch):
            rows = np.array(prescribed(epoch))
            if len(rows) < self.ordinary_samples:
                rows[3 * size : 5 * size] = np.roll(rows[3 * size : 5 * size], size)
            return rows

        if prescribed:
            self.order = order

    ordinary_samples = 3_000  # a pass over all data is left as it is


class ValidatesTraining(MNISTDataModule):
    def val_dataloader(self):
        self.val_set = self.train_set
        return super().val_dataloader()
