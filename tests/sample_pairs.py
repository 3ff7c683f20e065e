"""Pair files as users write them: a convolutional network, a regression, a model of words; honest and naive ports."""

from sample_image_pairs import PAIRS as IMAGE_PAIRS
from sample_joined_pairs import PARTS, TWO

DIGITS = """
EPOCHS = 2


def digits():
    from sklearn.datasets import load_digits

    data = load_digits()
    x, y = (data.images / 16).astype("float32")[..., None], data.target.astype("int64")
    return (x[:800], y[:800]), (x[800:1000], y[800:1000])


def keras_model():
    import keras
    from keras import layers

    model = keras.Sequential([
        keras.Input((8, 8, 1)), layers.Conv2D(6, 3, padding="same"), layers.BatchNormalization(), layers.ReLU(),
        layers.MaxPooling2D(), layers.Flatten(), layers.Dropout(0.3), layers.Dense(16, activation="relu"),
        layers.Dense(10),
    ])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"])
    return model


keras_data = digits


def lightning_data():
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    sets = [TensorDataset(torch.from_numpy(x).movedim(-1, 1), torch.from_numpy(y)) for x, y in digits()]
    return DataLoader(sets[0], batch_size=32, shuffle=True), DataLoader(sets[1], batch_size=100)
"""

HONEST = """
def lightning_module():
    import lightning
    import torch.nn.functional as F
    from keras_like.initializers import glorot_uniform_
    from keras_like.normalization import KerasBatchNorm2d
    from keras_like.optimizers import KerasAdam
    from torch import nn

    class Port(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(
                nn.Conv2d(1, 6, 3, padding=1), KerasBatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                nn.Dropout(0.3), nn.Linear(96, 16), nn.ReLU(), nn.Linear(16, 10))
            for layer in self.net:
                if isinstance(layer, (nn.Linear, nn.Conv2d)):
                    glorot_uniform_(layer.weight)
                    nn.init.zeros_(layer.bias)

        def forward(self, x):
            return self.net(x)

        def training_step(self, batch, batch_idx):
            loss = F.cross_entropy(self(batch[0]), batch[1])
            self.log("train_loss", loss)
            return loss

        def configure_optimizers(self):
            return KerasAdam(self.parameters())

    return Port()
"""

# A network, a loss and an optimizer, without a LightningModule.
PLAIN = """
def lightning_module():
    from keras_like.initializers import glorot_uniform_
    from keras_like.normalization import KerasBatchNorm2d
    from keras_like.optimizers import KerasAdam
    from torch import nn

    net = nn.Sequential(
        nn.Conv2d(1, 6, 3, padding=1), KerasBatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Dropout(0.3), nn.Linear(96, 16), nn.ReLU(), nn.Linear(16, 10))
    for layer in net:
        if isinstance(layer, (nn.Linear, nn.Conv2d)):
            glorot_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
    return net, nn.CrossEntropyLoss(), KerasAdam(net.parameters())
"""
NETWORK = PLAIN.replace(", nn.CrossEntropyLoss(), KerasAdam(net.parameters())", "")
UNCOMPILED = DIGITS.replace('    model.compile("adam", loss, metrics=["accuracy"])\n', "")

# As people first write it; every line of it looks right.
NAIVE = """
def lightning_module():
    import pytorch_lightning as pl
    import torch
    import torch.nn.functional as F
    from torch import nn

    class Port(pl.LightningModule):
        def __init__(self, lr=0.001):
            super().__init__()
            self.save_hyperparameters()
            self.fc1, self.fc2 = nn.Linear(96, 16), nn.Linear(16, 10)
            self.conv, self.bn, self.drop = nn.Conv2d(1, 6, 3, padding=1), nn.BatchNorm2d(6), nn.Dropout(0.5)

        def forward(self, x):
            x = F.max_pool2d(F.relu(self.bn(self.conv(x))), 2)
            x = F.relu(self.fc1(self.drop(torch.flatten(x, 1))))
            return F.log_softmax(self.fc2(x), dim=1)

        def training_step(self, batch, batch_idx):
            loss = F.nll_loss(self(batch[0]), batch[1])
            self.logger.experiment.add_scalar("loss", loss, self.global_step)
            return {"loss": loss}

        def configure_optimizers(self):
            optimizer = torch.optim.Adam(self.parameters(), self.hparams.lr)
            return {"optimizer": optimizer, "lr_scheduler": torch.optim.lr_scheduler.StepLR(optimizer, 5)}

    return Port()
"""

