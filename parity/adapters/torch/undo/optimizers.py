"""Undoes other optimizers, their numbers, schedules of the rate, and clipping, by the Trainer or in hooks."""

from functools import partial

import numpy as np
import torch

from keras_like import adaptive, more_optimizers
from keras_like import optimizers as keras_like
from parity.adapters.torch.pieces import whole_of
from parity.adapters.torch.undo.difference import (
    ACCUMULATION,
    HOOKS,
    NORM,
    OPTIMIZERS,
    OTHERWISE,
    RATE,
    TRAINER,
    VALUE,
    Built,
    Undo,
)
from parity.adapters.torch.undo.hooks import EPOCH, Change
from parity.adapters.torch.updates import EVERY, accumulation_of

PARTS = ("optimizer", "lockstep", "restarts", "interchange")
SAME_RATE = 1e-6  # of the largest rate: schedules are computed in float32 on the one side, in float64 on the other
RMSPROPS = (torch.optim.RMSprop, keras_like.KerasRMSprop)
# By difference: the optimizers of PyTorch that have it, their number under all its names, and how Keras calls it.
NUMBERS = {
    "learning-rate": ((torch.optim.Optimizer,), "lr", "learning_rate"),
    "adam-epsilon": ((torch.optim.Adam, torch.optim.AdamW, keras_like.KerasAdam), "eps", "epsilon"),
    "adam-beta-1": ((torch.optim.Adam, torch.optim.AdamW, keras_like.KerasAdam), "betas.0", "beta_1"),
    "adam-beta-2": ((torch.optim.Adam, torch.optim.AdamW, keras_like.KerasAdam), "betas.1", "beta_2"),
    "rmsprop-rho": (RMSPROPS, "alpha rho", "rho"),
    "momentum": ((torch.optim.SGD, keras_like.KerasSGD, *RMSPROPS), "momentum", "momentum"),
    "dampening": ((torch.optim.SGD,), "dampening", "dampening"),
    "amsgrad": ((torch.optim.Adam, torch.optim.AdamW), "amsgrad", "amsgrad"),
    "nesterov": ((torch.optim.SGD, keras_like.KerasSGD), "nesterov", "nesterov"),
    "weight-decay-decoupled": ((torch.optim.Adam, keras_like.KerasAdam), "weight_decay", "weight_decay"),
    "weight-decay-coupled": ((torch.optim.Adam, torch.optim.SGD, torch.optim.RMSprop), "weight_decay", "weight_decay"),
}
DECOUPLED = {"weight-decay-decoupled": True, "weight-decay-coupled": False}
# By difference: what computes as Keras does in place of PyTorch's own, and what it calls the numbers of PyTorch's.
RIGHT = {
    "adam-epsilon-place": (
        {torch.optim.Adam: keras_like.KerasAdam, torch.optim.AdamW: keras_like.KerasAdam},
        {"lr": "lr", "betas": "betas", "eps": "eps", "weight_decay": "weight_decay"},
    ),
    "rmsprop-epsilon-place": (
        {torch.optim.RMSprop: keras_like.KerasRMSprop},
        {"lr": "lr", "alpha": "rho", "momentum": "momentum"},  # epsilon's place decides its size: it is Keras's
    ),
}
# By difference: the kind, under Keras's name, and PyTorch's own.
ADAPTIVE = {
    "adamax-epsilon-place": ("Adamax", torch.optim.Adamax),
    "adagrad-accumulator": ("Adagrad", torch.optim.Adagrad),
    "nadam-momentum": ("Nadam", torch.optim.NAdam),
    "adadelta-numbers": ("Adadelta", torch.optim.Adadelta),
}
KERAS = {
    **{name: getattr(keras_like, f"Keras{name}") for name in ("SGD", "RMSprop", "Adam")},
    **{name: getattr(adaptive, f"Keras{name}") for name in ("Adagrad", "Nadam")},
    **{name: getattr(more_optimizers, f"Keras{name}") for name in ("Adamax", "Adadelta", "Lion")},
    "AdamW": keras_like.KerasAdam,
}
CLIPPING = {NORM: ("clipnorm", "global_clipnorm"), VALUE: ("clipvalue",)}  # by how, Keras's numbers
SAME = {"Adam": {"Adam", "AdamW", "KerasAdam"}, "AdamW": {"Adam", "AdamW", "KerasAdam"}}


