"""Which of a module's parts a layer may be, where several kinds of Keras's layers share one of torch's."""

from collections.abc import Callable

from torch import nn

from parity.adapters.torch import pieces, recurrent
from parity.protocol.tensors import Tensor


def parts_of(name: str, module: nn.Module) -> dict[str, object]:
    """Returns what holds one layer's tensors, by name: a module, or parts of an attention or a recurrent one."""
    return (pieces if isinstance(module, nn.MultiheadAttention) else recurrent).parts_of(name, module)


def choices_of(
    layers: list[list[Tensor]],
    parts: dict[str, nn.Module],
    named: Callable[..., tuple[list, ...]],
    tensors_of: Callable,
) -> tuple[list[nn.Module | None], ...]:
    """Returns which parts some layers may be, from what is trusted most to what is trusted least.

    Trusted in this order: Keras's names; some of them, and the order of the others; the order among layers of the
    kind; shapes that only one layer of the kind has; these for some, and names for the others; these for some, and
    the order of the others. Shapes must fit in any case; they alone say nothing where two layers share them.

    Args:
        layers: of one kind in torch.
        parts: of that kind, by name, in the order of registration.
        named: returns the choices of some layers among some parts by their names.
        tensors_of: returns a part's tensors of a layer, if they fit.
    """
    in_order = list(parts.values())
    alike = [parts_alike(layer, in_order, tensors_of) for layer in layers]
    return (
        *named(layers, parts),
        in_order if len(in_order) == len(layers) else [],
        [fitting[0] if len(fitting) == 1 else None for fitting in alike],
        in_order_of_kind(layers, alike, in_order),
        *shapes_first(layers, alike, parts, named),
        order_between(layers, alike, in_order),
    )


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
        named: returns the choices of some layers among some parts by their names.
    """
    sure = only_fitting(alike)
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


def order_between(
    layers: list[list[Tensor]], alike: list[list[nn.Module]], parts: list[nn.Module]
) -> list[nn.Module | None]:
    """Returns the choice in which layers whose shapes only one part has are that part, and order tells the others.

    The order counts where those that are sure do not speak against it: each has as many of the others before it in
    Keras as in torch. So two outputs may be registered the other way round behind hidden layers that share a shape.

    Args:
        layers: of one kind in torch.
        alike: of each layer the parts that have its shapes.
        parts: of that kind, in the order of registration.
    """
    sure = only_fitting(alike)
    places = {number: next(place for place, own in enumerate(parts) if own is part) for number, part in sure.items()}
    left = [place for place in range(len(parts)) if place not in places.values()]
    rest = [number for number in range(len(layers)) if number not in sure]
    for number, place in places.items():
        if sum(other < number for other in rest) != sum(other < place for other in left):
            return []
    if len(rest) != len(left):
        return []
    chosen = places | dict(zip(rest, left, strict=True))
    return [parts[chosen[number]] for number in range(len(layers))]


def only_fitting(alike: list[list[nn.Module]]) -> dict[int, nn.Module]:
    """Returns the parts of those layers, by number, whose shapes only one part has."""
    return {number: fitting[0] for number, fitting in enumerate(alike) if len(fitting) == 1}


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
