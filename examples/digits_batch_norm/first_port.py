"""The network of `keras_model.py` as people first write it in Lightning, layer by layer."""

import lightning
import torch
import torch.nn.functional as F
from data import load_data
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class DigitsBatchNorm(lightning.LightningModule):
    """Two convolutions, each with batch norm, and a linear layer behind dropout."""

    def __init__(self):
        super().__init__()
        self.model = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding="same"),
            nn.BatchNorm2d(16),
            nn.SiLU(),
            nn.AvgPool2d(2),
            nn.Conv2d(16, 32, 3, padding="same"),
            nn.BatchNorm2d(32),
            nn.SiLU(),
            nn.AvgPool2d(2),
            nn.Flatten(),
            nn.Dropout(0.25),
            nn.Linear(32 * 2 * 2, 10),
        )

    def forward(self, x):
        """Returns the logits (N, 10) of images (N, 1, 8, 8)."""
        return self.model(x)

    def training_step(self, batch, batch_idx):
        """Returns the loss of a batch."""
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch, batch_idx):
        """Logs loss and accuracy."""
        x, y = batch
        logits = self(x)
        self.log("val/loss", F.cross_entropy(logits, y), prog_bar=True)
        self.log("val/accuracy", (logits.argmax(dim=1) == y).float().mean(), prog_bar=True)

    def configure_optimizers(self):
        """Returns the optimizer."""
        return torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9)


def make_loaders():
    """Returns the training and the validation loader."""
    train, val = (TensorDataset(torch.from_numpy(x).permute(0, 3, 1, 2), torch.from_numpy(y)) for x, y in load_data())
    return DataLoader(train, batch_size=32, shuffle=True), DataLoader(val, batch_size=32)


if __name__ == "__main__":
    trainer = lightning.Trainer(max_epochs=10, logger=False, enable_checkpointing=False)
    trainer.fit(DigitsBatchNorm(), *make_loaders())
