"""A pair of transposed, depthwise and separable convolutions, with a port that trains like it and one that does not."""

IMAGE = """
EPOCHS = 2


def images():
    import numpy as np

    draw = np.random.default_rng(4)
    x = draw.standard_normal((600, 5, 4, 3)).astype("float32")
    y = (x.mean((1, 2)) @ draw.standard_normal((3, 2))).astype("float32")
    return (x[:500], y[:500]), (x[500:], y[500:])


keras_data = images


def keras_model():
    import keras
    from keras import layers

    normalize = layers.Normalization()
    normalize.adapt(images()[0][0])
    model = keras.Sequential([
        keras.Input((5, 4, 3)), normalize, layers.RandomFlip("horizontal"),
        layers.Conv2DTranspose(4, 3, strides=2, padding="same", activation="tanh"),
        layers.DepthwiseConv2D(3, depth_multiplier=2), layers.GroupNormalization(4), layers.SpatialDropout2D(0.25),
        layers.UpSampling2D(2, interpolation="bilinear"), layers.SeparableConv2D(6, 3, strides=3, padding="same"),
        layers.GlobalAveragePooling2D(), layers.PReLU(),
        layers.Dense(2),
    ])
    model.compile("adam", "mse")
    return model


def lightning_module():
    import lightning
    import torch
    import torch.nn.functional as F
    from keras_like.initializers import glorot_uniform_
    from keras_like.optimizers import KerasAdam
    from keras_like.separable import KerasSeparableConv2d
    from keras_like.transposed import KerasConvTranspose2d
    from torch import nn

    class Port(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            x = images()[0][0]  # the mean and the variance of adapt() are numpy's; their root is taken in each call
            self.register_buffer("mean", torch.from_numpy(x.mean((0, 1, 2)))[:, None, None])
            self.register_buffer("variance", torch.from_numpy(x.var((0, 1, 2)))[:, None, None])
            self.up = KerasConvTranspose2d(3, 4, 3, 2, "same")
            self.depthwise, self.norm = nn.Conv2d(4, 8, 3, groups=4), nn.GroupNorm(4, 8, eps=1e-3)
            self.drop, self.separable = nn.Dropout2d(0.25), KerasSeparableConv2d(8, 6, 3, "same", stride=3)
            self.bend, self.out = nn.PReLU(6, init=0.0), nn.Linear(6, 2)
            for layer in (self.up, self.out):
                glorot_uniform_(layer.weight)
            glorot_uniform_(self.depthwise.weight, depthwise=4)
            for layer in (self.up, self.depthwise, self.out):
                nn.init.zeros_(layer.bias)

        def forward(self, x):
            x = torch.tanh(self.up((x - self.mean) / self.variance.sqrt()))
            x = self.drop(self.norm(self.depthwise(x)))
            x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
            return self.out(self.bend(self.separable(x).mean((2, 3))))

        def training_step(self, batch, batch_idx):
            return F.mse_loss(self(batch[0]), batch[1])

        def configure_optimizers(self):
            return KerasAdam(self.parameters())

    return Port()


def lightning_data():
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    class Flipped(TensorDataset):
        def __getitem__(self, number):
            x, y = super().__getitem__(number)
            return (x.flip(-1) if torch.rand(()) < 0.5 else x), y

    train, val = (tuple(map(torch.from_numpy, split)) for split in images())
    train, val = Flipped(train[0].movedim(-1, 1), train[1]), TensorDataset(val[0].movedim(-1, 1), val[1])
    return DataLoader(train, batch_size=32, shuffle=True), DataLoader(val, batch_size=50)
"""


def planted(before: str, after: str) -> str:
    """Returns the pair with one difference."""
    assert IMAGE.count(before) == 1, before
    return IMAGE.replace(before, after)


PAIRS = {
    "image": IMAGE,
    # the right length, all values one place off
    "one off": planted(
        'KerasConvTranspose2d(3, 4, 3, 2, "same")', "nn.ConvTranspose2d(3, 4, 3, 2, padding=1, output_padding=1)"
    ),
    "epsilon": planted("nn.GroupNorm(4, 8, eps=1e-3)", "nn.GroupNorm(4, 8)"),
    "corners": planted("align_corners=False", "align_corners=True"),
    "rate": planted("nn.Dropout2d(0.25)", "nn.Dropout2d(0.2)"),
    "drops places": planted("nn.Dropout2d(0.25)", "nn.Dropout(0.25)"),
    "slope": planted("nn.PReLU(6, init=0.0)", "nn.PReLU(6)"),
    "one slope": planted("nn.PReLU(6, init=0.0)", "nn.PReLU(init=0.0)"),
    "fans": planted("(self.depthwise.weight, depthwise=4)", "(self.depthwise.weight)"),
    "multiplier": planted(
        "self.norm(self.depthwise(x))",
        "self.norm(self.depthwise(x).unflatten(1, (4, 2)).transpose(1, 2).flatten(1, 2))",
    ),
}
