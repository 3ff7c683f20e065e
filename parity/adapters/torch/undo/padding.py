"""Undoes other strides, dilations and paddings: of convolutions, transposed ones, and paddings that are layers."""

from functools import partial

from torch import nn

from keras_like.padding import KerasConv1d, KerasConv2d, KerasConv3d, same_padding
from keras_like.transposed import KerasConvTranspose1d, KerasConvTranspose2d, KerasConvTranspose3d, output_length
from parity.adapters.torch.undo.calls import Call
from parity.adapters.torch.undo.difference import Built, Undo
from parity.adapters.torch.undo.numbers import PASSES

CONVOLUTIONS = {nn.Conv1d: KerasConv1d, nn.Conv2d: KerasConv2d, nn.Conv3d: KerasConv3d}
TRANSPOSED = {
    nn.ConvTranspose1d: KerasConvTranspose1d,
    nn.ConvTranspose2d: KerasConvTranspose2d,
    nn.ConvTranspose3d: KerasConvTranspose3d,
}
KINDS = tuple(f"{kind}{axes}D" for kind in ("Conv", "DepthwiseConv", "SeparableConv") for axes in (1, 2, 3))
TRANSPOSED_KINDS = tuple(f"Conv{axes}DTranspose" for axes in (1, 2, 3))
ZEROS = tuple(f"ZeroPadding{axes}D" for axes in (1, 2, 3))
Sides = list[tuple[int, int]]  # before and after, by axis


def pad_as_keras(built: Built, padding: str) -> list[str]:
    """Has convolutions pad as Keras's do whose padding is a given one.

    Args:
        built: is changed.
        padding: `same`, `causal` or `valid`.
    """
    lines = []
    for path, owner in built.owners(KINDS).items():
        name, module = first_of(built, path, *owner)
        right = CONVOLUTIONS.get(type(module))
        if built.settings.get(path, {}).get("padding") != padding or not right:
            continue
        wanted = wanted_sides(module, padding, built.inputs.get(path))
        own, call = own_sides(module), padded_before(built, name, built.inputs.get(path))
        if wanted == own and not call:
            continue
        options = {"padding": padding, **({"stride": module.stride[0]} if set(module.stride) != {1} else {})}
        said = ", ".join(f"{option}={value!r}" for option, value in options.items())
        lines.append(
            f"{name}: nn.{type(module).__name__}(padding={in_short(module.padding)}): write "
            f"keras_like.padding.{right.__name__}({said}){', without the padding before it' if call else ''}"
        )
        if call:
            built.calls.replace(call, lambda input, *_, **__: input)
        become(module, right, padding)
    return lines


def become(module: nn.Module, right: type, padding: str) -> None:
    """Has a convolution pad as Keras does, as one of a class of keras_like's."""
    module.__class__, module.keras_padding = right, padding
    module.padding, module.padding_mode = (0,) * len(module.kernel_size), "zeros"


def step_as_keras(built: Built, option: str, setting: str) -> list[str]:
    """Gives convolutions Keras's strides, or dilations; those whose padding depends on these pad as Keras's then.

    Args:
        built: is changed.
        option, setting: what it is called in PyTorch and in Keras.
    """
    lines = []
    for path, owner in built.owners(KINDS).items():
        name, module = first_of(built, path, *owner)
        settings, own = built.settings.get(path, {}), getattr(module, option, None)
        if not isinstance(module, tuple(CONVOLUTIONS)) or setting not in settings:
            continue
        given = settings[setting]
        wanted = tuple(given) if isinstance(given, list) else (given,) * len(own)
        if wanted == own:
            continue
        right, padding = CONVOLUTIONS.get(type(module)), settings["padding"]
        line = f"{name}: nn.{type(module).__name__}({option}={in_short(own)}): write {option}={in_short(wanted)}"
        setattr(module, option, wanted)
        if right and padding != "valid":
            line += f", as keras_like.padding.{right.__name__}(padding={padding!r})"
            become(module, right, padding)
        lines.append(line)
    return lines


def first_of(built: Built, path: str, name: str, module: nn.Module) -> tuple[str, nn.Module]:
    """Returns what pads: the module itself, or the first of the two that a separable convolution is."""
    first = [t.torch_name for t in built.binding.table if t.path == f"{path}/depthwise_kernel"]
    if not first:
        return name, module
    name = first[0].rpartition(".")[0]
    return name, built.module.get_submodule(name)


def wanted_sides(module: nn.Module, padding: str, shape: tuple[int, ...] | None) -> Sides | None:
    """Returns what Keras puts around an input of its own shape (N, ..., C); None where it depends on it, unknown."""
    windows = list(zip(module.kernel_size, module.stride, module.dilation, strict=True))
    if padding == "causal":
        return [((kernel - 1) * dilation, 0) for kernel, _, dilation in windows]
    if padding == "valid":
        return [(0, 0)] * len(windows)
    if shape is None or len(shape) != len(windows) + 2:
        shape = (1,) * (len(windows) + 2)  # without strides any size will do
        if set(module.stride) != {1}:
            return None
    return [same_padding(size, *window) for size, window in zip(shape[1:-1], windows, strict=True)]


