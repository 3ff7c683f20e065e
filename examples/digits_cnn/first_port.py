"""The network of `keras_model.py` as people first write it in Lightning. It trains well, and is another one."""

import lightning
import torch
import torch.nn.functional as F
from data import load_data
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class DigitsCNN(lightning.LightningModule):
    """Two convolutions and two linear layers."""

    def __init__(self, learning_rate=1e-3):
        super().__init__()
        self.save_hyperparameters()
        self.conv1 = nn.Conv2d(1, 16, kernel_size=3, padding=1)
        self.conv2 = nn.Conv2d(16, 32, kernel_size=3, stride=2, padding=1)
        self.fc1 = nn.Linear(32 * 4 * 4, 64)
        self.fc2 = nn.Linear(64, 10)

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
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch, batch_idx):
        """Logs loss and accuracy."""
        x, y = batch
        logits = self(x)
        self.log("val_loss", F.cross_entropy(logits, y), prog_bar=True)
        self.log("val_acc", (logits.argmax(dim=1) == y).float().mean(), prog_bar=True)

    def configure_optimizers(self):
        """Returns the optimizer."""
        return torch.optim.Adam(self.parameters(), lr=self.hparams.learning_rate)


def make_loaders():
    """Returns the training and the validation loader."""
    train, val = (TensorDataset(torch.from_numpy(x).permute(0, 3, 1, 2), torch.from_numpy(y)) for x, y in load_data())
    return DataLoader(train, batch_size=32, shuffle=True), DataLoader(val, batch_size=32)


if __name__ == "__main__":
    lightning.Trainer(max_epochs=5, logger=False, enable_checkpointing=False).fit(DigitsCNN(), *make_loaders())
