"""The classifier of `keras_model.py` as people first write it in Lightning."""

import lightning
import torch
import torch.nn.functional as F
from data import load_data
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class WineClassifier(lightning.LightningModule):
    """A layer for each input, and two for both."""

    def __init__(self, lr=0.002):
        super().__init__()
        self.save_hyperparameters()
        self.of_colour, self.of_taste = nn.Linear(7, 16), nn.Linear(6, 16)
        self.both, self.cultivar = nn.Linear(32, 16), nn.Linear(16, 3)
        self.criterion = nn.CrossEntropyLoss()

    def forward(self, colour, taste):
        """Returns logits (N, 3) of measurements (N, 7) and (N, 6)."""
        x = torch.cat([F.relu(self.of_colour(colour)), F.relu(self.of_taste(taste))], dim=1)
        return self.cultivar(F.relu(self.both(x)))

    def training_step(self, batch, batch_idx):
        """Returns the loss of a batch."""
        colour, taste, y = batch
        loss = self.criterion(self(colour, taste), y)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch, batch_idx):
        """Logs loss and accuracy."""
        colour, taste, y = batch
        logits = self(colour, taste)
        self.log("val_loss", self.criterion(logits, y), prog_bar=True)
        self.log("val_acc", (logits.argmax(dim=1) == y.argmax(dim=1)).float().mean(), prog_bar=True)

    def configure_optimizers(self):
        """Returns the optimizer."""
        return torch.optim.Adamax(self.parameters(), lr=self.hparams.lr)


def make_loaders():
    """Returns the training and the validation loader."""
    sets = [TensorDataset(*map(torch.from_numpy, (x["colour"], x["taste"], y))) for x, y in load_data()]
    return DataLoader(sets[0], batch_size=16, shuffle=True), DataLoader(sets[1], batch_size=16)


if __name__ == "__main__":
    trainer = lightning.Trainer(max_epochs=20, logger=False, enable_checkpointing=False)
    trainer.fit(WineClassifier(), *make_loaders())
