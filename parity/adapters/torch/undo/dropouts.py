"""Undoes other dropouts: each call of one in a module's `forward` drops as Keras's layer in its place does.

Not undone: noise that is added or multiplied, dropout inside of recurrent layers and attention, and what a step draws
outside of `forward`.
"""

from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from parity.adapters.torch.chance import FUNCTIONS
from parity.adapters.torch.undo.difference import Built, Undo
from parity.adapters.torch.undo.loss_calls import caller
from parity.protocol.law import RandomCall
from parity.protocol.layer_forms import to_keras_by_shape
from parity.protocol.user_data import difference

PARTS = ("facts", "random_layers", "lockstep", "restarts", "interchange")
NEAR = 0.05  # of the largest value: what Keras's dropout is given is not further from what the port's would be
SPATIAL = {3: F.dropout1d, 4: F.dropout2d, 5: F.dropout3d}  # by axes, the rows' among them


@dataclass
class Place:
    """A call in a module's `forward`."""

    func: Callable
    number: int  # among the calls of this function in a pass
    where: str  # the part of the module, or a line of the user's code
    values: torch.Tensor  # what a dropout is given, or another function returned
    rate: float = 0.0
    training: bool = True  # as a dropout is told


@dataclass
class Plan:
    """What is changed in the passes of a module; `int` are numbers of dropouts in a pass."""

    rates: dict[int, float] = field(default_factory=dict)
    spatial: dict[int, int] = field(default_factory=dict)  # the axis of the channels
    follows_mode: bool = False  # whether all drop where the module is trained, and nowhere else
    # behind a function's call of this number, the rate, and the axis of the channels where these are dropped as a whole
    added: dict[tuple[Callable, int], tuple[float, int | None, torch.Size]] = field(default_factory=dict)


class Drops(TorchFunctionMode):
    """Carries a plan out in one pass of a module, or notes its calls."""

    def __init__(self, module: nn.Module, plan: Plan, places: list[Place] | None = None, parts: list | None = None):
        super().__init__()
        self.module, self.plan, self.places, self.parts = module, plan, places, parts or []
        self.counts, self.dropouts = Counter(), 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        """Calls a function; one that drops as it is planned."""
        kwargs = kwargs or {}
        number = self.counts[func]
        self.counts[func] += 1
        if func in FUNCTIONS:
            return self.drop(func, args, kwargs)
        result = func(*args, **kwargs)
        if not torch.is_tensor(result) or result.ndim < 2 or not result.is_floating_point():
            return result
        if self.places is not None:
            self.places.append(Place(func, number, caller(), result.detach().clone()))
        rate, axis, shape = self.plan.added.get((func, number), (0.0, None, None))
        if not rate or not self.module.training or result.shape[1:] != shape:
            return result
        return drop_channels(result, rate, axis) if axis else F.dropout(result, rate, True)

    def drop(self, func: Callable, args: tuple, kwargs: dict) -> torch.Tensor:
        """Drops."""
        given = dict(zip(("input", "p", "training", "inplace"), args, strict=False)) | kwargs
        values, rate = given.pop("input"), float(given.get("p", 0.5))
        training, number = bool(given.get("training", "alpha" not in func.__name__)), self.dropouts
        self.dropouts += 1
        if self.places is not None:
            name, part = self.parts[-1] if self.parts else ("", None)
            where = name if isinstance(part, nn.modules.dropout._DropoutNd) else caller()
            self.places.append(Place(func, number, where, values.detach().clone(), rate, training))
        training = self.module.training if self.plan.follows_mode else training
        rate = self.plan.rates.get(number, rate)
        if number in self.plan.spatial and training and rate:
            return drop_channels(values, rate, self.plan.spatial[number])
        return func(values, **{**given, "p": rate, "training": training})


def drop_channels(values: torch.Tensor, rate: float, axis: int) -> torch.Tensor:
    """Drops whole channels, which stand on an axis."""
    return SPATIAL[values.ndim](values.movedim(axis, 1), rate, True).movedim(1, axis)


@contextmanager
def noted_places(module: nn.Module):
    """Gives the calls in a module's passes while the context lasts: of dropouts, and of what returns tensors."""
    places, parts = [], []
    handles = []
    for name, part in module.named_modules():
        enter = part.register_forward_pre_hook(lambda part, given, name=name: parts.append((name, part)))
        leave = part.register_forward_hook(lambda part, given, output: parts.pop() and None, always_call=True)
        handles += [enter, leave]
    mode = Drops(module, Plan(), places, parts)
    mode.parts = parts
    try:
        with mode:
            yield places
    finally:
        for handle in handles:
            handle.remove()


def plan_of(built: Built) -> Plan:
    """Returns what is planned for a module; has its passes follow it."""
    if built.plan is None:
        built.plan, module, own = Plan(), built.module, built.module.forward

        @wraps(own)
        def forward(*arguments, **options):
            """Makes a pass."""
            with Drops(module, built.plan):
                return own(*arguments, **options)

        module.forward = forward
    return built.plan


@dataclass(frozen=True)
class Pairs:
    """Which dropout of a module is which of Keras's."""

    both: list[tuple[int, Place, RandomCall]]  # with its number in a pass
    extra: list[tuple[int, Place]]  # Keras has none there
    missing: list[tuple[Place, RandomCall]]  # behind a call that gives what Keras's is given


