"""What drops by chance in a module: it does nothing, or drops what the reference dropped.

Layers and functional calls end in the same functions of `torch.nn.functional`; these are caught (`TorchFunctionMode`).
So is noise of one's own, as far as it comes from a normal distribution: it is its mean, as Keras's noise of rate 0.
"""

import copy
import itertools
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import lightning
import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from mlp_spec.support.errors import UserError
from parity.adapters.torch.attention import attend, entered_once
from parity.adapters.torch.record import BatchRecorder
from parity.adapters.torch.stacked import dropping_rate, is_packed, run_apart
from parity.protocol.law import RandomLayer, is_random
from parity.protocol.reshaped import differ_by_ones

NAMES = ("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout")
FUNCTIONS = {getattr(functional, name) for name in NAMES}
NORMAL = {torch.randn: "randn", torch.randn_like: "randn_like", torch.normal: "normal", torch.Tensor.normal_: "normal_"}
ALPHA = -1.0507009873554805 * 1.6732632423543773  # what SELU falls to: -scale alpha
# What else draws: nothing can be put in its place, as nobody knows what a module makes of it.
OTHERS = {
    getattr(owner, name): name
    for owner, names in (
        (torch, ("rand", "rand_like", "randint", "randint_like", "randperm", "bernoulli", "multinomial", "poisson")),
        (torch.Tensor, ("uniform_", "random_", "bernoulli", "bernoulli_", "exponential_", "geometric_", "log_normal_")),
    )
    for name in names
}


class Chance(TorchFunctionMode):
    """Catches what draws in training.

    Args:
        drop: from the number of the call in its step, and its input, to what is passed on; None passes the input on.

    Attributes:
        rates: of the calls that drop, of the step so far, those of 0 left out.
        draws: the functions of other kinds that drew, in order.
    """

    def __init__(self, drop: Callable[[int, torch.Tensor], torch.Tensor] | None = None):
        super().__init__()
        self.drop, self.rates, self.draws = drop, [], []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        """Calls a function, if it is none that drops; a normal distribution gives its mean."""
        kwargs = kwargs or {}
        if name := NORMAL.get(func) or OTHERS.get(func):
            return self.draw(func, name, args, kwargs)
        if func is functional.multi_head_attention_forward:
            with entered_once(), self:
                return func(*args, **kwargs)
        if func is functional.scaled_dot_product_attention and dropped_weights(*args, **kwargs):
            return attend(self.pass_on_dropped, *args, **kwargs)
        if dropping_rate(func, args):
            return self.call_stacked(func, args)
        return self.call_dropping(func, args, kwargs) if func in FUNCTIONS else func(*args, **kwargs)

    def call_dropping(self, func: Callable, args: tuple, kwargs: dict) -> torch.Tensor:
        """Calls one of the functions that drop."""
        values = dict(zip(("input", "p", "training", "inplace"), args, strict=False)) | kwargs
        is_alpha = "alpha" in func.__name__
        rate, training = values.get("p", 0.5), values.get("training", not is_alpha)
        if not training or rate == 0:
            return values["input"]
        return self.pass_on(func, values["input"], float(rate))

    def call_stacked(self, func: Callable, args: tuple) -> tuple:
        """Calls a recurrent function that drops between its layers; where the rows are packed, it draws as it does."""
        if is_packed(args):
            return self.draw(func, f"dropout between the layers of a packed {func.__name__}", args, {})
        return run_apart(func, self.pass_on_dropped, *args)

    def pass_on_dropped(self, values: torch.Tensor, rate: float) -> torch.Tensor:
        """Returns what is given in place of values that a larger function would drop with its own dropout."""
        return self.pass_on(functional.dropout, values, rate)

    def pass_on(self, func: Callable, values: torch.Tensor, rate: float) -> torch.Tensor:
        """Returns what a function that would drop gives in its place."""
        if self.drop or not torch.compiler.is_compiling():  # a list that grows is compiled anew for every length
            self.rates.append(rate)
        return self.drop(len(self.rates) - 1, values) if self.drop else values

    def draw(self, func: Callable, name: str, args: tuple, kwargs: dict) -> torch.Tensor:
        """Calls a function that draws; what a normal distribution gives becomes its mean, but for new weights."""
        drawn = func(*args, **kwargs)
        if isinstance(drawn, nn.Parameter):
            return drawn
        if not torch.compiler.is_compiling():
            self.draws.append(name)
        if func in NORMAL:
            of_call = dict(zip(("mean",), args[1:] if name == "normal_" else args, strict=False)) | kwargs
            mean = of_call.get("mean", 0.0) if name.startswith("normal") else 0.0
            with torch.no_grad():
                drawn.copy_(torch.as_tensor(mean, dtype=drawn.dtype, device=drawn.device))
        return drawn


def dropped_weights(query, key, value, attn_mask=None, dropout_p=0.0, *others, **options) -> float:
    """Returns the rate at which an attention drops its weights: one of the arguments of torch's function."""
    return dropout_p


