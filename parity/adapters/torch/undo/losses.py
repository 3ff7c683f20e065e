"""Undoes other losses: each call of a loss function in a step is made as Keras's loss says.

Of several outputs, each call is held against the loss of the output that it is given (`several`). Not undone: weights
of rows, regularizers of activities, and losses of Keras that PyTorch has no function for (hinges, divergences,
percentages, focal losses).
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from torch.nn import functional as F

from parity.adapters.torch.undo.difference import LOSS, Built, Undo
from parity.adapters.torch.undo.loss_calls import (
    ABSOLUTE,
    BINARY,
    CLAMP,
    CROSS,
    HUBER,
    LOG,
    LOG_SOFTMAX,
    SIGMOID,
    SOFTMAX,
    SQUARED,
    Call,
    sums_to_one,
)
from parity.adapters.torch.undo.several import asked

PARTS = ("cases", "lockstep", "restarts", "interchange")
# By Keras's class: what PyTorch computes it by.
KERAS = {
    "SparseCategoricalCrossentropy": CROSS,
    "CategoricalCrossentropy": CROSS,
    "BinaryCrossentropy": BINARY,
    "MeanSquaredError": SQUARED,
    "MeanAbsoluteError": ABSOLUTE,
    "Huber": HUBER,
}
FUNCTIONS = {CROSS: F.cross_entropy, SQUARED: F.mse_loss, ABSOLUTE: F.l1_loss, HUBER: F.huber_loss}
WITH_LOGITS = F.binary_cross_entropy_with_logits


def kind_of(built: Built, call: Call) -> str:
    """Returns what Keras's loss is computed by; empty where PyTorch has no function for it."""
    return KERAS.get(asked(built, call).get("class_name"), "")


def logits_of(call: Call) -> torch.Tensor:
    """Returns logits of classes, whatever a loss is given: they, probabilities or their logarithms."""
    how, made_of = call.maker()
    if how in (SOFTMAX, LOG_SOFTMAX):
        return made_of
    return call.input.log() if call.is_of_probabilities() else call.input


def untwice(built: Built, call: Call) -> str | None:
    """Gives a cross-entropy logits in the place of probabilities."""
    if call.func is not F.cross_entropy or kind_of(built, call) != CROSS or not call.is_of_probabilities():
        return None
    call.input = logits_of(call)
    return f"{call.name} of probabilities: give it the logits"


def untwice_sigmoid(built: Built, call: Call) -> str | None:
    """Gives a binary cross-entropy of logits these in the place of probabilities."""
    how, made_of = call.maker() if call.func is WITH_LOGITS else ("", None)
    if how != SIGMOID:
        return None
    call.input = made_of
    return f"{call.name} of what a sigmoid gave: give it the logits"


def logarithms(built: Built, call: Call) -> str | None:
    """Gives `nll_loss` logarithms of probabilities in the place of probabilities or logits."""
    if call.func is not F.nll_loss or call.maker()[0] in (LOG_SOFTMAX, LOG):
        return None
    if sums_to_one(call.input.detach().exp(), 1 if call.input.ndim > 1 else 0):
        return None
    what = "probabilities" if call.is_of_probabilities() else "logits"
    call.input = logits_of(call).log_softmax(dim=1 if call.input.ndim > 1 else 0)
    return f"{call.name} of {what}: write F.cross_entropy of the logits"


def from_logits(built: Built, call: Call) -> str | None:
    """Computes a cross-entropy of logits, where it is one of probabilities that were made of these."""
    how, made_of = call.maker()
    if call.func is F.binary_cross_entropy and how == SIGMOID:
        name = call.name
        call.input = made_of
        call.replace(WITH_LOGITS)
        return f"{name} of what a sigmoid gave: write F.binary_cross_entropy_with_logits of the logits"
    if call.func is F.nll_loss and how == LOG and call.maker(made_of)[0] == SOFTMAX:
        call.input = call.maker(made_of)[1].log_softmax(dim=1)
        return f"{call.name} of the logarithm of a softmax: write F.cross_entropy of the logits"
    return None


