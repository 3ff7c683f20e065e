"""Undoes layers that draw by another law; rates and axes are those of `dropouts`."""

import torch
from torch import nn

from parity.adapters.torch.undo.difference import Built, Undo


class GaussianDropout(nn.Module):
    """Multiplies by N(1, rate / (1 - rate)) in training.

    Args:
        rate: Keras's.
    """

    def __init__(self, rate: float):
        super().__init__()
        self.rate = rate

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Multiplies."""
        if not self.training:
            return input
        return input * (1 + (self.rate / (1 - self.rate)) ** 0.5 * torch.randn_like(input))


def draw_normally(built: Built) -> list[str]:
    """Has dropouts multiply by a normal law where Keras's layer is a GaussianDropout, in their order."""
    kinds = ("Dropout", "GaussianDropout", "AlphaDropout")
    layers = [*built.layers_of(kinds).values()]
    parts = [(name, one) for name, one in built.module.named_modules() if isinstance(one, nn.Dropout | nn.AlphaDropout)]
    if len(layers) != len(parts):
        return []
    lines = []
    for settings, (name, module) in zip(layers, parts, strict=True):
        if settings["class_name"] == "GaussianDropout" and type(module) is nn.Dropout:
            rate = settings["rate"]
            place, _, own = name.rpartition(".")
            right = GaussianDropout(rate).train(module.training)
            setattr(built.module.get_submodule(place), own, right)
            law = f"x * (1 + {(rate / (1 - rate)) ** 0.5:.4g} * torch.randn_like(x))"
            lines.append(f"{name}: nn.Dropout({module.p:g}): write {law} in training")
    return lines


UNDOS = [Undo("gaussian-dropout", ("random_layers",), draw_normally)]