@dataclass(frozen=True)
class Randomness:
    """What draws in a training step."""

    rates: list[float]  # of what drops, in the order of the calls
    draws: list[str] = field(default_factory=list)  # functions of other kinds
    unsilenced: str = ""  # why a step is random, though nothing is drawn that can be silenced; empty where it is not


class Noted(lightning.Callback):
    """Notes what draws in a training step, and not what draws around it: loaders draw seeds.

    Attributes:
        mode: to be entered while the Trainer works.
        rates, draws: of the step.
    """

    def __init__(self):
        self.mode, self.rates, self.draws = Chance(), [], []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        """Begins the step."""
        self.mode.rates.clear()
        self.mode.draws.clear()

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        """Ends it."""
        self.rates, self.draws = list(self.mode.rates), list(self.mode.draws)


def find_randomness(
    build: Callable[[], nn.Module], train: Callable[[nn.Module, list[lightning.Callback]], None]
) -> Randomness:
    """Trains one step twice from the same weights while nothing is drawn, and sees what would be.

    The rates are those of the module's layers where a step fails: it will say why in its own part.

    Args:
        build: builds a module.
        train: trains one for a step, with some callbacks.
    """
    losses, weights = [], None
    for seed in range(2):
        module, recorder, noted = build(), BatchRecorder(), Noted()
        if weights is None:
            weights = copy.deepcopy(module.state_dict())
        module.load_state_dict(weights)
        torch.manual_seed(seed)
        try:
            with noted.mode:
                train(module, [recorder, noted])
        except Exception:
            layers = (part for part in module.modules() if isinstance(part, nn.modules.dropout._DropoutNd))
            return Randomness([layer.p for layer in layers if layer.p])
        losses.append(recorder.all_losses())
    rates, draws = noted.rates, noted.draws
    by = f" (it draws by {', '.join(dict.fromkeys(draws))})" if draws else ""
    why = f"the candidate's training step is random, also while all that can be silenced does nothing{by}"
    return Randomness(rates, draws, why if is_random(*losses) else "")


class Replay(lightning.Callback):
    """Drops in every step what the reference dropped in it.

    Args:
        layers: the reference's.
        folder: of their masks.
        turned: whether the module flattens (C, H, W), in place of (H, W, C).
        channels_first: by the number of a layer, whether values lie so in it; missing where their shape says it.

    Attributes:
        mode: to be entered while the Trainer works.
    """

    def __init__(
        self, layers: list[RandomLayer], folder: str, turned: bool, channels_first: dict[int, bool] | None = None
    ):
        self.layers, self.turned, self.channels_first = layers, turned, channels_first or {}
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
        mask = mask_of(values.detach(), number, self.key)
        if number < len(self.layers) and self.layers[number].is_alpha:
            # a (x mask + alpha (1 - mask)) + b, which has mean 0 and variance 1 if x has
            scale = ((1 - rate) * (1 + rate * ALPHA**2)) ** -0.5
            return scale * (values * mask + ALPHA * (1 - mask)) - scale * ALPHA * rate
        return values * mask / (1 - rate)

    def mask(self, number: int, values: torch.Tensor) -> torch.Tensor:
        """Returns what the reference's layer of this number kept in this step: ones and zeros.

        Raises:
            UserError: it has no such layer, or one of another shape.
        """
        if number >= len(self.layers):
            raise UserError(f"the module drops {number + 1} times in a step, the reference {len(self.layers)} times")
        layer, shape = self.layers[number], tuple(values.shape)
        is_merged = shape[1:] == layer.shape[1:]  # an attention's heads stand among its rows: (N heads, T, S)
        rows = len(values) // layer.shape[0] if is_merged else len(values)
        count = rows * int(np.prod(layer.shape))
        mask = np.unpackbits(self.masks[number][self.step], count=count).reshape(rows, *layer.shape)
        mask = mask.reshape(-1, *layer.shape[1:]) if is_merged else mask
        forms = forms_of(mask, layer, self.turned, self.channels_first.get(number))
        fitting = [form for form in forms if form.shape == shape]
        # a port may drop in a sequence of one step, where Keras drops in what it returns
        fitting += [form.reshape(shape) for form in forms if differ_by_ones(form.shape[1:], shape[1:])]
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


def forms_of(
    mask: np.ndarray, layer: RandomLayer, turned: bool, channels_first: bool | None = None
) -> list[np.ndarray]:
    """Returns how a mask of Keras's may lie in torch, the likeliest first."""
    if layer.flattened:
        whole = np.moveaxis(mask.reshape(len(mask), *layer.flattened), -1, 1)
        return [whole.reshape(len(mask), -1)] if turned else [mask]
    first = np.moveaxis(mask, -1, 1)
    if channels_first is None:
        channels_first = mask.ndim > 3
    return [first, mask] if channels_first else [mask, first]
