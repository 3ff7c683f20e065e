"""Which of a module's parts a layer may be, where several kinds of Keras's layers share one of torch's."""

from collections.abc import Callable

from torch import nn

from parity.adapters.torch import pieces, recurrent
from parity.protocol.tensors import Tensor


def parts_of(name: str, module: nn.Module) -> dict[str, object]:
    """Returns what holds one layer's tensors, by name: a module, or parts of an attention or a recurrent one."""
    return (pieces if isinstance(module, nn.MultiheadAttention) else recurrent).parts_of(name, module)


def parts_by_name(layers: list[list[Tensor]], parts: dict[str, nn.Module]) -> list[nn.Module | None]:
    """Returns the part that has the name of each layer; of one that is several in torch, those inside of that name.

    Args:
        layers: of one kind in torch.
        parts: of that kind, by name.
    """
    chosen, seen = [], {}
    whole = [layer[0].path.rpartition("/")[0] for layer in layers]
    for layer, path in zip(layers, whole, strict=True):
        name = path.rpartition("/")[2]
        inside = [part for place, part in parts.items() if name in place.split(".")]
        number = seen[path] = seen.get(path, -1) + 1
        if whole.count(path) == 1:
            chosen.append(recurrent.named_part(layer[0].path, parts))
        else:
            chosen.append(inside[number] if whole.count(path) == len(inside) else None)
    return chosen


def in_order_of_kind(
    layers: list[list[Tensor]], alike: list[list[nn.Module]], parts: list[nn.Module]
) -> list[nn.Module | None]:
    """Returns the parts of each layer, in order among those that have the shapes of any layer of its kind in Keras.

    Where depthwise and ordinary convolutions are registered by themselves, only this finds them.

    Args:
        layers: of one kind in torch.
        alike: of each layer the parts that have its shapes.
        parts: of that kind, in the order of registration.
    """
    chosen: list[nn.Module | None] = [None] * len(layers)
    kinds = [(layer[0].kind, layer[0].role) for layer in layers]
    for kind in dict.fromkeys(kinds):
        numbers = [number for number, own in enumerate(kinds) if own == kind]
        known = {id(part) for number in numbers for part in alike[number]}
        fitting = [part for part in parts if id(part) in known]
        if len(fitting) == len(numbers):
            for number, part in zip(numbers, fitting, strict=True):
                chosen[number] = part
    return chosen


def shapes_first(
    layers: list[list[Tensor]],
    alike: list[list[nn.Module]],
    parts: dict[str, nn.Module],
    named: Callable[[list[list[Tensor]], dict[str, nn.Module]], tuple[list, ...]],
) -> list[list[nn.Module | None]]:
    """Returns the choices in which layers whose shapes only one part has are that part, and names tell the others.

    Two outputs of other sizes, registered the other way round, beside an attention, are found by this alone.

    Args:
        layers: of one kind in torch.
        alike: of each layer the parts that have its shapes.
        parts: of that kind, by name.
        named: returns the choices of some layers among some parts by their names; order would be a guess.
    """
    sure = {number: fitting[0] for number, fitting in enumerate(alike) if len(fitting) == 1}
    taken = set(map(id, sure.values()))
    rest = [layer for number, layer in enumerate(layers) if number not in sure]
    left = {name: part for name, part in parts.items() if id(part) not in taken}
    if not sure or not rest:
        return []
    merged = []
    for choice in named(rest, left):
        if len(choice) == len(rest):
            others = iter(choice)
            merged.append([sure[number] if number in sure else next(others) for number in range(len(layers))])
    return merged


def parts_alike(layer: list[Tensor], parts: list[nn.Module], tensors_of: Callable) -> list[nn.Module]:
    """Returns the parts that have a layer's tensors in shape; those that have no others, if there are such.

    Args:
        layer: its tensors.
        parts: of its kind in torch.
        tensors_of: returns a part's tensors of a layer, if they fit.
    """
    fitting = [part for part in parts if tensors_of(layer, part)]
    exact = [part for part in fitting if len(list(part.parameters(recurse=False))) <= len(layer)]
    return exact or fitting