def set_number(
    built: Built, classes: tuple[type, ...], ours: str, theirs: str, decoupled: bool | None = None
) -> list[str]:
    """Sets a number of the optimizers to Keras's, in every group of parameters; of a decay, one of the two kinds."""
    value, lines = built.facts.optimizer.get(theirs), {}
    names, _, index = ours.partition(".")
    value = 0.0 if value is None and theirs in ("weight_decay", "dampening") else value  # Keras has none
    if not isinstance(value, int | float):
        return []
    for optimizer in (one for one in built.optimizers if isinstance(one, classes)):
        for group in optimizer.param_groups:
            name = next((one for one in names.split() if one in group), None)
            if name is None or decoupled not in (None, is_decoupled(optimizer, group)):
                continue
            own = group[name][int(index)] if index else group[name]
            if own == value or (abs(own - value) <= 1e-6 * abs(value) and own is not value and value):
                continue
            new = value if not index else tuple(value if i == int(index) else b for i, b in enumerate(group[name]))
            group[name] = bool(new) if isinstance(own, bool) else new
            if name == "lr" and "initial_lr" in group:
                group["initial_lr"] = new
            label = f"beta_{int(index) + 1}" if index else name
            lines[f"{type(optimizer).__name__}({label}={shown(own)}): write {shown(value)}"] = None
    return list(lines)


def is_decoupled(optimizer: torch.optim.Optimizer, group: dict) -> bool:
    """Says whether an optimizer's decay is no part of the gradient; in PyTorch, AdamW is an Adam."""
    return group.get("decoupled_weight_decay", isinstance(optimizer, keras_like.KerasAdam))


def shown(value: float) -> str:
    """Returns a number as code has it."""
    return str(value) if isinstance(value, bool) else f"{value:g}"


def replace_class(built: Built, right: dict[type, type], names: dict[str, str]) -> list[str]:
    """Puts optimizers that compute as Keras's in the place of PyTorch's own, with the same numbers."""
    lines, epsilon = {}, built.facts.optimizer.get("epsilon")
    given = {"eps": epsilon} if "eps" not in names and isinstance(epsilon, float) else {}
    for index, optimizer in enumerate(built.optimizers):
        own = next((kind for kind in right if isinstance(optimizer, kind)), None)
        if own is None or any(group.get("amsgrad") for group in optimizer.param_groups):  # Keras's here has none
            continue
        made = right[own]
        groups = [
            {"params": group["params"], **given, **{new: group[old] for old, new in names.items() if old in group}}
            for group in optimizer.param_groups
        ]
        built.optimizers[index] = made(groups)
        called = f"{'torch.optim.' * (type(optimizer) is own)}{type(optimizer).__name__}"
        lines[f"{called}: write {made.__module__}.{made.__name__}"] = None
    return list(lines)


def replace_adaptive(built: Built, kind: str, own: type) -> list[str]:
    """Puts Keras's optimizer in the place of PyTorch's of that kind, with all numbers but the rate.

    Args:
        built: is changed.
        kind: of the optimizer, Keras's name.
        own: PyTorch's class.
    """
    made, lines = KERAS[kind], {}
    for index, optimizer in enumerate(built.optimizers):
        if built.facts.optimizer.get("class_name") != kind or not isinstance(optimizer, own):
            continue
        numbers = keras_numbers(made, built.facts.optimizer)
        groups = [{"params": group["params"], **numbers, "lr": group["lr"]} for group in optimizer.param_groups]
        built.optimizers[index] = made(groups)
        lines[f"{type(optimizer).__name__}: write {made.__module__}.{made.__name__}"] = None
    return list(lines)


def replace_kind(built: Built) -> list[str]:
    """Puts Keras's optimizer in the place of one of another kind."""
    asked, lines = built.facts.optimizer, []
    kind = asked.get("class_name", "")
    if kind not in KERAS or not isinstance(asked.get("learning_rate"), float) or len(built.optimizers) != 1:
        return []
    (optimizer,) = built.optimizers
    same = SAME.get(kind, {kind, f"Keras{kind}", kind.replace("Nadam", "NAdam")})
    if same & {base.__name__ for base in type(optimizer).__mro__}:  # a person's own may derive from it
        return []
    made = KERAS[kind]
    parameters = [one for group in optimizer.param_groups for one in group["params"]]
    built.optimizers[0] = made(parameters, **keras_numbers(made, asked))
    lines.append(f"{type(optimizer).__name__}: write {made.__module__}.{made.__name__}, Keras's {kind}")
    return lines