def unclip(built: Built, call: Call) -> str | None:
    """Leaves out what clips probabilities or logarithms before a loss, and computes it of the logits."""
    chain, name = call.chain(), call.name
    makings = [call.made[id(one)] for one in chain[:-1]]
    if built.facts.clipped or call.kind not in (CROSS, BINARY) or CLAMP not in [one.how for one in makings]:
        return None
    makings = [one for one in makings if one.how != CLAMP]
    match [one.how for one in makings]:
        case [how, *_] if how == SIGMOID and call.func is F.binary_cross_entropy:
            call.replace(WITH_LOGITS)
            makings = makings[1:]
        case [first, second, *_] if (first, second) == (LOG, SOFTMAX):
            makings = [replace(makings[1], again=partial(F.log_softmax, dim=1)), *makings[2:]]
    call.remake(chain[-1], makings)
    return f"{name} of what is clipped: leave clamp out, and give a loss of logits the logits"


def smooth(built: Built, call: Call) -> str | None:
    """Smooths labels as Keras does."""
    value, kind = float(asked(built, call).get("label_smoothing") or 0.0), kind_of(built, call)
    if call.kind != kind or kind not in (CROSS, BINARY):
        return None
    if kind == BINARY:
        if not value or not ((call.target == 0) | (call.target == 1)).all():
            return None
        call.target = call.target * (1 - value) + value / 2
        return f"{call.name}: write y * {1 - value:g} + {value / 2:g} in the place of the labels y"
    own, name = call.options.get("label_smoothing", 0.0), call.name
    if own == value:
        return None
    if call.func is F.nll_loss:  # has no smoothing; the logarithms of a softmax's are the same
        call.replace(F.cross_entropy)
        name = f"{name} (which smooths no labels): write F.cross_entropy"
    call.options["label_smoothing"] = value
    return f"{name}(label_smoothing={own:g}): write label_smoothing={value:g}"


def reduce(built: Built, call: Call) -> str | None:
    """Takes the mean over a batch, or the sum, as Keras does."""
    if not asked(built, call) or not call.func:
        return None
    right = "sum" if asked(built, call).get("reduction") == "sum" else "mean"
    own = call.options.get("reduction", "mean")
    if own == right or own not in ("mean", "sum"):
        return None
    call.options["reduction"] = right
    return f"{call.name}(reduction={own!r}): write reduction={right!r}"


def bend(built: Built, call: Call) -> str | None:
    """Bends Huber's loss where Keras does."""
    if kind_of(built, call) != HUBER or call.kind != HUBER:
        return None
    delta, option = float(asked(built, call).get("delta", 1.0)), "beta" if call.func is F.smooth_l1_loss else "delta"
    own, name = float(call.options[option]), call.name
    if own == delta and (option == "delta" or delta == 1):  # smooth_l1_loss divides by beta
        return None
    if option == "beta":
        call.replace(F.huber_loss)
    call.options["delta"] = delta
    what = "F.huber_loss(" if option == "beta" else ""
    return f"{name}({option}={own:g}): write {what}delta={delta:g}{')' if what else ''}"


def align(built: Built, call: Call) -> str | None:
    """Gives a loss of numbers predictions and targets of one shape: PyTorch broadcasts others to all pairs of rows."""
    if call.kind in (CROSS, "other") or call.input.shape == call.target.shape:
        return None
    if call.input.numel() != call.target.numel():
        return None
    shapes = f"{tuple(call.input.shape)} and {tuple(call.target.shape)}"
    call.input = call.input.reshape(call.target.shape)
    return f"{call.name} of {shapes}: give it two of the same shape"


def replace_loss(built: Built, call: Call, of_classes: bool) -> str | None:
    """Computes Keras's loss in the place of one of another kind.

    Args:
        built, call: what was built, and what is called in it.
        of_classes: whether squares in the place of a cross-entropy are undone, else all others.
    """  # fmt: skip
    kind = kind_of(built, call)
    if not kind or not call.func or call.kind == kind or of_classes != (kind == CROSS and call.kind == SQUARED):
        return None
    how, made_of = call.maker()
    name, func = call.name, FUNCTIONS.get(kind, WITH_LOGITS)
    if kind == CROSS:
        call.input = logits_of(call)
    elif kind == BINARY:
        call.input = made_of if how == SIGMOID else call.input
        is_certain = how == SIGMOID or not ((call.input >= 0) & (call.input <= 1)).all()
        func = WITH_LOGITS if is_certain or call.func is F.cross_entropy else F.binary_cross_entropy
    if func is not F.cross_entropy and call.target.shape != call.input.shape:
        if call.target.numel() != call.input.numel():
            call.target = F.one_hot(call.target.long(), call.input.shape[-1])
        call.target = call.target.reshape(call.input.shape)
    if func is not F.cross_entropy or call.target.is_floating_point():
        call.target = call.target.to(call.input.dtype)
    if func is F.cross_entropy and call.target.ndim == call.input.ndim and call.target.shape[-1] == 1:
        call.target = call.target[..., 0].long()
    call.replace(func)
    numbers = {"label_smoothing": asked(built, call).get("label_smoothing")} if kind == CROSS else {}
    numbers |= {"delta": asked(built, call).get("delta", 1.0)} if kind == HUBER else {}
    call.options |= {name: float(value) for name, value in numbers.items() if value}
    given = ", ".join(f"{name}={value:g}" for name, value in numbers.items() if value)
    return f"{name}: write F.{func.__name__}({given})"


