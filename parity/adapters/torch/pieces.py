"""Parameters that hold several of Keras's tensors: `in_proj_weight` of an attention holds three, below each other."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils import _pytree as tree

NAME = re.compile(r"(.+)\[(\d+):(\d+)\]")  # of a piece: its parameter and its rows


class Piece:
    """Some rows of a parameter, which stand for a parameter of their own.

    Functions of torch take it for the tensor of these rows; what is copied into it, and the gradient that it is given,
    end in the parameter's.

    Args:
        whole: the parameter.
        start, stop: the rows.
    """  # fmt: skip

    def __init__(self, whole: torch.Tensor, start: int, stop: int):
        self.whole, self.start, self.stop = whole, start, stop

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        """Calls a function with the rows in a piece's place."""
        args, kwargs = tree.tree_map(lambda one: one.value if isinstance(one, Piece) else one, (args, kwargs or {}))
        return func(*args, **kwargs)

    @property
    def value(self) -> torch.Tensor:
        """The rows; they share the parameter's memory."""
        return self.whole.detach()[self.start : self.stop]

    @property
    def grad(self) -> torch.Tensor | None:
        """The rows of the parameter's gradient; None where it has none."""
        return None if self.whole.grad is None else self.whole.grad[self.start : self.stop]

    @grad.setter
    def grad(self, value: torch.Tensor | None) -> None:
        if self.whole.grad is None:
            self.whole.grad = torch.zeros_like(self.whole)
        self.whole.grad[self.start : self.stop] = 0 if value is None else value

    def __getattr__(self, name: str):
        """Returns what the tensor of the rows has."""
        return getattr(self.value, name)

    @property
    def requires_grad(self) -> bool:
        """Whether the parameter is trained."""
        return self.whole.requires_grad


@dataclass(frozen=True)
class Projection:
    """One of the three projections of an attention, which has a layer's attributes."""

    module: nn.MultiheadAttention
    number: int  # 0: the query's, 1: the key's, 2: the value's

    @property
    def weight(self) -> torch.Tensor | Piece:
        """Its kernel, (outputs, inputs)."""
        own = ("q_proj_weight", "k_proj_weight", "v_proj_weight")[self.number]
        if self.module.in_proj_weight is None:
            return getattr(self.module, own)
        return self.rows_of(self.module.in_proj_weight)

    @property
    def bias(self) -> Piece | None:
        """Its bias; None where it has none."""
        return None if self.module.in_proj_bias is None else self.rows_of(self.module.in_proj_bias)

    def rows_of(self, whole: torch.Tensor) -> Piece:
        """Returns its third of a parameter."""
        size = self.module.embed_dim
        return Piece(whole, self.number * size, (self.number + 1) * size)

    def parameters(self, recurse: bool = True) -> Iterator[torch.Tensor]:
        """Yields the parameters that hold its tensors."""
        return (whole_of(value) for value in (self.weight, self.bias) if value is not None)


def parts_of(name: str, module: nn.Module) -> dict[str, nn.Module | Projection]:
    """Returns what holds a layer's tensors in a module, by name: itself, or the projections of an attention."""
    if not isinstance(module, nn.MultiheadAttention):
        return {name: module}
    return {f"{name}.{part}".lstrip("."): Projection(module, i) for i, part in enumerate(("query", "key", "value"))}


def whole_of(value: torch.Tensor | Piece) -> torch.Tensor:
    """Returns the parameter that holds a tensor."""
    return value.whole if isinstance(value, Piece) else value


def key_of(value: torch.Tensor | Piece) -> tuple[int, int]:
    """Returns what no other parameter or piece of one has."""
    return (id(value.whole), value.start) if isinstance(value, Piece) else (id(value), -1)


def name_in(names: dict[int, str], value: torch.Tensor | Piece) -> str:
    """Returns the name of a parameter, or of a piece of one.

    Args:
        names: of parameters, by their ids.
        value: one of them.
    """
    name = names[id(whole_of(value))]
    return f"{name}[{value.start}:{value.stop}]" if isinstance(value, Piece) else name


def find_named(tensors: dict[str, torch.Tensor], name: str) -> torch.Tensor | Piece | None:
    """Returns a tensor by its name, such as `qkv.weight`, or rows of it, `qkv.weight[0:16]`; None if there is none."""
    if (found := NAME.fullmatch(name)) is None:
        return tensors.get(name)
    whole, start, stop = tensors.get(found[1]), int(found[2]), int(found[3])
    return Piece(whole, start, stop) if whole is not None and start < stop <= len(whole) else None


def put_state(state: dict, value: torch.Tensor | Piece, own: dict) -> None:
    """Puts the state of one parameter into an optimizer's; that of a piece, beside that of its parameter's others.

    Args:
        state: the optimizer's.
        value: the parameter, or the piece of one.
        own: its state; tensors of its shape are the piece's.
    """
    if not isinstance(value, Piece):
        state[value] = own
        return
    whole = state[value.whole] = state.get(value.whole) or {}
    for name, one in own.items():
        if not torch.is_tensor(one) or one.shape != value.value.shape:
            whole[name] = one
            continue
        if name not in whole:
            whole[name] = torch.zeros_like(value.whole)
        whole[name][value.start : value.stop] = one


def state_in(state: dict, value: torch.Tensor | Piece, name: str) -> torch.Tensor:
    """Returns one of the tensors that an optimizer keeps of a parameter; of a piece, those rows of it.

    Args:
        state: the optimizer's.
        value: the parameter, or the piece of one.
        name: of the tensor in the state.
    """
    held = state[whole_of(value)][name]
    return held[value.start : value.stop] if isinstance(value, Piece) else held
