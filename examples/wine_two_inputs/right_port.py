"""The classifier of `keras_model.py` in Lightning, the same; comments stand where `first_port.py` has another line."""

import lightning
import torch
import torch.nn.functional as F
from data import load_data
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from keras_like.initializers import glorot_uniform_
from keras_like.more_optimizers import KerasAdamax


class WineClassifier(lightning.LightningModule):
    """A layer for each input, and two for both."""

    def __init__(self, lr=0.002, max_norm=1.0):
        super().__init__()
        self.save_hyperparameters()
        self.of_colour, self.of_taste = nn.Linear(7, 16), nn.Linear(6, 16)
        self.both, self.cultivar = nn.Linear(32, 16), nn.Linear(16, 3)
        self.criterion = nn.CrossEntropyLoss(label_smoothing=0.1)  # as the loss that is given to compile()
        # PyTorch draws from U(-1/sqrt(fan_in), 1/sqrt(fan_in)), biases too
        for layer in (self.of_colour, self.of_taste, self.both, self.cultivar):
            glorot_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, colour, taste):
        """Returns logits (N, 3) of measurements (N, 7) and (N, 6)."""
        # in the order of Keras's Concatenate: both parts have 16 features, so that either order fits
        x = torch.cat([F.relu(self.of_taste(taste)), F.relu(self.of_colour(colour))], dim=1)
        return self.cultivar(F.relu(self.both(x)))

    def training_step(self, batch, batch_idx):
        """Returns the loss of a batch."""
        colour, taste, y = batch
        loss = self.criterion(self(colour, taste), y)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def optimizer_step(self, *arguments, **options):
        """Steps, and shortens the weights of every unit that are longer than the norm, as `MaxNorm` does then."""
        super().optimizer_step(*arguments, **options)
        with torch.no_grad():
            norms = self.both.weight.square().sum(dim=1, keepdim=True).sqrt()
            self.both.weight.mul_(norms.clamp(max=self.hparams.max_norm) / (1e-7 + norms))

    def validation_step(self, batch, batch_idx):
        """Logs loss and accuracy."""
        colour, taste, y = batch
        logits = self(colour, taste)
        self.log("val_loss", self.criterion(logits, y), prog_bar=True)
        self.log("val_acc", (logits.argmax(dim=1) == y.argmax(dim=1)).float().mean(), prog_bar=True)

    def configure_optimizers(self):
        """Returns the optimizer."""
        # PyTorch's Adamax keeps its epsilon, 1e-8, in the norm, Keras adds 1e-7 where it divides
        return KerasAdamax(self.parameters(), lr=self.hparams.lr)


class WineData(lightning.LightningDataModule):
    """The wines in batches of 16."""

    def setup(self, stage):
        """Loads both splits."""
        splits = load_data()
        self.train, self.val = (TensorDataset(*map(torch.from_numpy, (x["colour"], x["taste"], y))) for x, y in splits)

    def train_dataloader(self):
        """Returns the training rows, shuffled."""
        return DataLoader(self.train, batch_size=16, shuffle=True)

    def val_dataloader(self):
        """Returns the validation rows."""
        return DataLoader(self.val, batch_size=16)


if __name__ == "__main__":
    trainer = lightning.Trainer(max_epochs=20, logger=False, enable_checkpointing=False)
    trainer.fit(WineClassifier(), WineData())
