"""Undoes other activations, wherever they are called: each is told by the values it gives, not by its name."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F

from parity.adapters.torch.undo.calls import Call
from parity.adapters.torch.undo.difference import Built, Undo
from parity.adapters.torch.undo.numbers import PASSES, set_slope
from parity.protocol.curves import MINUS_ONE, POINTS, are_alike

LAST = ("softmax", "sigmoid", "log_softmax", "log_sigmoid", "logsigmoid")  # what a port may leave to its loss
ATTENTION = "MultiHeadAttention"
KNOWN: dict[str, Callable] = {
    "F.relu(x)": F.relu, "torch.tanh(x)": torch.tanh, "torch.sigmoid(x)": torch.sigmoid, "F.gelu(x)": F.gelu,
    "F.gelu(x, approximate='tanh')": partial(F.gelu, approximate="tanh"), "F.silu(x)": F.silu, "F.elu(x)": F.elu,
    "F.selu(x)": F.selu, "F.softplus(x)": F.softplus, "F.softsign(x)": F.softsign, "F.mish(x)": F.mish,
    "F.relu6(x)": F.relu6, "F.hardsigmoid(x)": F.hardsigmoid, "F.hardswish(x)": F.hardswish,
    "F.hardtanh(x)": F.hardtanh, "torch.exp(x)": torch.exp, "F.logsigmoid(x)": F.logsigmoid,
    "F.tanhshrink(x)": F.tanhshrink,
}  # fmt: skip


@dataclass(frozen=True)
class Wanted:
    """One activation of Keras's."""

    path: str
    settings: dict
    curve: list[float]  # nothing where it is a softmax, which mixes values
    owner: str  # the part of the port that holds the tensors of the layer it stands at, or directly behind

    @property
    def is_softmax(self) -> bool:
        """Whether it is one, over an axis."""
        return self.settings["class_name"] == "Softmax" or self.settings.get("activation") in ("softmax", "log_softmax")


@dataclass(frozen=True)
class Mismatch:
    """Where an activation is another one, or missing, or one too many."""

    id: str
    wanted: Wanted | None
    call: Call | None


def wanted_by_keras(built: Built) -> list[Wanted]:
    """Returns Keras's activations in the order of execution, but for those behind which nothing stands."""
    feeding = {path for one in built.settings.values() for path in one.get("fed_by", [])}
    found = []
    for path, one in built.settings.items():
        around = built.settings.get(path.rpartition("/")[0], {})
        is_softmax = one.get("activation") in LAST or one["class_name"] == "Softmax"
        is_inside = around.get("curve") or around.get("class_name") == ATTENTION or one["class_name"].endswith("Cell")
        if is_inside or not (one.get("curve") or is_softmax):
            continue
        is_output = path not in feeding if feeding else path == [*built.settings][-1]
        if not (is_output and is_softmax):
            found.append(Wanted(path, one, one.get("curve", []), owner_of(built, path)))
    return found


def owner_of(built: Built, path: str) -> str:
    """Returns the part that holds the tensors of a layer, or of the one that feeds it; empty where none does."""
    before = built.settings.get(path, {}).get("fed_by", [])
    return built.names.get(path) or (built.names.get(before[0], "") if len(before) == 1 else "")


def called_by_port(built: Built) -> list[Call]:
    """Returns the calls of activations, but for what a port may do at the end."""
    left_out = ("softmax",) if built.layers_of((ATTENTION,)) else ()  # one written by hand has its own
    calls = [call for call in built.trace.of("activation") if call.name not in left_out]
    return [call for call in calls if not (call.is_last and call.name in LAST)]


def mismatches(built: Built) -> list[Mismatch]:
    """Returns where activations differ: in their order where they are as many, else by the layers they stand at."""
    wanted, calls = wanted_by_keras(built), called_by_port(built)
    if not built.trace.parts or (len(wanted) != len(calls) and not all(one.owner for one in wanted)):
        return []
    if len(wanted) == len(calls):
        pairs = list(zip(wanted, calls, strict=True))
    else:
        direct = {call.direct: call for call in reversed(calls) if call.direct}
        pairs = [(one, direct.get(one.owner)) for one in wanted]
        used = {id(call) for _, call in pairs}
        pairs += [(None, call) for call in calls if call.direct and id(call) not in used]
    return [Mismatch(id_of(*pair), *pair) for pair in pairs if differ(built, *pair)]


def differ(built: Built, wanted: Wanted | None, call: Call | None) -> bool:
    """Says whether two activations differ; what mixes values is looked at by its axis."""
    if wanted is None or call is None:
        return True
    if wanted.is_softmax or not wanted.curve:
        return call.name == "softmax" and wanted.is_softmax and axis_of(call) != wanted_axis(built, wanted, call)
    return not are_alike(wanted.curve, curve_of(call))


