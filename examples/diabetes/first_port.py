"""The regression of `keras_model.py` as people first write it in Lightning."""

import lightning
import torch
from data import load_data
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class DiabetesRegressor(lightning.LightningModule):
    """Two hidden layers, the first one normalised."""

    def __init__(self, lr=0.001, weight_decay=2**-10):
        super().__init__()
        self.save_hyperparameters()
        self.network = nn.Sequential(
            nn.Linear(10, 32), nn.ReLU(), nn.LayerNorm(32), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 1)
        )
        self.criterion = nn.HuberLoss()

    def forward(self, x):
        """Returns predictions (N, 1) of measurements (N, 10)."""
        return self.network(x)

    def training_step(self, batch, batch_idx):
        """Returns the loss of a batch."""
        x, y = batch
        loss = self.criterion(self(x), y)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch, batch_idx):
        """Logs loss and mean absolute error."""
        x, y = batch
        prediction = self(x)
        self.log("val_loss", self.criterion(prediction, y), prog_bar=True)
        self.log("val_mae", (prediction - y).abs().mean(), prog_bar=True)

    def configure_optimizers(self):
        """Returns the optimizer."""
        return torch.optim.RMSprop(self.parameters(), lr=self.hparams.lr, weight_decay=self.hparams.weight_decay)


def make_loaders():
    """Returns the training and the validation loader."""
    train, val = (TensorDataset(torch.from_numpy(x), torch.from_numpy(y)) for x, y in load_data())
    return DataLoader(train, batch_size=16, shuffle=True), DataLoader(val, batch_size=16)


if __name__ == "__main__":
    trainer = lightning.Trainer(max_epochs=10, logger=False, enable_checkpointing=False)
    trainer.fit(DiabetesRegressor(), *make_loaders())
