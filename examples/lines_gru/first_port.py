"""The network of `keras_model.py` as people first write it in Lightning. It trains well, and is another one."""

import lightning
import torch
import torch.nn.functional as F
from data import load_data
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class LinesGRU(lightning.LightningModule):
    """Words, a GRU and a linear layer."""

    def __init__(self, learning_rate=0.2):
        super().__init__()
        self.save_hyperparameters()
        self.words = nn.Embedding(201, 16, padding_idx=0)
        self.gru = nn.GRU(16, 24, batch_first=True)
        self.fc = nn.Linear(24, 5)

    def forward(self, x):
        """Returns the logits (N, 5) of words (N, 16)."""
        outputs, _ = self.gru(self.words(x))
        return self.fc(outputs[:, -1])

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
        return torch.optim.SGD(self.parameters(), lr=self.hparams.learning_rate, momentum=0.9)


def make_loaders():
    """Returns the training and the validation loader."""
    train, val = (TensorDataset(torch.from_numpy(x), torch.from_numpy(y)) for x, y in load_data())
    return DataLoader(train, batch_size=32, shuffle=True), DataLoader(val, batch_size=32)


if __name__ == "__main__":
    lightning.Trainer(max_epochs=10, logger=False, enable_checkpointing=False).fit(LinesGRU(), *make_loaders())
