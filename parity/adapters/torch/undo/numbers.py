"""Undoes numbers of layers that are others than Keras's."""

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
NUMBERS = {
    "batch-norm-epsilon": (PASSES, Number(BATCH, "epsilon", "eps")),
    "batch-norm-momentum": (TRACKING, Number(BATCH, "momentum", "momentum", turned=True)),
    "layer-norm-epsilon": (PASSES, Number(LAYER, "epsilon", "eps")),
    "group-norm-epsilon": (PASSES, Number(GROUP, "epsilon", "eps")),
}
UNDOS = [
    *(Undo(id, parts, partial(set_number, number=number)) for id, (parts, number) in NUMBERS.items()),
    Undo("batch-norm-variance", TRACKING, track_biased),
]
