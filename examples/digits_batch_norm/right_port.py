"""The network of `keras_model.py` in Lightning, the same; comments stand where `first_port.py` has another line."""

import lightning
import torch
import torch.nn.functional as F
from data import load_data
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from keras_like.initializers import glorot_uniform_
from keras_like.normalization import KerasBatchNorm2d
from keras_like.optimizers import KerasSGD


class DigitsBatchNorm(lightning.LightningModule):
    """Two convolutions, each with batch norm, and a linear layer behind dropout."""

    def __init__(self):
        super().__init__()
        self.model = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding="same"),
            KerasBatchNorm2d(16),  # epsilon .001, momentum .01, and the variance of all N values, not N - 1
            nn.SiLU(),
            nn.AvgPool2d(2),
            nn.Conv2d(16, 32, 3, padding="same"),
            KerasBatchNorm2d(32),
            nn.SiLU(),
            nn.AvgPool2d(2),
            nn.Flatten(),
            nn.Dropout(0.25),
            nn.Linear(32 * 2 * 2, 10),
        )
        # PyTorch draws from U(-1/sqrt(fan_in), 1/sqrt(fan_in)), biases too
        for layer in self.model:
            if isinstance(layer, nn.Conv2d | nn.Linear):
                glorot_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)

    def forward(self, x):
        """Returns the logits (N, 10) of images (N, 1, 8, 8)."""
        return self.model(x)

    def training_step(self, batch, batch_idx):
        """Returns the loss of a batch."""
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        self.log("train/loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch, batch_idx):
        """Logs loss and accuracy."""
        x, y = batch
        logits = self(x)
        self.log("val/loss", F.cross_entropy(logits, y), prog_bar=True)
        self.log("val/accuracy", (logits.argmax(dim=1) == y).float().mean(), prog_bar=True)

    def configure_optimizers(self):
        """Returns the optimizer."""
        # PyTorch's SGD computes the same while the learning rate is constant
        return KerasSGD(self.parameters(), lr=0.02, momentum=0.9)


class DigitsData(lightning.LightningDataModule):
    """The digits, channels first, in batches of 32."""

    def setup(self, stage):
        """Loads both splits."""
        self.train, self.val = (
            TensorDataset(torch.from_numpy(x).permute(0, 3, 1, 2), torch.from_numpy(y)) for x, y in load_data()
        )

    def train_dataloader(self):
        """Returns the training rows, shuffled."""
        return DataLoader(self.train, batch_size=32, shuffle=True)

    def val_dataloader(self):
        """Returns the validation rows."""
        return DataLoader(self.val, batch_size=32)


if __name__ == "__main__":
    trainer = lightning.Trainer(max_epochs=10, logger=False, enable_checkpointing=False)
    trainer.fit(DigitsBatchNorm(), DigitsData())
