"""Undoes other orders of features: of what is joined, flattened, or laid out as an image."""

import math
from functools import partial

import torch

from parity.adapters.torch.undo.calls import Call
from parity.adapters.torch.undo.difference import Built, Undo
from parity.adapters.torch.undo.numbers import PASSES


def owners_in_keras(built: Built, path: str) -> frozenset[str]:
    """Returns the parts of the port that hold the last tensors on each way to a layer's output."""
    if path in built.names:
        return frozenset([built.names[path]])
    inside = [name for one, name in built.names.items() if one.startswith(f"{path}/")]  # of a Bidirectional
    if inside:
        return frozenset(inside)
    before = built.settings.get(path, {}).get("fed_by", [])
    return frozenset().union(*(owners_in_keras(built, one) for one in before))


def join_in_order(built: Built) -> list[str]:
    """Joins features in the order of Keras's Concatenate."""
    layers = [one for one in built.layers_of(("Concatenate",)).values() if len(one.get("fed_by", [])) > 1]
    calls = [call for call in built.trace.of("concatenation") if len(call.owners) > 1]
    if len(layers) != len(calls):
        return []
    lines = []
    for settings, call in zip(layers, calls, strict=True):
        wanted = [owners_in_keras(built, path) for path in settings["fed_by"]]
        own = list(call.owners)
        if sorted(map(sorted, wanted)) != sorted(map(sorted, own)):
            continue
        if len(set(own)) < len(own):  # inputs without layers of their own: only two can be told
            order = (1, 0) if len(own) == 2 else ()
        else:
            order = tuple(own.index(one) for one in wanted)
        if not order or order == tuple(range(len(own))):
            continue
        built.calls.replace(call, partial(joined, call.function, order))
        names = ", ".join(" and ".join(sorted(one)) or "an input" for one in (own[number] for number in order))
        lines.append(f"{call.place or 'forward'}: torch.{call.name}: join in the order of Keras's: {names}")
    return lines


def joined(function, order: tuple[int, ...], tensors, *others, **options) -> torch.Tensor:
    """Joins tensors in another order."""
    return function([tensors[number] for number in order], *others, **options)


def flatten_as_keras(built: Built) -> list[str]:
    """Flattens images in Keras's order, (H, W, C), and lays features out as images in that order."""
    return [*flatten_images(built), *lay_out_images(built)]


def flatten_images(built: Built) -> list[str]:
    """Turns channels last before images are flattened, where the tool has no kernel to turn in its place."""
    layers = [path for path in built.layers_of(("Flatten",)) if len(image_before(built, path)) > 1]
    turned = [tensor for tensor in built.facts.tensors if tensor.flattened]
    calls = [call for call in built.trace.of("shape") if call.input.dim() > 2 and rank_of(call) == 2]
    if len(layers) != len(calls) or len(turned) >= len(layers):
        return []
    lines = []
    for call in calls:
        built.calls.replace(call, lambda input, *_, **__: input.movedim(1, -1).flatten(1))
        lines.append(f"{call.place or 'forward'}: {call.name}: flatten (H, W, C), x.movedim(1, -1).flatten(1)")
    return lines


def image_before(built: Built, path: str) -> tuple[int, ...]:
    """Returns the shape of a row that is given to a Flatten, as far as a layer with tensors before it says it."""
    before = built.settings[path].get("fed_by", [])
    while before:
        if before[0] in built.outputs:
            return built.outputs[before[0]][1:]
        before = built.settings.get(before[0], {}).get("fed_by", [])
    return (0, 0)  # unknown: it may be an image


def lay_out_images(built: Built) -> list[str]:
    """Lays features out as Keras's Reshape does, (H, W, C), where the port has (C, H, W)."""
    shapes = [tuple(one["target_shape"]) for one in built.layers_of(("Reshape",)).values()]
    images = [shape for shape in shapes if len(shape) > 2 and -1 not in shape]
    calls = [call for call in built.trace.of("shape") if call.input.dim() == 2 and rank_of(call) > 2]
    if len(images) != len(calls):
        return []
    lines = []
    for shape, call in zip(images, calls, strict=True):
        first = (shape[-1], *shape[:-1])
        if tuple(call.output.shape[1:]) != first or math.prod(shape) == shape[-1]:
            continue
        built.calls.replace(call, partial(laid_out, shape))
        lines.append(f"{call.place or 'forward'}: {call.name} to {first}: write x.unflatten(1, {shape}).movedim(-1, 1)")
    return lines


def laid_out(image: tuple[int, ...], input: torch.Tensor, *_, **__) -> torch.Tensor:
    """Lays features out as an image, and moves its channels."""
    return input.unflatten(1, image).movedim(-1, 1)


def rank_of(call: Call) -> int:
    """Returns how many axes the output of a call has."""
    return call.output.dim()


UNDOS = [
    Undo("concatenate-order", PASSES, join_in_order),
    Undo("flatten-order", PASSES, flatten_as_keras),
]
