"""Ports, and what Keras is set to beside them, to undo a single difference in: each can be run, and compared after."""

from collections.abc import Callable

import numpy as np
import torch
from sample_records import make_facts
from torch import nn

from parity.adapters.torch.modes import set_mode
from parity.adapters.torch.undo.difference import Built
from parity.adapters.torch.undo.layers import UNDOS
from parity.protocol.records import LayerCall
from parity.protocol.tensors import Tensor

OF_ID = {undo.id: undo for undo in UNDOS}
DRAW = np.random.default_rng(0)
ROLES = {
    "Dense": ("kernel", "bias"), "Conv1D": ("kernel", "bias"), "Conv2D": ("kernel", "bias"),
    "Conv2DTranspose": ("kernel", "bias"), "LSTM": ("kernel", "recurrent_kernel", "bias"),
    "SimpleRNN": ("kernel", "recurrent_kernel", "bias"), "GRU": ("kernel", "recurrent_kernel", "bias"),
    "Embedding": ("embeddings",), "LayerNormalization": ("gamma", "beta"), "GroupNormalization": ("gamma", "beta"),
    "BatchNormalization": ("gamma", "beta", "moving_mean", "moving_variance"),
}  # fmt: skip


class Port(nn.Module):
    """A module of some parts, whose `forward` is given.

    Args:
        forward: from the module and its input to its output.
        parts: by name.
    """

    def __init__(self, forward: Callable, **parts: nn.Module):
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, part)
        self.done = forward

    def forward(self, *inputs):
        """Runs."""
        return self.done(self, *inputs)


def tensors(path: str, kind: str, *shapes: tuple[int, ...], flattened: tuple[int, ...] = ()) -> list[Tensor]:
    """Makes the tensors of a layer, the first of its roles first."""
    return [
        Tensor(f"{path}/{role}", kind, role, shape, not role.startswith("moving"), None, () if number else flattened)
        for number, (role, shape) in enumerate(zip(ROLES[kind], shapes, strict=False))
    ]


def build(
    module: nn.Module,
    x: torch.Tensor | tuple,
    settings: dict[str, dict],
    table: list[Tensor],
    recorded: dict[str, tuple] | None = None,
) -> Built:
    """Makes what an undoing is given, of a module that can be run.

    Args:
        module: the port.
        x: its input, or several.
        settings: of Keras's layers, by path.
        table: Keras's tensors.
        recorded: by path, the shapes of what a layer of Keras's was given and gave.
    """
    start = {tensor.path: DRAW.random(tensor.shape).astype(np.float32) for tensor in table}
    given = x if isinstance(x, tuple) else (x,)

    def run():
        with torch.no_grad():
            output = module.eval()(*given)
        set_mode(module, True)
        return output

    calls = [
        LayerCall(path, np.zeros(gave, np.float32), np.zeros(took, np.float32))
        for path, (took, gave) in (recorded or {}).items()
    ]
    facts = make_facts(tensors=table, start=start, settings=settings)
    return Built(module, facts, 0, lambda number: start, run=run, recorded=lambda: calls)


def undone(id: str, built: Built) -> tuple[list[str], torch.Tensor]:
    """Undoes a difference; returns the lines, and what the port gives then."""
    lines = OF_ID[id].change(built)
    return lines, built.run()
