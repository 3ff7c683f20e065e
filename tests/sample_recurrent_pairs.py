"""A pair of two directions apart, states handed on, dropout inside of a layer, attention with a scale, a hinge loss."""

INNER = """
EPOCHS = 8
BATCH_SIZE = 25
WEIGHTS = {"attention/scale": "scale"}


def rows():
    import numpy as np

    draw = np.random.default_rng(6)
    x = draw.standard_normal((600, 6, 5)).astype("float32")
    y = (x[:, :3].sum(1) @ draw.standard_normal((5, 2)) > 0).astype("float32")
    return (x[:500], y[:500]), (x[500:], y[500:])


keras_data = rows


def keras_model():
    import keras
    from keras import layers

    x = keras.Input((6, 5))
    _, h, c = layers.LSTM(4, return_state=True, dropout=0.3, name="encoder")(x)
    there, back = layers.Bidirectional(layers.GRU(3, return_sequences=True), merge_mode=None, name="both")(x)
    found = layers.Attention(use_scale=True, name="attention")([back, there])
    y = layers.LSTM(4, name="decoder")(found, initial_state=[h, c])
    model = keras.Model(x, layers.Dense(2, name="out")(layers.Concatenate()([y, h])))
    model.compile("adam", "squared_hinge")
    return model


def lightning_module():
    import lightning
    import torch
    import torch.nn.functional as F
    from keras_like.initializers import glorot_uniform_
    from keras_like.optimizers import KerasAdam
    from keras_like.recurrent import KerasGRU, KerasLSTM
    from torch import nn

    class Port(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.encoder, self.decoder = KerasLSTM(5, 4, batch_first=True), KerasLSTM(3, 4, batch_first=True)
            self.both = KerasGRU(5, 3, batch_first=True, bidirectional=True)
            self.scale, self.out = nn.Parameter(torch.ones(())), nn.Linear(8, 2)
            glorot_uniform_(self.out.weight)
            nn.init.zeros_(self.out.bias)

        def forward(self, x):
            kept = F.dropout(x.new_ones(len(x), 1, 5), 0.3, self.training)  # one mask for all steps
            _, states = self.encoder(kept * x)
            there, back = self.both(x)[0].chunk(2, dim=2)
            found = (self.scale * back @ there.mT).softmax(dim=-1) @ there
            return self.out(torch.cat([self.decoder(found, states)[1][0][0], states[0][0]], dim=1))

        def training_step(self, batch, batch_idx):
            x, y = batch
            return F.relu(1 - (2 * y - 1) * self(x)).square().mean()

        def configure_optimizers(self):
            return KerasAdam(self.parameters())

    return Port()


def lightning_data():
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    train, val = (TensorDataset(*map(torch.from_numpy, split)) for split in rows())
    return DataLoader(train, batch_size=25, shuffle=True), DataLoader(val, batch_size=50)
"""


def planted(before: str, after: str) -> str:
    """Returns the pair with one difference."""
    assert INNER.count(before) == 1, before
    return INNER.replace(before, after)


PAIRS = {
    "inner": INNER,
    "a mask a step": planted("x.new_ones(len(x), 1, 5)", "torch.ones_like(x)"),
    # in Keras's list the way back is in the order of the steps already
    "turned": planted("            found = (", "            back = back.flip(1)\n            found = ("),
}
