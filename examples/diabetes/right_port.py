"""The regression of `keras_model.py` in Lightning, the same; comments stand where `first_port.py` has another line."""

import lightning
import torch
from data import load_data
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from keras_like.initializers import glorot_uniform_
from keras_like.optimizers import KerasRMSprop


class DiabetesRegressor(lightning.LightningModule):
    """Two hidden layers, the first one normalised."""

    def __init__(self, lr=0.001, l2=2**-10):
        super().__init__()
        self.save_hyperparameters()
        self.network = nn.Sequential(
            nn.Linear(10, 32),
            nn.ReLU(),
            nn.LayerNorm(32, eps=1e-3),  # PyTorch's epsilon is 1e-5
            nn.Linear(32, 16),
            nn.ReLU(),
            nn.Linear(16, 1),
        )
        self.criterion = nn.HuberLoss()
        self.linear = [layer for layer in self.network if isinstance(layer, nn.Linear)]
        # PyTorch draws from U(-1/sqrt(fan_in), 1/sqrt(fan_in)), biases too
        for layer in self.linear:
            glorot_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x):
        """Returns predictions (N, 1) of measurements (N, 10)."""
        return self.network(x)

    def penalty(self):
        """Returns what the regularizers add to the loss: l2 times the squares of the hidden layers' kernels."""
        # weight_decay adds l2 w to the gradient, not 2 l2 w, and to all parameters' gradients
        return self.hparams.l2 * sum(layer.weight.square().sum() for layer in self.linear[:-1])

    def training_step(self, batch, batch_idx):
        """Returns the loss of a batch."""
        x, y = batch
        loss = self.criterion(self(x), y) + self.penalty()
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch, batch_idx):
        """Logs loss, the penalty in it as in Keras, and mean absolute error."""
        x, y = batch
        prediction = self(x)
        self.log("val_loss", self.criterion(prediction, y) + self.penalty(), prog_bar=True)
        self.log("val_mae", (prediction - y).abs().mean(), prog_bar=True)

    def configure_optimizers(self):
        """Returns the optimizer."""
        # PyTorch's averages over 100 squares (alpha .99), Keras's over 10, and adds epsilon under the root
        return KerasRMSprop(self.parameters(), lr=self.hparams.lr)


class DiabetesData(lightning.LightningDataModule):
    """The patients in batches of 16."""

    def setup(self, stage):
        """Loads both splits."""
        self.train, self.val = (TensorDataset(torch.from_numpy(x), torch.from_numpy(y)) for x, y in load_data())

    def train_dataloader(self):
        """Returns the training rows, shuffled."""
        return DataLoader(self.train, batch_size=16, shuffle=True)

    def val_dataloader(self):
        """Returns the validation rows."""
        return DataLoader(self.val, batch_size=16)


if __name__ == "__main__":
    trainer = lightning.Trainer(max_epochs=10, logger=False, enable_checkpointing=False)
    trainer.fit(DiabetesRegressor(), DiabetesData())