def weigh(built: Built, call: Call) -> str | None:
    """Weighs classes as Keras does, or not at all."""
    if call.kind not in (CROSS, BINARY) or kind_of(built, call) != call.kind:
        return None
    known = {int(one): weight for one, weight in built.facts.loss.get("class_weight", {}).items()}
    option = "pos_weight" if call.options.get("pos_weight") is not None else "weight"
    own = call.options.get(option)
    if call.kind == BINARY and option == "weight" and own is not None:  # of elements
        return None
    count = call.input.shape[1] if call.kind == CROSS and call.input.ndim > 1 else 2
    right = torch.ones(count).index_fill(0, torch.tensor([*known], dtype=torch.long), 1.0)
    for one, weight in known.items():
        right[one] = weight
    before = torch.ones(count) if own is None else own.detach().cpu()
    before = torch.cat([torch.ones(1), before.reshape(-1)[:1]]) if option == "pos_weight" else before
    if before.shape == right.shape and torch.allclose(before.float(), right, rtol=1e-6, atol=0):
        return None
    name = f"{call.name}({option}={shown(before) if own is not None else None})"
    call.options |= {option: None}
    if not known:
        return f"{name}: leave it out"
    call.weights = right.to(call.input)[classes_of(call)]
    return f"{name}: multiply each row's loss by Keras's weight of its class, {shown(right)}, and take the mean of all"


def divide(built: Built, call: Call) -> str | None:
    """Divides a weighted loss by the number of rows, as Keras does, and not by the sum of their weights."""
    weight = call.options.get("weight")
    if call.kind != CROSS or kind_of(built, call) != CROSS or weight is None or call.options.get("reduction") != "mean":
        return None
    call.weights, call.options = weight.to(call.input)[classes_of(call)], {**call.options, "weight": None}
    rows = "F.cross_entropy(..., weight=..., reduction='none').mean()"
    return f"{call.name}(weight=...) divides by the sum of the weights: write {rows}"


def classes_of(call: Call) -> torch.Tensor:
    """Returns the class of each row's target."""
    if call.kind == CROSS and call.target.is_floating_point():
        return call.target.argmax(dim=1)
    return call.target.long()


def shown(weights: torch.Tensor) -> str:
    """Returns weights of classes as code has them, the first ones of many."""
    numbers = [f"{weight:g}" for weight in weights.tolist()]
    return f"[{', '.join(numbers[:5])}{', ...' if len(numbers) > 5 else ''}]"


def penalise(built: Built, call: Call) -> list[str] | None:
    """Adds Keras's penalties on weights, and takes the port's own away."""
    if call.number > 1 or not built.facts.loss or not is_trained(built, call):
        return None
    asked_for, fit = built.facts.loss["penalties"], built.fit
    own = fit.penalties if fit.is_good else {}
    lines, terms = [], []
    for tensor in built.binding.table:
        right, has = asked_for.get(tensor.path, {}), own.get(tensor.path, 0.0)
        l1, l2 = right.get("l1", 0.0), right.get("l2", 0.0)
        if (l1 and fit.is_good and fit.scale == 1 and not has and not l2) or abs(l2 - has) > 1e-4 * l2 or l1:
            terms.append((built.binding.holders(tensor), l1, l2, has))
            lines.append(line_of(tensor.torch_name, l1, l2, has))
    if not terms:
        return None

    def own_penalties() -> torch.Tensor:
        """Returns what the port adds."""
        return sum(penalty(holders, 0.0, has) for holders, _, _, has in terms)

    call.after.append(lambda loss: loss + sum(penalty(*term[:3]) for term in terms))
    take_away(call, lambda loss: loss + own_penalties(), lambda loss: loss - own_penalties())
    return lines