def own_sides(module: nn.Module) -> Sides | None:
    """Returns what PyTorch's module puts around any input; None where that is not zeros."""
    if module.padding_mode != "zeros":
        return None
    if module.padding == "valid":
        return [(0, 0)] * len(module.kernel_size)
    if module.padding == "same":
        totals = [(kernel - 1) * step for kernel, step in zip(module.kernel_size, module.dilation, strict=True)]
        return [(total // 2, total - total // 2) for total in totals]
    return [(size, size) for size in module.padding]


def padded_before(built: Built, name: str, shape: tuple[int, ...] | None) -> Call | None:
    """Returns the call of `F.pad` whose output a module is given, where its input is larger than Keras's layer's.

    Args:
        built: that is looked at.
        name: of the module.
        shape: of what Keras's layer is given, (N, ..., C).
    """
    given = built.trace.shape_into(name)
    if shape is None or len(given) != len(shape) or sum(given[2:]) <= sum(shape[1:-1]):
        return None
    pads = [call for call in built.trace.of("padding") if tuple(call.output.shape) == given]
    return pads[-1] if "pad" in built.trace.made_by.get(name, ()) and pads else None


def in_short(padding: object) -> str:
    """Writes a padding as it is given."""
    return f"{padding[0]}" if isinstance(padding, tuple) and len(set(padding)) == 1 else f"{padding!r}"


def cut_as_keras(built: Built) -> list[str]:
    """Has transposed convolutions cut as Keras's do."""
    lines = []
    for path, (name, module) in built.owners(TRANSPOSED_KINDS).items():
        settings, right = built.settings.get(path, {}), TRANSPOSED.get(type(module))
        if not right or "padding" not in settings or cuts_alike(module, settings, built.inputs.get(path)):
            continue
        own = f"padding={in_short(module.padding)}, output_padding={in_short(module.output_padding)}"
        lines.append(
            f"{name}: nn.{type(module).__name__}({own}): write keras_like.transposed.{right.__name__}"
            f"(stride={module.stride[0]}, padding={settings['padding']!r})"
        )
        given = settings.get("output_padding")
        axes = len(module.kernel_size)
        module.__class__, module.keras_padding = right, settings["padding"]
        module.keras_output_padding = tuple(given) if isinstance(given, list) else (given,) * axes
    return lines


def cuts_alike(module: nn.Module, settings: dict, shape: tuple[int, ...] | None) -> bool:
    """Says whether a transposed convolution gives Keras's values of an input of its own shape (N, ..., C)."""
    if shape is None:
        return False
    given = settings.get("output_padding")
    windows = zip(
        shape[1:-1], module.kernel_size, module.stride, module.dilation, module.padding, module.output_padding,
        given if isinstance(given, list) else [given] * len(module.kernel_size), strict=True,
    )  # fmt: skip
    for size, kernel, stride, dilation, cut, more, theirs in windows:
        length = (size - 1) * stride - 2 * cut + (kernel - 1) * dilation + 1 + more
        if (length, cut) != output_length(size, kernel, stride, settings["padding"], dilation, theirs):
            return False
    return True


def order_zeros(built: Built) -> list[str]:
    """Has paddings that are layers pad the sides that Keras's do."""
    layers, calls = built.layers_of(ZEROS), built.trace.of("padding")
    if len(layers) != len(calls):
        return []
    lines = []
    for settings, call in zip(layers.values(), calls, strict=True):
        sides = sides_of(settings["padding"])
        wanted = tuple(number for side in reversed(sides) for number in side)
        own = tuple(call.options.get("pad", call.arguments[1] if len(call.arguments) > 1 else ()))
        channels = (0, 0) if len(own) == len(wanted) + 2 and own[:2] == (0, 0) else ()  # channels last
        if own != (*channels, *wanted):
            where = call.place or "forward"
            lines.append(f"{where}: padding {own}: write {(*channels, *wanted)}, the last axis first")
            built.calls.replace(call, partial(padded, call.function, (*channels, *wanted)))
    return lines


def padded(function, sides: tuple[int, ...], input, *_, **__):
    """Pads an input with zeros."""
    return function(input, sides)


def sides_of(padding: object) -> Sides:
    """Returns what Keras's layer puts before and after each axis, in Keras's order."""
    if isinstance(padding, int):
        return [(padding, padding)]
    pairs = padding if isinstance(padding[0], list | tuple) else [padding]
    return [tuple(pair) for pair in pairs]


UNDOS = [
    Undo("convolution-stride", PASSES, partial(step_as_keras, option="stride", setting="strides")),
    Undo("convolution-dilation", PASSES, partial(step_as_keras, option="dilation", setting="dilation_rate")),
    Undo("same-padding-with-strides", PASSES, partial(pad_as_keras, padding="same")),
    Undo("causal-padding", PASSES, partial(pad_as_keras, padding="causal")),
    Undo("padding-added", PASSES, partial(pad_as_keras, padding="valid")),
    Undo("transposed-same", PASSES, cut_as_keras),
    Undo("zero-padding-order", PASSES, order_zeros),
]
