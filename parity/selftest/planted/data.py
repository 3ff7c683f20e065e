"""Faulty data modules, one trap each."""

import torch
from torch.utils.data import DataLoader, TensorDataset

from lightning_mlp.data import HeldDataset, MNISTDataModule


class Changed(MNISTDataModule):
    """Changes its tensors once they are there: `change` takes and returns images and labels."""

    def setup(self, stage=None):
        if self.train_set is None:
            super().setup(stage)
            self.train_set = HeldDataset(*self.change(*self.train_set.tensors))
            self.val_set = HeldDataset(*self.change(*self.val_set.tensors))


def with_images(name, change):
    """Builds a data module whose images (N, 784) are `change(images)`."""
    return type(name, (Changed,), {"change": lambda self, images, labels: (change(images), labels)})


Over256 = with_images("Over256", lambda images: (images * 255).round() / 256)
Standardised = with_images("Standardised", lambda images: (images - 0.1307) / 0.3081)
Centred = with_images("Centred", lambda images: images * 2 - 1)
Unscaled = with_images("Unscaled", lambda images: (images * 255).round())
Inverted = with_images("Inverted", lambda images: 1 - images)
Transposed = with_images(
    "Transposed", lambda images: images.reshape(-1, 28, 28).transpose(1, 2).reshape(-1, 784).contiguous()
)


class LabelsSwapped(Changed):
    """One label in a thousand of one class is another."""

    def change(self, images, labels):
        labels = labels.clone()
        labels[torch.nonzero(labels == 4).ravel()[::1000]] = 9
        return images, labels


class InOrder(MNISTDataModule):
    """Serves the training rows as they lie."""

    def train_dataloader(self):
        return DataLoader(TensorDataset(*self.train_set.tensors), self.batch_size)


class ValidatesTraining(MNISTDataModule):
    def val_dataloader(self):
        self.val_set = self.train_set
        return super().val_dataloader()
