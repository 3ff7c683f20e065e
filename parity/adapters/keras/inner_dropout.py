"""Rates at which a layer drops inside of what it computes: a recurrent layer's inputs and states, attention weights.

Keras has `LSTM(dropout=.3, recurrent_dropout=.2)`, one mask for all steps of a row, and `Attention(dropout=.1)`. No
layer stands there that could be asked again, so that masks are not handed over: while steps are compared, nothing is
dropped there, and the law of the model's output decides.
"""

import weakref
from dataclasses import dataclass

import keras

from parity.adapters.keras import tensors

KINDS = (keras.layers.SimpleRNNCell, keras.layers.LSTMCell, keras.layers.GRUCell, keras.layers.Attention)
NAMES = ("dropout", "recurrent_dropout")
WHY_NOT = "Keras drops inside of the layer, where the candidate has no place of the same shape"
seen: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()  # of an owner the names of rates that were not 0


@dataclass
class InnerRate:
    """A rate of a layer that drops inside; it has the attributes of a random layer that are asked for.

    Attributes:
        owner: the recurrent cell, or the attention.
        attribute: the rate's name.
        host: the layer whose call drops: of a cell, the recurrent layer.
    """

    owner: keras.layers.Layer
    attribute: str
    host: keras.layers.Layer

    @property
    def name(self) -> str:
        """The host's name and the rate's."""
        return f"{self.host.name}, {self.attribute}"

    @property
    def kind(self) -> str:
        """What it is called in a list of kinds, such as `LSTM recurrent_dropout`."""
        return f"{type(self.owner).__name__.removesuffix('Cell')} {self.attribute}"

    @property
    def rate(self) -> float:
        """The rate."""
        return getattr(self.owner, self.attribute)

    @rate.setter
    def rate(self, value: float) -> None:
        setattr(self.owner, self.attribute, value)

    @property
    def seed(self) -> int | None:
        """The owner's."""
        return self.owner.seed

    @property
    def seed_generator(self) -> keras.random.SeedGenerator:
        """The owner's: one for all its rates."""
        return self.owner.seed_generator


def inner_rates(owner, hosts: tuple) -> list[InnerRate]:
    """Returns the rates of a layer that drops inside, also while they are set to 0.

    Args:
        owner: a layer without layers in it.
        hosts: the layers around it, the outermost first.
    """
    if not isinstance(owner, KINDS):
        return []
    known = seen.setdefault(owner, set())
    known |= {name for name in NAMES if getattr(owner, name, 0.0) > 0}
    host = next((layer for layer in hosts if isinstance(layer, keras.layers.RNN)), owner)
    return [InnerRate(owner, name, host) for name in NAMES if name in known]


def leaves_with_hosts(model, hosts: tuple = ()) -> list[tuple]:
    """Lists the layers without layers in them, in their order, each with the layers around it."""
    leaves = []
    for layer in tensors.parts_of(model):
        inside = leaves_with_hosts(layer, (*hosts, layer))
        leaves += inside or [(layer, hosts)]
    return leaves
