"""What to do where a module's tensors and Keras's do not fit each other."""

import math

import torch
from torch import nn

from parity.protocol.tensors import LAYERS, Table, Tensor

SHOWN = 4  # names of each kind; the table above has all
KNOWN = {name for kinds, _ in LAYERS.values() for name in kinds}


def advise(module: nn.Module, table: Table, missing: list[Tensor], extra: dict[str, torch.Tensor]) -> list[str]:
    """Says which kinds of layers Keras's model does not have at all, and how a tensor is named where one can be.

    Args:
        module: the candidate.
        table: the reference's tensors.
        missing: those without a partner.
        extra: the candidate's parameters without one, by name.
    """
    counts = {name: value.numel() for name, value in extra.items()}
    wide = [tensor for tensor in missing if len(tensor.shape) > 1]  # as many values say nothing of a vector
    pairs = [(t, name) for t in wide for name, count in counts.items() if count == math.prod(t.shape)]
    in_keras = {name for tensor in table for name in LAYERS.get(tensor.kind, ((),))[0]}
    too_many: dict[str, list[str]] = {}
    for place in dict.fromkeys(name.rpartition(".")[0] for name in extra):
        kinds = [cls.__name__ for cls in type(module.get_submodule(place)).__mro__]
        kind = next((kind for kind in kinds if kind in KNOWN), None)
        if kind and not in_keras & {*kinds} and not any(name.rpartition(".")[0] == place for _, name in pairs):
            too_many.setdefault(kind, []).append(place)
    lines = [
        f"Keras's model has no layer that is {kind} in torch; the candidate has it as {shown(places)}"
        for kind, places in too_many.items()
    ]
    if pairs:
        tensor, name = pairs[0]
        turned = (name, tuple(reversed(range(len(tensor.shape)))))
        example = f"WEIGHTS = {{'{tensor.path}': '{name}'}}, or {turned} with Keras's axes in torch's order"
        lines.append(f"WEIGHTS in a pair file says which is which, such as {example}")
    return lines


def shown(names: list[str]) -> str:
    """Names the first few, and says how many more there are."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
