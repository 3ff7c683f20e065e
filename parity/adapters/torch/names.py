"""Which part of a module is which of Keras's layers, as far as names tell it; the rest as it comes."""

import re
from dataclasses import replace

import torch

from parity.adapters.torch.pieces import find_named
from parity.protocol.reshaped import differ_by_ones
from parity.protocol.tensors import Table

ROLES = {"q": "query", "query": "query", "k": "key", "key": "key", "v": "value", "value": "value"}


def role_of(name: str) -> str:
    """Returns which projection of an attention a part's name says it is, such as `att.q_proj`; empty if none."""
    words = re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.rpartition(".")[2]).lower())
    said = {ROLES[word.removeprefix("w")] for word in words if word.removeprefix("w") in ROLES}
    return said.pop() if len(said) == 1 else ""


def by_roles(layers: list[str], parts: dict[str, object]) -> list:
    """Returns the parts of a module in the order of Keras's layers: projections by their names, others as they come.

    Args:
        layers: the names of Keras's layers, in order.
        parts: by name, in the order of registration.

    Returns:
        as many parts as there are layers; none where names say nothing, or there are others.
    """
    of_role: dict[str, list] = {"": [], "query": [], "key": [], "value": []}
    for name, part in parts.items():
        of_role[role_of(name)].append(part)
    wanted = [name if name in of_role else "" for name in layers]
    if "query" not in wanted or any(wanted.count(role) != len(found) for role, found in of_role.items()):
        return []
    return [of_role[role].pop(0) for role in wanted]


def by_names(layers: dict[str, str], parts: dict[str, object]) -> list:
    """Returns the parts of a module in the order of Keras's layers: those of their names first, others as they come.

    The outputs of a model stand in another order in Keras, which sorts a dictionary's, than in a module.

    Args:
        layers: the kinds of Keras's layers, by their paths, in order.
        parts: by name, in the order of registration.

    Returns:
        as many parts as there are layers; none where no name is the same, or there are others.
    """
    chosen: dict[str, str] = {}
    for path, kind in layers.items():
        words = path.split("/")
        found = [name for name in parts if name.split(".")[-1] == words[-1]]
        if len(found) > 1:
            found = [name for name in found if name.split(".")[-2:] == words[-2:]]
        if len(found) == 1 and not is_default(words[-1], kind):
            chosen[path] = found[0]
    others = [path for path in layers if path not in chosen]
    rest = {name: part for name, part in parts.items() if name not in chosen.values()}
    if not chosen or len(set(chosen.values())) < len(chosen) or len(rest) != len(others):
        return []
    filled = iter(by_roles([path.split("/")[-1] for path in others], rest) or rest.values())
    return [parts[chosen[path]] if path in chosen else next(filled) for path in layers]


def is_default(name: str, kind: str) -> bool:
    """Says whether Keras has named a layer after its class, such as `dense_1`: such a name says nothing."""
    return re.sub(r"_\d+$", "", name).replace("_", "") == kind.lower()


def with_ones(tensors: dict[str, torch.Tensor], table: Table) -> Table:
    """Returns a table in which those that the user named have torch's axes of length one, if only these differ.

    Args:
        tensors: the module's, by name.
        table: the reference's.
    """
    named = {tensor.path: find_named(tensors, tensor.torch_name) for tensor in table if tensor.torch_name}
    shapes = {path: tuple(value.shape) for path, value in named.items() if value is not None}
    others = {t.path for t in table if t.path in shapes and differ_by_ones(t.shape_in_torch, shapes[t.path])}
    return [replace(t, with_ones=shapes[t.path]) if t.path in others and not t.is_split else t for t in table]
