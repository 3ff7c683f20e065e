"""The network of `keras_model.py` in Lightning, the same; comments stand where `first_port.py` has another line."""

import lightning
import torch
import torch.nn.functional as F
from data import load_data
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from keras_like.initializers import glorot_uniform_
from keras_like.optimizers import KerasAdam
from keras_like.padding import KerasConv2d


class DigitsCNN(lightning.LightningModule):
    """Two convolutions and two linear layers."""

    def __init__(self, learning_rate=1e-3):
        super().__init__()
        self.save_hyperparameters()
        self.conv1 = nn.Conv2d(1, 16, kernel_size=3, padding=1)
        # of 8 pixels, Keras pads one at the end and none before; padding=1 pads both sides
        self.conv2 = KerasConv2d(16, 32, kernel_size=3, stride=2, padding="same")
        self.fc1 = nn.Linear(32 * 4 * 4, 64)
        self.fc2 = nn.Linear(64, 10)
        # PyTorch draws from U(-1/sqrt(fan_in), 1/sqrt(fan_in)), biases too
        for layer in (self.conv1, self.conv2, self.fc1, self.fc2):
            glorot_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x):
        """Returns the logits (N, 10) of images (N, 1, 8, 8)."""
        x = torch.tanh(self.conv1(x))
        x = torch.tanh(self.conv2(x))
        x = torch.flatten(x, 1)
        x = torch.tanh(self.fc1(x))
        return self.fc2(x)

    def training_step(self, batch, batch_idx):
        """Returns the loss of a batch."""
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch, batch_idx):
        """Logs loss and accuracy, averaged over the rows."""
        x, y = batch
        logits = self(x)
        self.log("val_loss", F.cross_entropy(logits, y), prog_bar=True)
        self.log("val_acc", (logits.argmax(dim=1) == y).float().mean(), prog_bar=True)

    def configure_optimizers(self):
        """Returns the optimizer."""
        # PyTorch's epsilon is 1e-8 and stands elsewhere
        return KerasAdam(self.parameters(), lr=self.hparams.learning_rate)


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
    lightning.Trainer(max_epochs=5, logger=False, enable_checkpointing=False).fit(DigitsCNN(), DigitsData())
