"""What a fault in an example's right port is, and how a module is changed by one.

A plant changes what a port gives, as a person's own lines would: the module once it is built, what it configures, the
Trainer's arguments, or the data.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import nn

CNN, BATCH_NORM, LSTM, GRU = "digits_cnn", "digits_batch_norm", "digits_lstm", "lines_gru"
DIABETES, WINE = "diabetes", "wine_two_inputs"
EXAMPLES = (CNN, BATCH_NORM, LSTM, GRU, DIABETES, WINE)


@dataclass(frozen=True)
class Plant:
    """A fault that can be planted in the right ports of some examples."""

    id: str  # of the difference that it is, in a catalogue
    examples: tuple[str, ...]
    touches: tuple[str, ...]  # what it changes: two that change the same are not planted together
    module: Callable[[nn.Module], None] | None = None  # changes a module that was just built
    data: Callable | None = None  # returns other data than what it is given
    options: dict = field(default_factory=dict)  # of the Trainer
    form: str = ""  # what tells it from others of the same difference
    also: tuple[str, ...] = ()  # ids of further differences, which it is not without

    @property
    def name(self) -> str:
        """What it is called."""
        return f"{self.id}:{self.form}" if self.form else self.id


def override(module: nn.Module, **methods) -> None:
    """Puts methods in the place of a module's own, as a subclass does."""
    module.__class__ = type(type(module).__name__, (type(module),), methods)


def around(change: Callable) -> Callable[[nn.Module], None]:
    """Returns what has a module's `forward` be `change(module, own, *inputs)`, where `own` is the one before."""

    def plant(module: nn.Module) -> None:
        """Overrides `forward`."""
        forward = type(module).forward
        override(module, forward=lambda self, *inputs: change(self, partial(forward, self), *inputs))

    return plant


def with_layer(make: Callable[[nn.Module], nn.Module], *places: str) -> Callable[[nn.Module], None]:
    """Returns what puts `make(layer)` in the places of layers, which are called by their names."""

    def plant(module: nn.Module) -> None:
        """Replaces them."""
        for place in places:
            module.set_submodule(place, make(module.get_submodule(place)))

    return plant


def with_weights(layer: nn.Module, other: nn.Module) -> nn.Module:
    """Returns a layer with another one's weights."""
    layer.load_state_dict(other.state_dict())
    return layer


def layers(module: nn.Module, kinds: type | tuple[type, ...]) -> list[nn.Module]:
    """Returns the layers of some kinds."""
    return [layer for layer in module.modules() if isinstance(layer, kinds)]


def each(kinds: type | tuple[type, ...], change: Callable) -> Callable[[nn.Module], None]:
    """Returns what changes every layer of some kinds."""

    def plant(module: nn.Module) -> None:
        """Changes them."""
        with torch.no_grad():
            for layer in layers(module, kinds):
                change(layer)

    return plant


def with_attributes(kinds: type | tuple[type, ...], **values) -> Callable[[nn.Module], None]:
    """Returns what sets attributes of every layer of some kinds."""
    return each(kinds, lambda layer: [setattr(layer, name, value) for name, value in values.items()])
