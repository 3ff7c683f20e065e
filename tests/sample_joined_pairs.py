"""Pairs of several inputs, targets and outputs, with frozen and shared parts; `sample_pairs` has the others."""

TWO = """
def rows():
    import numpy as np

    draw = np.random.default_rng(2)
    codes, sizes = draw.integers(0, 20, (600, 3)), draw.random((600, 4)).astype("float32")
    labels = (codes.sum(1) + 10 * sizes.sum(1) > 50).astype("int64")
    return codes, sizes, labels


def keras_data():
    import tensorflow as tf

    codes, sizes, labels = rows()
    whole = tf.data.Dataset.from_tensor_slices(({"codes": codes, "sizes": sizes}, labels)).batch(20)
    return whole.take(25), whole.skip(25)


def keras_fit():
    return {"class_weight": {0: 0.5, 1: 2.0}}


def keras_model():
    import keras
    from keras import layers

    codes, sizes = keras.Input((3,), dtype="int32", name="codes"), keras.Input((4,), name="sizes")
    x = layers.Concatenate()([layers.Flatten()(layers.Embedding(20, 4)(codes)), sizes])
    x = layers.Dense(8, activation="relu")(x)
    model = keras.Model({"codes": codes, "sizes": sizes}, layers.Dense(2, activation="softmax")(x))
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy", loss_weights=[2.0])
    return model


def lightning_module():
    import lightning
    import torch
    import torch.nn.functional as F
    from keras_like import initializers
    from keras_like.optimizers import KerasSGD
    from torch import nn

    class Port(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.codes, self.hidden, self.out = nn.Embedding(20, 4), nn.Linear(16, 8), nn.Linear(8, 2)
            initializers.random_uniform_(self.codes.weight)
            for layer in (self.hidden, self.out):
                initializers.glorot_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)

        def forward(self, sizes, codes):
            return self.out(F.relu(self.hidden(torch.cat([self.codes(codes).flatten(1), sizes], 1))))

        def training_step(self, batch, batch_idx):
            sizes, codes, labels = batch
            weights = torch.tensor([0.5, 2.0])[labels]
            return 2 * (weights * F.cross_entropy(self(sizes, codes), labels, reduction="none")).mean()

        def configure_optimizers(self):
            return KerasSGD(self.parameters(), 0.1)

    return Port()


def lightning_data():
    import torch
    from torch.utils.data import DataLoader, IterableDataset

    class Rows(IterableDataset):
        def __init__(self, part):
            self.rows = list(zip(*(torch.from_numpy(array[part]) for array in rows())))

        def __iter__(self):
            return ((sizes, codes, label) for codes, sizes, label in self.rows[::-1])

    return DataLoader(Rows(slice(500)), batch_size=20), DataLoader(Rows(slice(500, None)), batch_size=20)
"""

# Two inputs and two outputs by name, each with its loss and weight; an attention that drops; a layer that is called
# twice, a frozen batch norm, a constraint, smoothed labels, averages of the weights.
PARTS = """
EPOCHS = 4


def rows():
    import numpy as np

    draw = np.random.default_rng(3)
    words, sizes = draw.standard_normal((600, 5, 8)).astype("float32"), draw.standard_normal((600, 4)).astype("float32")
    kind = words[..., :3].sum(1).argmax(1)
    amount = (sizes[:, :1] + words[:, 0, :1]).astype("float32")
    return words, sizes, np.eye(3, dtype="float32")[kind], amount


def keras_data():
    words, sizes, kind, amount = rows()
    return tuple(
        ({"words": words[part], "sizes": sizes[part]}, {"kind": kind[part], "amount": amount[part]})
        for part in (slice(500), slice(500, None)))


def keras_model():
    import keras
    from keras import layers

    words, sizes = keras.Input((5, 8), name="words"), keras.Input((4,), name="sizes")
    attention = layers.MultiHeadAttention(2, 4, dropout=0.25, name="attention")
    x = layers.Add()([words, attention(words, words, use_causal_mask=True)])
    shared = layers.Dense(8, activation="tanh", name="shared", kernel_constraint=keras.constraints.MaxNorm(0.75))
    x = layers.GlobalAveragePooling1D()(shared(shared(x)))
    x = layers.Concatenate()([x, layers.BatchNormalization(name="norm", trainable=False)(sizes)])
    kind, amount = layers.Dense(3, activation="softmax", name="kind")(x), layers.Dense(1, name="amount")(x)
    model = keras.Model({"words": words, "sizes": sizes}, {"kind": kind, "amount": amount})
    smooth = keras.losses.CategoricalCrossentropy(label_smoothing=0.2)
    model.compile(
        keras.optimizers.Adamax(0.01, use_ema=True, ema_momentum=0.9), {"kind": smooth, "amount": "mse"},
        loss_weights={"kind": 1.0, "amount": 0.25}, metrics={"kind": "accuracy"})
    return model


def lightning_module():
    import lightning
    import torch
    import torch.nn.functional as F
    from keras_like.averages import WeightAverages
    from keras_like.initializers import glorot_uniform_
    from keras_like.more_optimizers import KerasAdamax
    from torch import nn

    class Port(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.attention = nn.MultiheadAttention(8, 2, dropout=0.25, batch_first=True)
            self.shared, self.kind, self.amount = nn.Linear(8, 8), nn.Linear(12, 3), nn.Linear(12, 1)
            self.norm = nn.BatchNorm1d(4, eps=1e-3).requires_grad_(False).eval()
            with torch.no_grad():
                for projection in self.attention.in_proj_weight.chunk(3):
                    glorot_uniform_(projection)
            for layer in (self.attention.out_proj, self.shared, self.kind, self.amount):
                glorot_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)
            self.averages = WeightAverages([value for value in self.parameters() if value.requires_grad], 0.9)

        def forward(self, words, sizes):
            hidden = torch.ones(5, 5, dtype=torch.bool, device=words.device).triu(1)
            x = words + self.attention(words, words, words, attn_mask=hidden)[0]
            x = torch.tanh(self.shared(torch.tanh(self.shared(x)))).mean(dim=1)
            x = torch.cat([x, self.norm(sizes)], dim=1)
            return self.amount(x), self.kind(x)

        def training_step(self, batch, batch_idx):
            words, sizes, kind, amount = batch
            amounts, kinds = self(words, sizes)
            return F.cross_entropy(kinds, kind, label_smoothing=0.2) + 0.25 * F.mse_loss(amounts, amount)

        def optimizer_step(self, *arguments, **options):
            super().optimizer_step(*arguments, **options)
            self.averages.update()
            with torch.no_grad():
                norms = self.shared.weight.square().sum(dim=1, keepdim=True).sqrt()
                self.shared.weight.mul_(norms.clamp(max=0.75) / (1e-7 + norms))

        def on_train_end(self):
            self.averages.overwrite()

        def configure_optimizers(self):
            return KerasAdamax([value for value in self.parameters() if value.requires_grad], 0.01)

    return Port()


def lightning_data():
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    sets = [TensorDataset(*(torch.from_numpy(one[part]) for one in rows())) for part in (slice(500), slice(500, None))]
    return DataLoader(sets[0], batch_size=32, shuffle=True), DataLoader(sets[1], batch_size=100)
"""


# Functions of the port's own in place of nn.Dropout: noise can be silenced, what drops cannot.
