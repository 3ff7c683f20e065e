"""The network of `keras_model.py` in Lightning, the same; comments stand where `first_port.py` has another line."""

import lightning
import torch
import torch.nn.functional as F
from data import load_data
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from keras_like.initializers import glorot_uniform_, random_uniform_
from keras_like.recurrent import KerasGRU


class LinesGRU(lightning.LightningModule):
    """Words, a GRU and a linear layer."""

    def __init__(self, learning_rate=0.2):
        super().__init__()
        self.save_hyperparameters()
        self.words = nn.Embedding(201, 16)
        random_uniform_(self.words.weight)  # PyTorch draws from N(0, 1)
        # nn.GRU takes no mask, and draws all weights from U(-1/sqrt(units), 1/sqrt(units))
        self.gru = KerasGRU(16, 24, batch_first=True)
        self.fc = nn.Linear(24, 5)
        glorot_uniform_(self.fc.weight)
        nn.init.zeros_(self.fc.bias)

    def forward(self, x):
        """Returns the logits (N, 5) of words (N, 16)."""
        # a row's state stays as it is where its words have ended; padding_idx only keeps a row of the embedding at 0
        outputs, _ = self.gru(self.words(x), mask=x != 0)
        return self.fc(outputs[:, -1])

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
        return torch.optim.SGD(self.parameters(), lr=self.hparams.learning_rate, momentum=0.9)


class LinesData(lightning.LightningDataModule):
    """The rows in batches of 32."""

    def setup(self, stage):
        """Loads both splits."""
        self.train, self.val = (TensorDataset(torch.from_numpy(x), torch.from_numpy(y)) for x, y in load_data())

    def train_dataloader(self):
        """Returns the training rows, shuffled."""
        return DataLoader(self.train, batch_size=32, shuffle=True)

    def val_dataloader(self):
        """Returns the validation rows."""
        return DataLoader(self.val, batch_size=32)


if __name__ == "__main__":
    lightning.Trainer(max_epochs=10, logger=False, enable_checkpointing=False).fit(LinesGRU(), LinesData())