def keras_numbers(made: type, asked: dict) -> dict:
    """Returns the numbers of Keras's optimizer as one of `keras_like` takes them."""
    from inspect import signature

    known = {"lr": asked.get("learning_rate"), "eps": asked.get("epsilon"), "weight_decay": asked.get("weight_decay")}
    known |= {name: asked.get(name) for name in ("momentum", "nesterov", "rho", "initial_accumulator_value")}
    if "beta_1" in asked and "beta_2" in asked:
        known["betas"] = asked["beta_1"], asked["beta_2"]
    taken = signature(made.__init__).parameters
    return {name: value for name, value in known.items() if name in taken and value is not None}


def unschedule(built: Built, interval: str) -> list[str]:
    """Leaves schedules of the learning rate out, where Keras's optimizer has a constant one.

    Args:
        built: is changed.
        interval: after what they change it, `step` or `epoch`.
    """
    if not isinstance(built.facts.optimizer.get("learning_rate"), float):
        return []
    found = [one for one in built.schedules if one.get("interval", "epoch") == interval]
    for schedule in found:
        scheduler = schedule["scheduler"]
        rates = getattr(scheduler, "base_lrs", [group["lr"] for group in scheduler.optimizer.param_groups])
        for group, rate in zip(scheduler.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
    if found:
        built.schedules = []
    return [f"{type(one['scheduler']).__name__}, after every {interval}: leave it out" for one in found]


def schedule(built: Built) -> list[str]:
    """Has the one optimizer's rate follow Keras's schedule, where it follows none or another."""
    asked, rates = built.facts.optimizer.get("learning_rate"), built.rates()
    if isinstance(asked, float) or not len(rates) or len(built.optimizers) != 1 or is_same_schedule(built, rates):
        return []
    (optimizer,), names = built.optimizers, [type(one["scheduler"]).__name__ for one in built.schedules]
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"] = 1.0
    last = len(rates) - 1
    made = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: float(rates[min(step, last)]))
    built.schedules = [{"scheduler": made, "interval": "step"}]
    write = """write Keras's schedule as a LambdaLR, with "interval": "step\""""
    kind = type(optimizer).__name__
    return [f"{names[0]}: its rates are others: {write}" if names else f"{kind}: its rate follows no schedule: {write}"]


def is_same_schedule(built: Built, rates: np.ndarray) -> bool:
    """Says whether a rate follows a schedule of its own that may be Keras's: it is, or waits for a metric.

    Args:
        built: what is looked at.
        rates: Keras's, of every step.
    """
    if not built.schedules:
        return False
    if any(isinstance(one["scheduler"], torch.optim.lr_scheduler.ReduceLROnPlateau) for one in built.schedules):
        return True
    own = built.own_rates()
    count = min(len(own), len(rates))
    return bool(np.abs(own[:count] - rates[:count]).max(initial=0.0) <= SAME_RATE * np.max(rates))


def carry_rate(built: Built) -> list[str]:
    """Puts Keras's SGD in the place of PyTorch's where the rate changes: only its velocity carries every step's."""
    lines = {}
    for index, optimizer in enumerate(built.optimizers):
        groups = optimizer.param_groups
        is_plain = not any(group.get("weight_decay") or group.get("dampening") for group in groups)
        if not isinstance(optimizer, torch.optim.SGD) or not built.schedules or not is_plain:
            continue
        if any(group["momentum"] for group in groups):
            names = ("params", "lr", "momentum", "nesterov")
            built.optimizers[index] = keras_like.KerasSGD([{name: group[name] for name in names} for group in groups])
            lines[f"{type(optimizer).__name__}: write keras_like.optimizers.KerasSGD"] = None
    return list(lines)


def unclip(built: Built, algorithm: str, names: tuple[str, ...]) -> list[str]:
    """Has the Trainer clip no gradients, where Keras clips none."""
    limit = built.options.get("gradient_clip_val")
    given = built.options.get("gradient_clip_algorithm") or "norm"
    if limit is None or given != algorithm or any(built.facts.optimizer.get(name) for name in names):
        return []
    built.options.pop("gradient_clip_val")
    built.options.pop("gradient_clip_algorithm", None)
    return [f"Trainer(gradient_clip_val={limit:g}): leave it out"]


def accumulate(built: Built) -> list[str]:
    """Has every update take as many batches as Keras's, where the Trainer's argument says how many."""
    (name,) = EVERY
    own, asked = built.options.get(name) or 1, built.facts.optimizer.get("gradient_accumulation_steps") or 1
    if own == asked or accumulation_of(built.options).get(name, 1) != own:  # a callback changes it
        return []
    built.options[name] = asked
    return [f"Trainer({name}={own}): {f'write {asked}' if asked > 1 else 'leave it out'}"]