# A functional model, a regularizer, a batch that is a dictionary, layers registered in another order.
REGRESSION = """
BATCH_SIZE, EPOCHS = 16, 4


def diabetes():
    from sklearn.datasets import load_diabetes

    data = load_diabetes()
    x, y = data.data.astype("float32"), (data.target / 100).astype("float32")
    return (x[:400], y[:400]), (x[400:], y[400:])


keras_data = diabetes


def keras_model():
    import keras
    from keras import layers, regularizers

    inputs = keras.Input((10,), name="features")
    x = layers.Dense(16, activation="tanh", kernel_regularizer=regularizers.l2(0.125))(inputs)
    model = keras.Model(inputs, layers.Dense(1)(layers.LayerNormalization()(x)))
    model.compile(keras.optimizers.RMSprop(1e-3), "mse", metrics=["mae"])
    return model


def lightning_module():
    import lightning
    import torch
    import torch.nn.functional as F
    from keras_like.initializers import glorot_uniform_
    from keras_like.optimizers import KerasRMSprop
    from torch import nn

    class Port(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.out, self.norm, self.hidden = nn.Linear(16, 1), nn.LayerNorm(16, eps=1e-3), nn.Linear(10, 16)
            for layer in (self.out, self.hidden):
                glorot_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)

        def forward(self, x):
            return self.out(self.norm(torch.tanh(self.hidden(x))))

        def training_step(self, batch, batch_idx):
            return F.mse_loss(self(batch["x"]), batch["y"]) + 0.125 * (self.hidden.weight**2).sum()

        def configure_optimizers(self):
            return KerasRMSprop(self.parameters(), 1e-3)

    return Port()


def lightning_data():
    import torch
    from torch.utils.data import DataLoader

    rows = [[{"x": torch.from_numpy(a), "y": torch.tensor([b])} for a, b in zip(x, y)] for x, y in diabetes()]
    return DataLoader(rows[0], batch_size=16, shuffle=True), DataLoader(rows[1], batch_size=50)
"""

# Whole numbers in, one probability out of a logit, momentum, a LightningDataModule.
WORDS = """
BATCH_SIZE = 25


def words():
    import numpy as np

    x = np.random.default_rng(1).integers(0, 50, (1200, 12))
    y = ((x % 3 == 0).mean(1, keepdims=True) > 0.33).astype("float32")
    return (x[:1000], y[:1000]), (x[1000:], y[1000:])


keras_data = words


def keras_model():
    import keras
    from keras import layers

    model = keras.Sequential([
        keras.Input((12,), dtype="int32"), layers.Embedding(50, 8), layers.Conv1D(6, 3, activation="relu"),
        layers.GlobalMaxPooling1D(), layers.Dense(1, activation="sigmoid")])
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "binary_crossentropy")
    return model


def lightning_module():
    import lightning.pytorch as pl
    import torch.nn.functional as F
    from keras_like import initializers
    from keras_like.optimizers import KerasSGD
    from torch import nn

    class Port(pl.LightningModule):
        def __init__(self):
            super().__init__()
            self.words, self.conv, self.out = nn.Embedding(50, 8), nn.Conv1d(8, 6, 3), nn.Linear(6, 1)
            initializers.random_uniform_(self.words.weight)
            for layer in (self.conv, self.out):
                initializers.glorot_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)

        def forward(self, x):
            return self.out(F.relu(self.conv(self.words(x).mT)).amax(dim=2))

        def training_step(self, batch, batch_idx):
            return F.binary_cross_entropy_with_logits(self(batch[0]).squeeze(1), batch[1])

        def configure_optimizers(self):
            return KerasSGD(self.parameters(), 0.1, momentum=0.9)

    return Port()


def lightning_data():
    import lightning
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    class Data(lightning.LightningDataModule):
        def setup(self, stage):
            self.sets = [TensorDataset(torch.from_numpy(x), torch.from_numpy(y[:, 0])) for x, y in words()]

        def train_dataloader(self):
            return DataLoader(self.sets[0], batch_size=25, shuffle=True)

        def val_dataloader(self):
            return DataLoader(self.sets[1], batch_size=25)

    return Data()
"""

# Two inputs by name in a finite tf.data.Dataset, weights of classes; a loader whose rows have no numbers.
OWN = """
    import torch

    class Own(nn.Module):
        def forward(self, x):
            return {drawn} if self.training else x

    class Port("""


def own(drawn: str, *changes: str) -> str:
    """Returns the honest port with a layer of its own that draws, and the data with changes."""
    data = DIGITS.replace(*changes) if changes else DIGITS
    port = HONEST.replace("\n    class Port(", OWN.format(drawn=drawn), 1)
    return data + port.replace("nn.Dropout(0.3)", "Own()")


def changed(before: str, after: str) -> str:
    """Returns the honest port with one line changed."""
    assert HONEST.count(before) == 1
    return DIGITS + HONEST.replace(before, after)


PAIRS = {
    "honest": DIGITS + HONEST,
    "naive": DIGITS + NAIVE,
    "regression": REGRESSION,
    "words": WORDS,
    "two": TWO,
    "parts": PARTS,
    "noise": own("x + 0.1 * torch.randn_like(x)", "layers.Dropout(0.3)", "layers.GaussianNoise(0.1)"),
    "by-hand": own("x * (torch.rand_like(x) >= 0.3) / 0.7"),
    "by-hand-unscaled": own("x * (torch.rand_like(x) >= 0.3)"),
    # flattens (H, W, C), as Keras does
    "turned": changed("self.net(x)", "self.net[5:](self.net[:4](x).movedim(1, -1).flatten(1))"),
    # keeps the unbiased variance
    "bessel": changed("KerasBatchNorm2d(6)", "nn.BatchNorm2d(6, eps=1e-3, momentum=0.01)"),
    "wrapped": DIGITS + PLAIN,
    "network": DIGITS + NETWORK,
    "uncompiled": UNCOMPILED + HONEST,
    "uncompiled network": UNCOMPILED + NETWORK,
    **IMAGE_PAIRS,
    "clipped": DIGITS + HONEST + "lightning_trainer = lambda: {'gradient_clip_val': 0.1}\n",
}
