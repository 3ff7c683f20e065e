"""Faults that a study of many seeds must see, or call small: some larger than its margins, some smaller."""

import numpy as np

from keras_like.optimizers import KerasSGD
from lightning_mlp.data import MNISTDataModule
from lightning_mlp.model import LitMLP
from parity.selftest.planted.models import OtherRate


class RateFifthLower(OtherRate):
    factor = 0.8


class HalfMomentum(LitMLP):
    def configure_optimizers(self):
        return KerasSGD(self.parameters(), self.hparams.learning_rate, 0.5)


class NoShuffle(MNISTDataModule):
    """Visits the samples in their own order, in every epoch."""

    def __init__(self, **arguments):
        super().__init__(**{**arguments, "order": lambda epoch: np.arange(len(self.digits.train_labels))})


class OtherGenerator(MNISTDataModule):
    """No fault: shuffles by NumPy's generator in place of PyTorch's."""

    def __init__(self, **arguments):
        super().__init__(**arguments)
        seed = arguments.get("seed", 0)
        self.order = lambda epoch: np.random.default_rng([seed, epoch]).permutation(len(self.digits.train_labels))


class RoundedOtherwise(LitMLP):
    """No fault: the same mathematics, rounded otherwise; each layer's inputs are summed in the reverse order."""

    def forward(self, images):
        values = images
        for layer in self.layers:
            linear = hasattr(layer, "weight")
            values = values.flip(1) @ layer.weight.flip(1).T + layer.bias if linear else layer(values)
        return values