def pairs_of(built: Built) -> Pairs:
    """Pairs dropouts in their order where there are as many; else by what they are given, while nothing is drawn."""
    places, expected = built.places(), [call for call in built.random_calls() if not call.is_inside]
    own = [place for place in places if place.func in FUNCTIONS]
    if len(own) == len(expected):
        return Pairs([(number, *pair) for number, pair in enumerate(zip(own, expected, strict=True))], [], [])
    both, extra, left = [], [], list(expected)
    for number, place in enumerate(own):
        gaps = [gap_of(place, call) for call in left]
        if gaps and min(gaps) <= NEAR:
            both.append((number, place, left.pop(int(np.argmin(gaps)))))
        else:
            extra.append((number, place))
    others, missing = [place for place in places if place.func not in FUNCTIONS], []
    for call in left:
        # of places with the same values, such as before and behind a flattening, the one of Keras's rank
        gaps = [(gap_of(place, call), place.values.ndim != np.ndim(call.input)) for place in others]
        if gaps and min(gaps)[0] <= NEAR:
            missing.append((others[gaps.index(min(gaps))], call))
    return Pairs(both, extra, missing)


def gap_of(place: Place, call: RandomCall) -> float:
    """Returns how far what a place holds is from what Keras's layer is given; infinite where no shape fits."""
    if call.input is None or not place.values.numel():
        return np.inf
    values = place.values.cpu().numpy()
    turns = to_keras_by_shape(values.shape, call.input.shape, call.flattened)
    return min((difference(call.input, turn(values)) for turn in turns), default=np.inf)


def axis_of(place: Place, call: RandomCall) -> int:
    """Returns on which axis of a place's values Keras's channels stand, which are the last of its own."""
    if place.values.ndim != call.input.ndim or place.values.shape[-1] != call.input.shape[-1]:
        return 1
    values = place.values.cpu().numpy()
    turned = np.moveaxis(values, 1, -1)
    same = turned.shape == call.input.shape and difference(call.input, turned) < difference(call.input, values)
    return 1 if same else -1


def is_spatial(built: Built, call: RandomCall) -> bool:
    """Says whether one of Keras's layers drops whole channels."""
    return built.facts.settings.get(call.layer, {}).get("class_name", "").startswith("SpatialDropout")


def kind_of(built: Built, call: RandomCall) -> str:
    """Returns how Keras's layer is written."""
    return f"{built.facts.settings.get(call.layer, {}).get('class_name', 'Dropout')}({call.rate:g})"


def drops_by_rate(built: Built, call: RandomCall) -> bool:
    """Says whether one of Keras's layers is a dropout."""
    return built.facts.settings.get(call.layer, {}).get("class_name", "").removeprefix("Spatial").startswith("Dropout")


def set_rates(built: Built) -> list[str]:
    """Sets the rates to Keras's."""
    lines = []
    for number, place, call in pairs_of(built).both:
        if drops_by_rate(built, call) and call.rate is not None and abs(place.rate - call.rate) > 1e-7:
            plan_of(built).rates[number] = call.rate
            lines.append(f"{place.where}: a dropout of {place.rate:g}: write {call.rate:g}")
    return lines


def drop_wholes(built: Built) -> list[str]:
    """Drops whole channels where Keras does."""
    lines = []
    for number, place, call in pairs_of(built).both:
        if not is_spatial(built, call) or place.values.ndim not in SPATIAL:
            continue
        axis, right = axis_of(place, call), SPATIAL[place.values.ndim]
        if place.func is right and axis == 1:
            continue
        plan_of(built).spatial[number] = axis
        turned = "" if axis == 1 else " of x.movedim(-1, 1), and turn it back"
        lines.append(f"{place.where}: F.{place.func.__name__}: write F.{right.__name__}{turned}")
    return lines


def follow_modes(built: Built) -> list[str]:
    """Drops where the module is trained, and nowhere else."""
    mode = built.module.training
    wrong = [place for place in built.places() if place.func in FUNCTIONS and place.rate and not place.training]
    wrong += [place for place in built.places(False) if place.func in FUNCTIONS and place.rate and place.training]
    if not wrong or not mode:
        return []
    plan_of(built).follows_mode = True
    when = {True: "also in evaluation", False: "not in training"}
    lines = [f"{one.where}: drops {when[one.training]}: write training=self.training" for one in wrong]
    return list(dict.fromkeys(lines))


def add_missing(built: Built) -> list[str]:
    """Drops where Keras does and the port does not, and does not where Keras does not."""
    pairs, lines = pairs_of(built), []
    for number, place in pairs.extra:
        if place.rate:
            plan_of(built).rates[number] = 0.0
            lines.append(f"{place.where}: a dropout of {place.rate:g} that Keras does not have: leave it out")
    for place, call in pairs.missing:
        if drops_by_rate(built, call) and call.rate:
            axis = axis_of(place, call) if is_spatial(built, call) and place.values.ndim in SPATIAL else None
            plan_of(built).added[place.func, place.number] = call.rate, axis, place.values.shape[1:]
            name = getattr(place.func, "__name__", "call")
            lines.append(f"{place.where}, behind {name}: Keras's {call.layer} is missing: write {kind_of(built, call)}")
    return lines


UNDOS = [
    Undo("dropout-rate", PARTS, set_rates),
    Undo("spatial-dropout", PARTS, drop_wholes),
    Undo("dropout-mode", ("cases", "layers", *PARTS), follow_modes),
    Undo("dropout-missing", PARTS, add_missing),
]
IDS = {undo.id for undo in UNDOS}
