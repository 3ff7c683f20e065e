"""A pair whose recurrent layers go on from batch to batch, a port that keeps states likewise, and ports that do not."""

SERIES = """
BATCH_SIZE, EPOCHS = 10, 5
BATCHES = 33, 4


def series():
    import numpy as np

    draw = np.random.default_rng(4)
    splits = []
    for count in BATCHES:
        # ten series, of which a batch has the next six steps each
        steps = draw.standard_normal((10, count * 6, 3)).astype("float32")
        follow = np.cumsum(steps @ draw.standard_normal((3, 2)).astype("float32"), axis=1)
        x = steps.reshape(10, count, 6, 3).swapaxes(0, 1).reshape(-1, 6, 3)
        y = np.tanh(follow[:, 5::6] / 4).swapaxes(0, 1).reshape(-1, 2)
        splits.append((np.ascontiguousarray(x), np.ascontiguousarray(y)))
    return splits


keras_data = series


def keras_fit():
    return {"shuffle": False}


def keras_model():
    import keras
    from keras import layers

    model = keras.Sequential([
        keras.Input(batch_shape=(10, 6, 3)),
        layers.LSTM(5, stateful=True, return_sequences=True, name="first"),
        layers.GRU(4, stateful=True, name="second"),
        layers.Dense(2, name="out")])
    model.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae"])
    return model


def lightning_data():
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    return [DataLoader(TensorDataset(*map(torch.from_numpy, split)), batch_size=10) for split in series()]
"""

PORT = """
def lightning_module():
    import lightning
    import torch.nn.functional as F
    from keras_like.initializers import glorot_uniform_
    from keras_like.optimizers import KerasAdam
    from keras_like.recurrent import KerasGRU, KerasLSTM
    from torch import nn

    class Port(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.first, self.second = KerasLSTM(3, 5, batch_first=True), KerasGRU(5, 4, batch_first=True)
            self.out = nn.Linear(4, 2)
            glorot_uniform_(self.out.weight)
            nn.init.zeros_(self.out.bias)
            self.hidden = None

        def forward(self, x):
            of_first, of_second = self.hidden or (None, None)
            x, (h, c) = self.first(x, of_first)
            _, last = self.second(x, of_second)
            self.hidden = (h.detach(), c.detach()), last.detach()
            return self.out(last[0])

        def training_step(self, batch, batch_idx):
            return F.mse_loss(self(batch[0]), batch[1])

        def validation_step(self, batch, batch_idx):
            self.log("val_loss", F.mse_loss(self(batch[0]), batch[1]))

        def configure_optimizers(self):
            return KerasAdam(self.parameters(), 0.01)

    return Port()
"""
STATEFUL = SERIES + PORT


def planted(*changes: str, pair: str = STATEFUL) -> str:
    """Returns the pair with a text in the place of another one, or several."""
    for before, after in zip(changes[::2], changes[1::2], strict=True):
        assert pair.count(before) == 1, before
        pair = pair.replace(before, after)
    return pair


# Keras resets states after the training of every epoch, before the next one; the port where an epoch begins.
RESET = planted(
    'return {"shuffle": False}',
    """import keras

    class Reset(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            for name in ("first", "second"):
                self.model.get_layer(name).reset_state()

    return {"shuffle": False, "callbacks": [Reset()]}""",
    "        def training_step",
    "        def on_train_epoch_start(self):\n            self.hidden = None\n\n        def training_step",
)
# Buffers of zeros, one row a batch, in a part of its own.
BUFFERS = planted(
    "            self.hidden = None\n",
    """            for name, units in (("h", 5), ("c", 5), ("of_second", 4)):
                self.register_buffer(name, torch.zeros(1, 10, units), persistent=False)
""",
    "            of_first, of_second = self.hidden or (None, None)\n",
    "",
    "self.first(x, of_first)",
    "self.first(x, (self.h, self.c))",
    "self.second(x, of_second)",
    "self.second(x, self.of_second)",
    "            self.hidden = (h.detach(), c.detach()), last.detach()\n",
    "            self.h, self.c, self.of_second = h.detach(), c.detach(), last.detach()\n",
    "    import torch.nn.functional as F\n",
    "    import torch\n    import torch.nn.functional as F\n",
)
KEPT = "            self.hidden = (h.detach(), c.detach()), last.detach()\n"
PAIRS = {
    "stateful": STATEFUL,
    "reset by a callback": RESET,
    "buffers": BUFFERS,
    "no state": planted(KEPT, ""),
    "reset each batch": planted("        def training_step(self, batch, batch_idx):\n",
                                "        def training_step(self, batch, batch_idx):\n            self.hidden = None\n"),
    "reset each epoch": planted("        def training_step",
                                "        def on_train_epoch_start(self):\n            self.hidden = None\n\n"
                                "        def training_step"),
    "swapped": planted("(h.detach(), c.detach())", "(c.detach(), h.detach())"),
    "not detached": planted(KEPT, "            self.hidden = (h, c), last\n"),
}  # fmt: skip
