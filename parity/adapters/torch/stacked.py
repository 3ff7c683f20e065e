"""Dropout between the layers of `nn.LSTM(num_layers=2, dropout=.3)`: torch's function is run layer by layer.

What is dropped in between is then a call of its own, as of Keras's Dropout between two layers: it is silenced, or drops
what Keras dropped.
"""

from collections.abc import Callable

import torch

FUNCTIONS = (torch.lstm, torch.gru, torch.rnn_tanh, torch.rnn_relu)
HAS_BIASES = 3  # where the arguments have this flag; behind the sizes of a packed sequence's batches, one later


def dropping_rate(func: Callable, args: tuple) -> float:
    """Returns the rate at which a call of a recurrent function drops between its layers; 0 where it does not."""
    if func not in FUNCTIONS:
        return 0.0
    layers, rate, is_training = args[HAS_BIASES + is_packed(args) + 1 :][:3]
    return float(rate) if is_training and layers > 1 else 0.0


def is_packed(args: tuple) -> bool:
    """Says whether a recurrent function is called with a packed sequence, whose steps and rows share one axis."""
    return not isinstance(args[HAS_BIASES], bool)


def run_apart(
    func: Callable,
    drop: Callable[[torch.Tensor, float], torch.Tensor],
    x: torch.Tensor,
    states: torch.Tensor | tuple[torch.Tensor, ...],
    weights: list[torch.Tensor],
    has_biases: bool,
    layers: int,
    rate: float,
    is_training: bool,
    is_bidirectional: bool,
    batch_first: bool,
) -> tuple[torch.Tensor, ...]:
    """Runs a recurrent function layer by layer, so that others can drop in between.

    Args:
        func: torch's function.
        drop: from a layer's output and the rate to what is left of it.
        x: the input, and all that follows: the function's arguments.

    Returns:
        the output, and the last states of all layers, as the function does.
    """  # fmt: skip
    states, directions, own = states if func is torch.lstm else (states,), 1 + is_bidirectional, len(weights) // layers
    finals = []
    for layer in range(layers):
        start = [state[layer * directions : (layer + 1) * directions] for state in states]
        of_layer = weights[layer * own : (layer + 1) * own]
        start = tuple(start) if func is torch.lstm else start[0]
        x, *last = func(x, start, of_layer, has_biases, 1, 0.0, is_training, is_bidirectional, batch_first)
        finals.append(last)
        x = drop(x, rate) if layer + 1 < layers else x
    return x, *(torch.cat(of_all) for of_all in zip(*finals, strict=True))