def take_away(call: Call, done: Callable, away: Callable) -> None:
    """Takes from a loss what the port does to it behind the call; in a validation only where it does it there, too.

    Args:
        call: of the loss.
        done, away: what it does, and what takes that away.
    """  # fmt: skip
    if call.is_validation and call.func:
        call.later.append((done, away))
    else:
        call.after.append(away)


def penalty(parameters: list[torch.Tensor], l1: float, l2: float) -> torch.Tensor:
    """Returns what parameters add to a loss."""
    return sum(l2 * one.square().sum() + (l1 * one.abs().sum() if l1 else 0.0) for one in parameters)


def line_of(name: str, l1: float, l2: float, has: float) -> str:
    """Says what to write of a penalty."""
    terms = [f"{l1:g} * {name}.abs().sum()"] * bool(l1) + [f"{l2:g} * {name}.square().sum()"] * bool(l2)
    if not has:
        return f"the loss: add {' + '.join(terms)}"
    return f"the loss has {has:g} * {name}.square().sum(): {f'write {l2:g} * ...' if l2 else 'leave it out'}"


def is_trained(built: Built, call: Call) -> bool:
    """Says whether a loss is trained, or of a validation that calls the same function as the training."""
    if not call.is_validation:
        built.trained.add(call.func)
    return call.func in built.trained


def rescale(built: Built, call: Call, of_rows: bool) -> str | None:
    """Takes a factor of the whole loss away.

    Args:
        built, call: what was built, and what is called in it.
        of_rows: whether the number of rows is, as in a sum of one's own, else any other.
    """  # fmt: skip
    fit = built.fit
    if not fit.is_good or fit.scale == 1 or fit.scale <= 0 or not is_trained(built, call):
        return None
    if of_rows != (abs(fit.scale / fit.rows - 1) < 1e-3):
        return None
    by = call.rows if of_rows else fit.scale
    own = {} if fit.of_all else fit.penalties
    kept = [
        (built.binding.holders(tensor), 0.0, own[tensor.path]) for tensor in built.binding.table if tensor.path in own
    ]

    def rescaled(loss: torch.Tensor) -> torch.Tensor:
        """Takes the factor away, and leaves penalties that do not have it."""
        penalties = sum(penalty(*term) for term in kept) if call.func is None else 0.0
        return (loss - penalties) / by + penalties

    take_away(call, lambda loss: loss * by, rescaled)
    if of_rows:
        return f"{call.name} is a sum over the batch: divide it by the number of its rows"
    return f"{call.name} is {fit.scale:g} times Keras's: divide it by {fit.scale:g}"


def first_of(built: Built, call: Call) -> str | None:
    """Takes the mean over rows where a formula of one's own sums, or where `reduction` does."""
    return reduce(built, call) or (rescale(built, call, True) if not call.func else None)


# In this order: the form of the input, the function, its settings, what is made of its result.
UNDOS = [
    Undo("clipped-probabilities", PARTS, unclip, LOSS),
    Undo("softmax-twice", PARTS, untwice, LOSS),
    Undo("sigmoid-twice", PARTS, untwice_sigmoid, LOSS),
    Undo("nll-of-no-logarithms", PARTS, logarithms, LOSS),
    Undo("log-of-probabilities", PARTS, from_logits, LOSS),
    Undo("mse-loss", PARTS, partial(replace_loss, of_classes=True), LOSS),
    Undo("another-loss", PARTS, partial(replace_loss, of_classes=False), LOSS),
    Undo("loss-broadcast", PARTS, align, LOSS),
    Undo("huber-delta", PARTS, bend, LOSS),
    Undo("label-smoothing", PARTS, smooth, LOSS),
    Undo("class-weight", PARTS, weigh, LOSS),
    Undo("weighted-mean", PARTS, divide, LOSS),
    Undo("loss-sum", PARTS, first_of, LOSS, fitted=True),
    Undo("loss-scale", PARTS, partial(rescale, of_rows=False), LOSS, fitted=True),
    Undo("l2-penalty", PARTS, penalise, LOSS, fitted=True),
]
FITTED = {undo.id for undo in UNDOS if undo.fitted}
