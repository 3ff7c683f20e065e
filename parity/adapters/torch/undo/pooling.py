"""Undoes other poolings and resizings, as layers or as functions, in the order in which they are called."""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F

from keras_like import padding as keras_like
from parity.adapters.torch.undo.calls import Call
from parity.adapters.torch.undo.difference import Built, Undo
from parity.adapters.torch.undo.numbers import PASSES

KINDS = {
    f"{theirs}Pooling{axes}D": f"{ours}Pool{axes}d"
    for theirs, ours in (("Max", "Max"), ("Average", "Avg"))
    for axes in (1, 2, 3)
}
GLOBAL = {f"Global{kind}Pooling{axes}D": kind for kind in ("Max", "Average") for axes in (1, 2, 3)}
RESIZED = {"bilinear": "bilinear", "nearest": "nearest", "bicubic": "bicubic"}


def pool_as_keras(built: Built, id: str) -> list[str]:
    """Has poolings take Keras's windows.

    Args:
        built: is changed.
        id: of the difference that is undone.
    """
    layers, calls = built.layers_of(tuple(KINDS)), built.trace.of("pooling")
    if len(layers) != len(calls):
        return []
    lines = []
    for settings, call in zip(layers.values(), calls, strict=True):
        name = KINDS[settings["class_name"]]
        window = tuple(settings["pool_size"]), tuple(settings["strides"] or settings["pool_size"])
        right = getattr(keras_like, f"Keras{name}")(*window, settings["padding"])
        if id_of(settings, call) != id or gives_the_same(call, right):
            continue
        built.calls.replace(call, lambda input, *_, right=right, **__: right(input))
        written = f"keras_like.padding.Keras{name}({window[0]}, stride={window[1]}, padding={settings['padding']!r})"
        lines.append(f"{call.place or 'forward'}: {call.name}: write {written}")
    return lines


def id_of(settings: dict, call: Call) -> str:
    """Returns the difference that a pooling may have."""
    is_max = settings["class_name"].startswith("Max")
    if is_max != call.name.startswith("max"):
        return "pooling-kind"
    if settings["padding"] != "same":
        return "pooling-window"
    return "max-pooling-same" if is_max else "average-pooling-same"


def gives_the_same(call: Call, right: Callable) -> bool:
    """Says whether what is right gives what a call gave."""
    try:
        output = right(call.input)
    except RuntimeError:  # a window that is larger than the input
        return False
    return output.shape == call.output.shape and torch.allclose(output, call.output, atol=1e-6)


def pool_everything(built: Built) -> list[str]:
    """Takes the mean, or the largest, of all places, as Keras does."""
    layers = [GLOBAL[one["class_name"]] for one in built.layers_of(tuple(GLOBAL)).values()]
    calls = [call for call in built.trace.of("global pooling") if is_global(call)]
    if len(layers) != len(calls):
        return []
    lines = []
    for kind, call in zip(layers, calls, strict=True):
        if (kind == "Max") == ("max" in call.name):
            continue
        built.calls.replace(call, partial(taken_globally, kind, call))
        written = "amax" if kind == "Max" else "mean"
        lines.append(f"{call.place or 'forward'}: {call.name}: write {written} over the same axes")
    return lines


def is_global(call: Call) -> bool:
    """Says whether a call takes one value of all places of an image or a sequence."""
    if call.name.startswith("adaptive"):
        return all(size == 1 for size in call.output.shape[2:])
    axes = call.options.get("dim", call.arguments[1] if len(call.arguments) > 1 else None)
    axes = (axes,) if isinstance(axes, int) else axes
    return axes is not None and call.input.dim() > 2 and 0 not in axes and len(axes) == call.input.dim() - 2


def taken_globally(kind: str, call: Call, input: torch.Tensor, *_, **__) -> torch.Tensor:
    """Takes what Keras takes, over the axes of a call, in the shape of its output."""
    if call.name.startswith("adaptive"):
        axes = tuple(range(2, input.dim()))
        keeps = True
    else:
        axes = call.options.get("dim", call.arguments[1] if len(call.arguments) > 1 else None)
        keeps = call.output.dim() == call.input.dim()
    return input.amax(axes, keepdim=keeps) if kind == "Max" else input.mean(axes, keepdim=keeps)


def resize_as_keras(built: Built, id: str) -> list[str]:
    """Resizes by Keras's interpolation, without aligned corners.

    Args:
        built: is changed.
        id: of the difference that is undone.
    """
    layers, calls = built.layers_of(("UpSampling2D", "UpSampling1D")), built.trace.of("resizing")
    if len(layers) != len(calls):
        return []
    lines = []
    for settings, call in zip(layers.values(), calls, strict=True):
        wanted = settings.get("interpolation", "nearest")
        given = call.options.get("mode", call.arguments[3] if len(call.arguments) > 3 else "nearest")
        corners = call.options.get("align_corners", call.arguments[4] if len(call.arguments) > 4 else None)
        found = "resizing-corners" if corners and given == wanted else "resizing-mode" if given != wanted else ""
        if found != id or wanted not in RESIZED:
            continue
        scale = settings["size"]
        built.calls.replace(call, partial(resized, scale, wanted))
        lines.append(
            f"{call.place or 'forward'}: {given}{', aligned corners' if corners else ''}: write "
            f"nn.Upsample(scale_factor={scale}, mode={wanted!r})"
        )
    return lines


def resized(scale: object, interpolation: str, input: torch.Tensor, *_, **__) -> torch.Tensor:
    """Resizes an image."""
    factors = tuple(map(float, scale)) if isinstance(scale, list) else float(scale)
    return F.interpolate(input, scale_factor=factors, mode=interpolation)


IDS = ("max-pooling-same", "average-pooling-same", "pooling-kind", "pooling-window")
UNDOS = [
    *(Undo(id, PASSES, partial(pool_as_keras, id=id)) for id in IDS),
    Undo("global-pooling", PASSES, pool_everything),
    *(Undo(id, PASSES, partial(resize_as_keras, id=id)) for id in ("resizing-corners", "resizing-mode")),
]
