"""Undoes a constraint that is missing: weights are brought back within it after every step, as Keras does."""

from functools import wraps

import torch

from parity.adapters.torch.recurrent import shares, whole
from parity.adapters.torch.tensors import to_numpy, to_torch
from parity.adapters.torch.undo.difference import OPTIMIZERS, Built, Undo
from parity.adapters.torch.undo.optimizers import PARTS

EPSILON = 1e-7  # Keras's


def norms_of(value: torch.Tensor, asked: dict) -> torch.Tensor:
    """Returns the norms along a constraint's axes, which are kept."""
    return value.square().sum(dim=asked.get("axis", 0), keepdim=True).sqrt()


def within_most(value: torch.Tensor, asked: dict) -> torch.Tensor:
    """Returns w clip(|w|, 0, max) / (eps + |w|)."""
    norms = norms_of(value, asked)
    return value * (norms.clamp(0, asked["max_value"]) / (EPSILON + norms))


def of_one(value: torch.Tensor, asked: dict) -> torch.Tensor:
    """Returns w / (eps + |w|)."""
    return value / (EPSILON + norms_of(value, asked))


def between(value: torch.Tensor, asked: dict) -> torch.Tensor:
    """Returns w (rate clip(|w|, min, max) + (1 - rate) |w|) / (eps + |w|)."""
    norms, rate = norms_of(value, asked), asked["rate"]
    nearer = rate * norms.clamp(asked["min_value"], asked["max_value"]) + (1 - rate) * norms
    return value * (nearer / (EPSILON + norms))


# By Keras's class; sources: `keras/src/constraints/constraints.py` of Keras 3. Values lie as in Keras.
CONSTRAINTS = {
    "NonNeg": lambda value, asked: value.clamp(min=0),
    "MaxNorm": within_most,
    "UnitNorm": of_one,
    "MinMaxNorm": between,
}


def constrain(built: Built) -> list[str]:
    """Has every step of the optimizers end with Keras's constraints."""
    lines, tensors = {}, []
    for tensor in built.binding.table:
        layer, _, role = tensor.path.rpartition("/")
        asked = built.settings.get(layer, {}).get("constraints", {}).get(role)
        if asked and asked["class_name"] in CONSTRAINTS and tensor.trained:
            tensors.append((tensor, asked))
            numbers = ", ".join(f"{name}={value}" for name, value in asked.items() if name != "class_name")
            lines[f"{tensor.torch_name}: after every step, write Keras's {asked['class_name']}({numbers})"] = None
    for optimizer in built.optimizers[-1:] if tensors else ():  # the last one: all weights have been changed
        constrained(optimizer, built, tensors)
    return list(lines)


def constrained(optimizer: torch.optim.Optimizer, built: Built, tensors: list) -> None:
    """Has an optimizer's steps end with constraints.

    Args:
        optimizer: is changed.
        built: whose weights are constrained.
        tensors: of the table, each with what Keras asks.
    """
    step = optimizer.step

    @wraps(step)
    def stepped(*arguments, **options):
        """Steps, and constrains."""
        result = step(*arguments, **options)
        with torch.no_grad():
            for tensor, asked in tensors:
                holders = built.binding.holders(tensor)
                array = to_numpy(whole(tensor, holders, True), tensor.layout)
                value = CONSTRAINTS[asked["class_name"]](torch.from_numpy(array), asked)
                parts = shares(tensor, to_torch(value.numpy(), tensor.layout), len(holders), True)
                for holder, part in zip(holders, parts, strict=True):
                    holder.copy_(part)
        return result

    optimizer.step = stepped


UNDOS = [Undo("constraint-missing", PARTS, constrain, OPTIMIZERS)]
