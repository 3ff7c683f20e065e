"""A convolutional network of 102,130 parameters and its port, as a pair file: what `benchmarks.check` is timed with."""

import os

EPOCHS = 4
ROWS = int(os.environ.get("CNN_PAIR_ROWS", "20000"))  # a fifth of them as many to validate on


def keras_data():
    """Returns images (rows, 28, 28, 1) float32 and labels that can be learned: where the brightest quarter lies."""
    import numpy as np

    draw = np.random.default_rng(0)
    labels = draw.integers(0, 10, ROWS + ROWS // 5)
    images = draw.random((len(labels), 28, 28, 1), np.float32) / 2
    for label in range(10):
        images[labels == label, 2 * label : 2 * label + 8, 20 - 2 * label : 28 - 2 * label] += 0.25
    return (images[:ROWS], labels[:ROWS]), (images[ROWS:], labels[ROWS:])


def keras_model():
    """Returns the network."""
    import keras
    from keras import layers

    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(16, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(0.25),
            layers.Dense(120, activation="relu"),
            layers.Dense(10),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"])
    return model


def lightning_module():
    """Returns the port."""
    import lightning
    import torch.nn.functional as F
    from torch import nn

    from keras_like.initializers import glorot_uniform_
    from keras_like.optimizers import KerasAdam

    class Port(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(
                *(nn.Conv2d(1, 16, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3), nn.ReLU(), nn.MaxPool2d(2)),
                *(nn.Flatten(), nn.Dropout(0.25), nn.Linear(800, 120), nn.ReLU(), nn.Linear(120, 10)),
            )
            for layer in self.net:
                if isinstance(layer, nn.Linear | nn.Conv2d):
                    glorot_uniform_(layer.weight)
                    nn.init.zeros_(layer.bias)

        def forward(self, images):
            return self.net(images)

        def training_step(self, batch, batch_idx):
            loss = F.cross_entropy(self(batch[0]), batch[1])
            self.log("train_loss", loss, on_epoch=True)
            return loss

        def validation_step(self, batch, batch_idx):
            logits = self(batch[0])
            self.log("val_loss", F.cross_entropy(logits, batch[1]))
            self.log("val_acc", (logits.argmax(1) == batch[1]).float().mean())

        def configure_optimizers(self):
            return KerasAdam(self.parameters())

    return Port()


def lightning_data():
    """Returns loaders of the same rows."""
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    sets = [TensorDataset(torch.from_numpy(x).movedim(-1, 1), torch.from_numpy(y)) for x, y in keras_data()]
    return DataLoader(sets[0], batch_size=32, shuffle=True), DataLoader(sets[1], batch_size=256)