def give_all(built: Built) -> list[str]:
    """Gives the first optimizer the tensors that Keras trains and no optimizer has, in the place of what is no tensor.

    A parameter that is not the module's, as a copy is, is left out.
    """
    groups = [group for optimizer in built.optimizers for group in optimizer.param_groups]
    given = {id(one) for group in groups for one in group["params"]}
    own, missing = {id(one) for one in built.module.parameters()}, {}
    for tensor in (one for one in built.binding.table if one.trained):
        for holder in map(whole_of, built.binding.holders(tensor)):
            if id(holder) in own - given and holder.requires_grad:
                missing[holder] = tensor.torch_name.split(" ")[0]
    if not groups or not missing:
        return []
    for group in groups:
        group["params"] = [one for one in group["params"] if id(one) in own]
    groups[0]["params"] += missing
    names = ", ".join(dict.fromkeys(missing.values()))
    return [f"configure_optimizers: the optimizer has no {names}: give it self.parameters()"]


def keep_rate(built: Built, change: Change, of_epoch: bool | None = None) -> str | None:
    """Puts the rate back that a hook has changed, where Keras's is constant.

    Args:
        built, change: what was built, and what the hook did.
        of_epoch: whether hooks of epochs are looked at, or of batches; None for those that set it to 0.
    """  # fmt: skip
    if change.kind != RATE or not isinstance(built.facts.optimizer.get("learning_rate"), float):
        return None
    if change.is_zero != (of_epoch is None) or of_epoch not in (None, change.hook in EPOCH):
        return None
    change.put_back()
    what = "sets the learning rate to 0" if change.is_zero else "changes the learning rate"
    return f"{change.hook} {what}: leave it out"


def leave_gradients(built: Built, change: Change) -> str | None:
    """Puts gradients back that a hook has changed otherwise than by clipping."""
    if change.kind != OTHERWISE:
        return None
    change.put_back()
    return f"{change.hook} changes gradients: leave it out"


def keep_gradients(built: Built, change: Change, kind: str, names: tuple[str, ...]) -> str | None:
    """Puts gradients back that a hook has clipped, where Keras clips none."""
    if change.kind != kind or any(built.facts.optimizer.get(name) for name in names):
        return None
    change.put_back()
    return f"{change.hook} clips gradients: leave it out"


SCHEDULES = [
    Undo("schedule-step", PARTS, partial(unschedule, interval="step"), OPTIMIZERS,
         also={HOOKS: partial(keep_rate, of_epoch=False)}),
    Undo("schedule-epoch", ("callbacks", *PARTS), partial(unschedule, interval="epoch"), OPTIMIZERS,
         also={HOOKS: partial(keep_rate, of_epoch=True)}),
]  # fmt: skip
# In the order in which they are undone: the rate that a schedule began with is put back before it becomes Keras's, and
# numbers are Keras's before another optimizer takes them over.
UNDOS = [
    *SCHEDULES,
    *(
        Undo(
            id,
            PARTS,
            partial(set_number, classes=classes, ours=ours, theirs=theirs, decoupled=DECOUPLED.get(id)),
            OPTIMIZERS,
        )
        for id, (classes, ours, theirs) in NUMBERS.items()
    ),
    *(Undo(id, PARTS, partial(replace_class, right=right, names=names), OPTIMIZERS, fitted=True)  # behind amsgrad
      for id, (right, names) in RIGHT.items()),
    *(Undo(id, PARTS, partial(replace_adaptive, kind=kind, own=own), OPTIMIZERS)
      for id, (kind, own) in ADAPTIVE.items()),
    Undo("adam-for-sgd", PARTS, replace_kind, OPTIMIZERS),
    Undo("frozen", PARTS, give_all, OPTIMIZERS, also={HOOKS: keep_rate}),
    Undo("schedule-missing", ("callbacks", *PARTS), schedule, OPTIMIZERS),
    Undo("momentum-and-schedule", PARTS, carry_rate, OPTIMIZERS),
    *(Undo(f"clip-{kind}", ("cases", *PARTS), partial(unclip, algorithm=kind, names=names), TRAINER,
           also={HOOKS: partial(keep_gradients, kind=kind, names=names)})
      for kind, names in CLIPPING.items()),
    Undo("accumulation", ("callbacks", *PARTS), accumulate, ACCUMULATION),
    Undo("gradient-hook", ("cases", *PARTS), leave_gradients, HOOKS),
]  # fmt: skip
