"""Recurrent modules: one of torch's may hold several of Keras's layers, and two biases in the place of one.

`nn.LSTM(num_layers=2, bidirectional=True)` holds four layers of Keras's, each a `Direction`. Where Keras has one bias,
torch adds `bias_ih` and `bias_hh`: the first one is filled with Keras's, the second one with zeros, and their sum is
compared. If both are trained, that sum makes two steps in the place of one.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn

from parity.protocol.tensors import Tensor

FIRST_BIAS, SECOND_BIAS = "bias_ih", "bias_hh"


@dataclass(frozen=True)
class Direction:
    """One layer of a recurrent module, in one direction; its tensors are attributes named as those of torch's cells."""

    module: nn.RNNBase
    layer: int
    is_reverse: bool

    @property
    def suffix(self) -> str:
        """What the names of its tensors end with in the module."""
        return f"_l{self.layer}{'_reverse' * self.is_reverse}"

    def __getattr__(self, name: str) -> torch.Tensor:
        """Returns one of its tensors.

        Raises:
            AttributeError: it has none of this name.
        """
        return getattr(self.module, f"{name}{self.suffix}")

    def parameters(self, recurse: bool = True) -> Iterator[nn.Parameter]:
        """Yields its parameters."""
        return (value for name, value in self.module.named_parameters(recurse=False) if name.endswith(self.suffix))


def parts_of(name: str, module: nn.Module) -> dict[str, nn.Module | Direction]:
    """Returns what holds one layer's tensors in a module, by name: itself, or the directions of a recurrent one."""
    if not isinstance(module, nn.RNNBase):
        return {name: module}
    directions = [
        Direction(module, layer, is_reverse)
        for layer in range(module.num_layers)
        for is_reverse in (False, True)[: 1 + module.bidirectional]
    ]
    if len(directions) == 1:
        return {name: directions[0]}
    return {f"{name}.{direction.suffix.removeprefix('_')}".lstrip("."): direction for direction in directions}


def named_part(path: str, parts: dict[str, nn.Module | Direction]) -> nn.Module | Direction | None:
    """Returns the part that is named as a layer of Keras's, or as the one around it; None where none is.

    Args:
        path: of a tensor of the layer, such as `both/forward_lstm/kernel`, which is in the module `both`.
        parts: by name.
    """
    around, own = ["", *path.split("/")[:-1]][-2:]
    places = {name.rpartition(".")[2]: part for name, part in parts.items()}
    directions = {tuple(name.split(".")[-2:]): part for name, part in parts.items()}
    direction = "l0_reverse" if own.startswith("backward_") else "l0"
    return places.get(own) or directions.get((around, direction)) or places.get(around)


def second_biases(module: nn.Module, parameters: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Returns the second biases that stand beside what was found, by path.

    Args:
        module: that holds the parameters.
        parameters: by path.
    """
    named = dict(module.named_parameters())
    names = {id(value): name for name, value in named.items()}
    beside = {path: names.get(id(value), "").replace(FIRST_BIAS, SECOND_BIAS) for path, value in parameters.items()}
    return {
        path: named[name]
        for path, name in beside.items()
        if name in named and named[name] is not parameters[path] and named[name].shape == parameters[path].shape
    }


def shares(tensor: Tensor, value: torch.Tensor, count: int, is_sum: bool) -> list[torch.Tensor]:
    """Returns what each of the parameters that hold a tensor gets of a value.

    Args:
        tensor: of the table.
        value: in torch's layout.
        count: of the parameters.
        is_sum: whether what they hold adds up to the value; else, each holds all of it, as a gradient of the sum.
    """
    if tensor.is_split:
        return list(value)
    return [value, *[torch.zeros_like(value) if is_sum else value] * (count - 1)]


def whole(tensor: Tensor, values: list[torch.Tensor], is_sum: bool) -> torch.Tensor:
    """Returns the value that `shares` has shared out."""
    if tensor.is_split:
        return torch.stack(values)
    return sum(values[1:], start=values[0]) if is_sum else values[0]


def outputs_of(module: nn.Module, kernel: torch.Tensor, output: object) -> list[torch.Tensor]:
    """Returns what may be a layer's output in what its module gave: a sequence, or its last state.

    Args:
        module: that holds the layer's tensors, and of a recurrent one perhaps other layers'.
        kernel: the layer's.
        output: a tensor; of a recurrent module, the sequence of the last layer and the last states of all.
    """
    if torch.is_tensor(output):
        return [output]
    if isinstance(module, nn.RNNCellBase):
        return [output[0]]
    if not isinstance(module, nn.RNNBase):
        return []
    (sequence, states), count = output, 1 + module.bidirectional
    own = next(part for part in parts_of("", module).values() if part.weight_ih is kernel)
    hidden = states[0] if isinstance(states, tuple) else states
    outputs = [hidden[own.layer * count + own.is_reverse]]
    if own.layer == module.num_layers - 1 and torch.is_tensor(sequence):
        half = sequence.chunk(count, dim=-1)[own.is_reverse]
        # Keras's layer gives the last step first
        outputs.append(half.flip(1 if module.batch_first else 0) if own.is_reverse else half)
    return outputs
