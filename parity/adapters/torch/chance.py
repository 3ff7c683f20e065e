"""What drops by chance in a module: it does nothing, or drops what the reference dropped.

Layers and functional calls end in the same functions of `torch.nn.functional`; these are caught (`TorchFunctionMode`).
"""

import itertools
import weakref
from collections.abc import Callable
from pathlib import Path

import lightning
import numpy as np
import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from mlp_spec.support.errors import UserError
from parity.protocol.records import RandomLayer

NAMES = ("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout")
FUNCTIONS = {getattr(functional, name) for name in NAMES}


class Chance(TorchFunctionMode):
    """Catches what drops in training.

    Args:
        drop: from the number of the call in its step, and its input, to what is passed on; None passes the input on.

    Attributes:
        rates: of the calls of the step so far, those of 0 left out.
    """

    def __init__(self, drop: Callable[[int, torch.Tensor], torch.Tensor] | None = None):
        super().__init__()
        self.drop, self.rates = drop, []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        """Calls a function, if it is none that drops."""
        kwargs = kwargs or {}
        if func not in FUNCTIONS:
            return func(*args, **kwargs)
        values = dict(zip(("input", "p", "training", "inplace"), args, strict=False)) | kwargs
        is_alpha = "alpha" in func.__name__
        rate, training = values.get("p", 0.5), values.get("training", not is_alpha)
        if not training or rate == 0:
            return values["input"]
        if self.drop or not torch.compiler.is_compiling():  # a list that grows is compiled anew for every length
            self.rates.append(float(rate))
        return self.drop(len(self.rates) - 1, values["input"]) if self.drop else values["input"]


class Replay(lightning.Callback):
    """Drops in every step what the reference dropped in it.

    Args:
        layers: the reference's.
        folder: of their masks.
        turned: whether the module flattens (C, H, W), in place of (H, W, C).

    Attributes:
        mode: to be entered while the Trainer works.
    """

    def __init__(self, layers: list[RandomLayer], folder: str, turned: bool):
        self.layers, self.turned = layers, turned
        files = [Path(folder) / layer.file(number) for number, layer in enumerate(layers)]
        self.masks = [np.load(file, mmap_mode="r") for file in files]
        self.mode, self.step, self.key = Chance(self.drop), 0, next(numbers)
        replays[self.key] = self

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        """Begins a step."""
        self.mode.rates.clear()

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        """Ends it."""
        self.step += 1

    def drop(self, number: int, values: torch.Tensor) -> torch.Tensor:
        """Drops what the reference's layer of this number dropped in this step."""
        rate = self.layers[number].rate if number < len(self.layers) else 0.0
        return values * mask_of(values.detach(), number, self.key) / (1 - rate)

    def mask(self, number: int, values: torch.Tensor) -> torch.Tensor:
        """Returns what the reference's layer of this number kept in this step: ones and zeros.

        Raises:
            UserError: it has no such layer, or one of another shape.
        """
        if number >= len(self.layers):
            raise UserError(f"the module drops {number + 1} times in a step, the reference {len(self.layers)} times")
        layer, shape = self.layers[number], tuple(values.shape)
        count = len(values) * int(np.prod(layer.shape))
        mask = np.unpackbits(self.masks[number][self.step], count=count).reshape(len(values), *layer.shape)
        fitting = [form for form in forms_of(mask, layer, self.turned) if form.shape == shape]
        if not fitting:
            raise UserError(f"the module drops in {shape[1:]}, where the reference's {layer.name} has {layer.shape}")
        return torch.from_numpy(np.ascontiguousarray(fitting[0])).to(values.device).to(values.dtype)


# By numbers that are the same in every process: they stand in compiled code, which is kept for the next one.
replays: weakref.WeakValueDictionary[int, Replay] = weakref.WeakValueDictionary()
numbers = itertools.count()


@torch.library.custom_op("parity::mask_of", mutates_args=())
def mask_of(values: torch.Tensor, number: int, key: int) -> torch.Tensor:
    """Returns the mask of a replay's step, which compiled code cannot see into: it asks for it at every step."""
    return replays[key].mask(number, values)


@mask_of.register_fake
def describe_mask(values: torch.Tensor, number: int, key: int) -> torch.Tensor:
    """Describes a mask to the compiler."""
    return torch.empty(values.shape, dtype=values.dtype, device=values.device)


def forms_of(mask: np.ndarray, layer: RandomLayer, turned: bool) -> list[np.ndarray]:
    """Returns how a mask of Keras's may lie in torch, the likeliest first."""
    if layer.flattened:
        whole = np.moveaxis(mask.reshape(len(mask), *layer.flattened), -1, 1)
        return [whole.reshape(len(mask), -1)] if turned else [mask]
    first = np.moveaxis(mask, -1, 1)
    return [mask, first] if mask.ndim < 4 else [first, mask]
