"""Undoes numbers of layers that are others than Keras's."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from torch import nn

from keras_like.normalization import KerasBatchNorm, KerasBatchNorm1d, KerasBatchNorm2d, KerasBatchNorm3d
from parity.adapters.torch.undo.difference import Built, Undo

PASSES = ("cases", "layers", "lockstep", "restarts", "interchange")
TRACKING = ("layers", "lockstep", "interchange")
BIASED = {nn.BatchNorm1d: KerasBatchNorm1d, nn.BatchNorm2d: KerasBatchNorm2d, nn.BatchNorm3d: KerasBatchNorm3d}


@dataclass(frozen=True)
class Number:
    """A number of a layer, under both names."""

    kind: str  # Keras's class
    keras: str
    torch: str
    turned: bool = False  # whether PyTorch's is 1 - Keras's

    def of(self, settings: dict) -> float | None:
        """Returns Keras's number as PyTorch says it; None where the layer has none."""
        value = settings.get(self.keras)
        return round(1 - value, 12) if self.turned and value is not None else value


def set_number(built: Built, number: Number) -> list[str]:
    """Sets the number of all layers of a kind to Keras's."""
    lines = []
    for path, (name, module) in built.owners((number.kind,)).items():
        value, own = number.of(built.facts.settings.get(path, {})), getattr(module, number.torch, None)
        if value is None or own is None or own == value:
            continue
        setattr(module, number.torch, value)
        lines.append(f"{name}: nn.{type(module).__name__}({number.torch}={own:g}): write {number.torch}={value:g}")
    return lines


def set_epsilons(built: Built, number: Number) -> list[str]:
    """Sets the epsilon of all layers of a kind to Keras's, also of functions that are called for them.

    As many calls as Keras has layers of the kind stand for these, in their order.
    """
    lines, family = set_number(built, number), FUNCTIONS[number.kind]
    layers = [one for one in built.settings.values() if one["class_name"] == number.kind]
    calls = built.trace.of(family)
    if len(layers) != len(calls):
        return lines
    for settings, call in zip(layers, calls, strict=True):
        value, own = number.of(settings), call.options.get("eps", (*call.arguments, *(1e-5,) * 5)[PLACE])
        part = built.module.get_submodule(call.place)
        if value is None or own == value or isinstance(part, nn.LayerNorm | nn.GroupNorm):
            continue
        built.calls.replace(call, partial(with_epsilon, call.function, value))
        lines.append(f"{call.place or 'forward'}: {call.name}(eps={own:g}): write eps={value:g}")
    return lines


def with_epsilon(function: Callable, epsilon: float, *arguments, **options):
    """Calls `layer_norm` or `group_norm` with another epsilon."""
    return function(*arguments[:PLACE], **{**options, "eps": epsilon})


def set_slope(built: Built) -> list[str]:
    """Sets the slopes of leaky ReLUs, which hold no tensors, in their order."""
    layers = [one for one in built.facts.settings.values() if one["class_name"] == "LeakyReLU"]
    modules = [(name, one) for name, one in built.module.named_modules() if isinstance(one, nn.LeakyReLU)]
    if len(layers) != len(modules):
        return []
    lines = []
    for settings, (name, module) in zip(layers, modules, strict=True):
        slope = settings.get("negative_slope")
        if slope is not None and module.negative_slope != slope:
            lines.append(f"{name}: nn.LeakyReLU({module.negative_slope:g}): write nn.LeakyReLU({slope:g})")
            module.negative_slope = slope
    return lines


def track_biased(built: Built) -> list[str]:
    """Has batch norms track the biased variance, as Keras's do."""
    lines = []
    for name, module in built.owners(("BatchNormalization",)).values():
        if isinstance(module, KerasBatchNorm) or type(module) not in BIASED:
            continue
        right = BIASED[type(module)]
        lines.append(f"{name}: nn.{type(module).__name__}: write keras_like.normalization.{right.__name__}")
        module.__class__ = right
    return lines


BATCH, LAYER, GROUP = "BatchNormalization", "LayerNormalization", "GroupNormalization"
FUNCTIONS = {LAYER: "layer norm", GROUP: "group norm"}  # families of `calls.FAMILIES`
PLACE = 4  # of epsilon, among the arguments of either
NUMBERS = {
    "batch-norm-epsilon": (PASSES, set_number, Number(BATCH, "epsilon", "eps")),
    "batch-norm-momentum": (TRACKING, set_number, Number(BATCH, "momentum", "momentum", turned=True)),
    "layer-norm-epsilon": (PASSES, set_epsilons, Number(LAYER, "epsilon", "eps")),
    "group-norm-epsilon": (PASSES, set_epsilons, Number(GROUP, "epsilon", "eps")),
}
UNDOS = [
    *(Undo(id, parts, partial(change, number=number)) for id, (parts, change, number) in NUMBERS.items()),
    Undo("batch-norm-variance", TRACKING, track_biased),
]
