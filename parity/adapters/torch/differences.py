"""Measures a module of PyTorch's for the catalogue of differences between layers (`parity.traps.layers`)."""

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from parity.adapters.torch.tensors import Binding
from parity.protocol.tensors import Arrays
from parity.traps.layers.layouts import LAYER, draw_weights, table_of


def measure(
    make: Callable[[], nn.Module],
    call: Callable,
    draw_input: Callable[[], np.ndarray],
    values: Callable[[np.ndarray, Arrays, Arrays], np.ndarray],
    kind: str,
    sizes: dict[str, int],
    mode: str,
    optimizer: tuple[str, float],
    channels_first: bool,
) -> np.ndarray:
    """Returns what is compared of a module, as a vector, in Keras's layout.

    Args:
        make: makes the module.
        call: from the module and its input to its output.
        draw_input: returns the input, as Keras takes it.
        values, kind, sizes, mode, optimizer: as on Keras's side.
        channels_first: whether the module takes and gives (N, C, ...) where Keras does (N, ..., C).
    """
    torch.manual_seed(0)
    module, x = make().train(mode in ("training", "chance", "step")), torch.from_numpy(draw_input())
    x = x.movedim(-1, 1) if channels_first and x.ndim > 2 else x
    table = table_of(kind, sizes)
    if mode == "start":
        call(module, x)  # it may fill the weights
    is_held = bool([*module.parameters()])
    binding = Binding(module, table) if is_held else None
    if is_held and mode != "start":
        binding.load(draw_weights(table))
    before = weights_of(binding)
    if mode == "step":
        take_step(module, call, x, optimizer)
    y = np.empty(0) if mode in ("step", "start") else in_keras(call(module, x), channels_first)
    return np.ravel(values(y, weights_of(binding), before))


def in_keras(output: torch.Tensor, channels_first: bool) -> np.ndarray:
    """Copies an output, channels last."""
    output = output.detach()
    return (output.movedim(1, -1) if channels_first and output.ndim > 2 else output).numpy().copy()


def weights_of(binding: Binding | None) -> Arrays:
    """Copies the weights by role, in Keras's layout."""
    weights = binding.weights() if binding else {}
    return {path.removeprefix(f"{LAYER}/"): array for path, array in weights.items()}


def take_step(module: nn.Module, call: Callable, x: torch.Tensor, optimizer: tuple[str, float]) -> None:
    """Takes a step; the loss is the sum of the outputs."""
    name, rate = optimizer
    call(module, x).sum().backward()
    getattr(torch.optim, name)(module.parameters(), rate).step()


def with_gates(module: nn.RNNBase, order: tuple[int, ...]) -> nn.RNNBase:
    """Puts the blocks of a recurrent module's tensors in another order; returns it."""
    with torch.no_grad():
        for parameter in module.parameters():
            blocks = parameter.chunk(len(order))
            parameter.copy_(torch.cat([blocks[number] for number in order]))
    return module