def id_of(wanted: Wanted | None, call: Call | None) -> str:
    """Returns the difference, as the catalogues call it."""
    if wanted is None:
        return "activation-added"
    if call is None:
        return "activation-missing"
    if wanted.is_softmax:
        return "softmax-axis"
    if call.name == "leaky_relu" and slope_in(wanted.curve) is not None:
        return "leaky-relu-layer" if wanted.settings["class_name"] == "LeakyReLU" else "leaky-relu-activation"
    if call.name == "gelu" and any(are_alike(wanted.curve, of(KNOWN[text])) for text in KNOWN if "gelu" in text):
        return "gelu"
    return "activation"


def curve_of(call: Call) -> list[float]:
    """Returns what a call makes of `POINTS`; nothing where it mixes values."""
    if call.name in ("softmax", "log_softmax"):
        return []
    replaced = [torch.tensor(POINTS) if one is call.input else one for one in call.arguments]
    options = {name: torch.tensor(POINTS) if one is call.input else one for name, one in call.options.items()}
    return call.function(*replaced, **options).double().tolist()


def of(function: Callable) -> list[float]:
    """Returns what a function makes of `POINTS`."""
    return function(torch.tensor(POINTS)).double().tolist()


def slope_in(curve: list[float]) -> float | None:
    """Returns the slope below zero of a leaky ReLU's curve; None where it is none."""
    slope = round(-curve[MINUS_ONE], 6)
    return slope if are_alike(curve, of(partial(F.leaky_relu, negative_slope=slope))) else None


def in_torch(curve: list[float]) -> tuple[str, Callable] | None:
    """Returns what gives a curve of Keras's in PyTorch, as it is written and as a function; None if nothing known."""
    candidates = dict(KNOWN)
    if (slope := slope_in(curve)) is not None:
        candidates.setdefault(f"F.leaky_relu(x, {slope:g})", partial(F.leaky_relu, negative_slope=slope))
    alpha = round(curve[MINUS_ONE] / (math.exp(-1) - 1), 6)
    candidates[f"F.elu(x, {alpha:g})"] = partial(F.elu, alpha=alpha)
    top = round(curve[-1], 6)
    if top > 0:
        candidates[f"x.clamp(0, {top:g})"] = lambda x: x.clamp(0, top)
    fitting = ((text, function) for text, function in candidates.items() if are_alike(curve, of(function)))
    return next(fitting, None)


def axis_of(call: Call) -> int | None:
    """Returns the axis of a softmax, counted from the first one."""
    axis = call.options.get("dim", call.arguments[1] if len(call.arguments) > 1 else None)
    return None if axis is None else axis % call.input.dim()


def wanted_axis(built: Built, wanted: Wanted, call: Call) -> int | None:
    """Returns the axis of a port's tensor over which Keras takes its softmax."""
    axis, rank = wanted.settings.get("axis", -1), call.input.dim()
    if not isinstance(axis, int):
        return axis_of(call)
    axis %= rank
    part = built.module.get_submodule(wanted.owner) if wanted.owner else None
    is_channels_first = rank > 2 and "Conv" in type(part).__name__
    return {0: 0, rank - 1: 1}.get(axis, axis + 1) if is_channels_first else axis


def mend(built: Built, id: str) -> list[str]:
    """Puts Keras's activations in the places of others.

    Args:
        built: is changed.
        id: of the mismatches that are mended.
    """
    lines = []
    for one in (one for one in mismatches(built) if one.id == id):
        wanted, call = one.wanted, one.call
        where = (call.place or "forward") if call else wanted.owner
        if wanted is None:
            built.calls.replace(call, lambda input, *_, **__: input)
            lines.append(f"{where}: {call.name} behind {call.direct}: leave it out")
        elif one.id == "softmax-axis":
            axis = wanted_axis(built, wanted, call)
            built.calls.replace(call, partial(softmax, axis))
            lines.append(f"{where}: softmax over the axis {axis_of(call)}: write dim={axis}")
        elif found := in_torch(wanted.curve):
            text, function = found
            if call:
                built.calls.replace(call, lambda input, *_, function=function, **__: function(input))
                lines.append(f"{where}: {written(call)}: write {text}")
            else:
                part = built.module.get_submodule(wanted.owner)
                part.register_forward_hook(lambda _, given, output, function=function: function(output))
                lines.append(f"{where}: no activation behind it: write {text}")
    return lines


def softmax(axis: int, input: torch.Tensor, *_, **__) -> torch.Tensor:
    """Takes a softmax."""
    return input.softmax(axis)


def written(call: Call) -> str:
    """Writes a call with the numbers that it is given."""
    numbers = [f"{one!r}" for one in call.arguments if isinstance(one, int | float | str) and not isinstance(one, bool)]
    options = [f"{name}={one!r}" for name, one in call.options.items() if isinstance(one, float | str)]
    return f"{call.name}({', '.join(['x', *numbers, *options])})"


IDS = ("activation", "activation-missing", "activation-added", "softmax-axis", "gelu", "leaky-relu-activation")
UNDOS = [
    *(Undo(id, PASSES, partial(mend, id=id)) for id in IDS),
    Undo("leaky-relu-layer", PASSES, lambda built: set_slope(built) or mend(built, "leaky-relu-layer")),
]
