"""Calls of loss functions in a user's steps: caught as they are made, changed, and made again (`TorchFunctionMode`)."""

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import torch
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

import parity

CROSS, BINARY, SQUARED, ABSOLUTE, HUBER, OTHER = "cross-entropy", "binary", "squared", "absolute", "huber", "other"
# By torch's function: what is computed, but for settings and for the form of its input.
KINDS = {
    F.cross_entropy: CROSS,
    F.nll_loss: CROSS,
    F.binary_cross_entropy: BINARY,
    F.binary_cross_entropy_with_logits: BINARY,
    F.mse_loss: SQUARED,
    F.l1_loss: ABSOLUTE,
    F.huber_loss: HUBER,
    F.smooth_l1_loss: HUBER,
    **dict.fromkeys((F.kl_div, F.poisson_nll_loss, F.soft_margin_loss, F.multi_margin_loss), OTHER),
}
SOFTMAX, LOG_SOFTMAX, SIGMOID, LOG, CLAMP = "softmax", "log-softmax", "sigmoid", "log", "clamp"
# What makes probabilities of logits, and logarithms, and what clips them: what they are given is what a loss should be.
MAKERS = {
    **dict.fromkeys((F.softmax, torch.softmax, torch.Tensor.softmax), SOFTMAX),
    **dict.fromkeys((F.log_softmax, torch.log_softmax, torch.Tensor.log_softmax), LOG_SOFTMAX),
    **dict.fromkeys((F.sigmoid, torch.sigmoid, torch.Tensor.sigmoid), SIGMOID),
    **dict.fromkeys((torch.log, torch.Tensor.log), LOG),
    **dict.fromkeys((torch.clamp, torch.Tensor.clamp, torch.clip, torch.Tensor.clip), CLAMP),
}
FOREIGN = ("site-packages", "dist-packages", str(Path(parity.__file__).parent), "<frozen")


@dataclass(frozen=True)
class Making:
    """How a tensor was made by one of `MAKERS`."""

    how: str
    given: torch.Tensor
    again: Callable[[torch.Tensor], torch.Tensor]  # makes it of another tensor


@dataclass
class Call:
    """A call of a loss function, or the loss that a step returns, where it calls none that is known."""

    func: Callable | None  # None for a step's own formula
    input: torch.Tensor | None
    target: torch.Tensor | None
    options: dict  # further arguments
    where: str  # the file and line of the user's code
    made: dict[int, "Making"] = field(default_factory=dict)  # by the id of a tensor, how it was made
    value: torch.Tensor | None = None  # of a step's own formula
    rows: int = 1  # of the batch
    number: int = 1  # of the call in its step
    is_validation: bool = False  # whether it is called in `validation_step`
    weights: torch.Tensor | None = None  # that each term is multiplied by, before the mean of all
    after: list[Callable[[torch.Tensor], torch.Tensor]] = field(default_factory=list)  # what is made of the loss
    # of a validation, what the step may do to the loss: this and what takes it away again
    later: list[tuple[Callable, Callable]] = field(default_factory=list)
    # of the module, in the step's last pass; and their keys in a dictionary, or their numbers from 1
    outputs: list[torch.Tensor] = field(default_factory=list)
    keys: list[object] = field(default_factory=list)

    @property
    def kind(self) -> str:
        """What is computed."""
        return KINDS.get(self.func, OTHER)

    @property
    def name(self) -> str:
        """What is called, and where."""
        return f"{self.where}: {f'F.{self.func.__name__}' if self.func else 'the loss'}"

    def maker(self, tensor: torch.Tensor | None = None) -> tuple[str, torch.Tensor] | tuple[str, None]:
        """Returns by what a tensor, the input unless given, was made and of what; an empty word where unknown."""
        making = self.made.get(id(self.input if tensor is None else tensor))
        return (making.how, making.given) if making else ("", None)

    def chain(self) -> list[torch.Tensor]:
        """Returns the input, what it was made of, and so on, up to the module's output or to what is not known."""
        found = [self.input]
        while id(found[-1]) in self.made and not any(found[-1] is one for one in self.outputs):
            found.append(self.made[id(found[-1])].given)
        return found

    def remake(self, root: torch.Tensor, makings: list[Making]) -> None:
        """Makes the input of another tensor.

        Args:
            root: the tensor.
            makings: what is done to it, the last one first.
        """
        self.input = root
        for making in reversed(makings):
            new = making.again(self.input)
            self.made[id(new)] = replace(making, given=self.input)
            self.input = new

    def is_of_probabilities(self) -> bool:
        """Says whether rows of the input are probabilities of classes."""
        return self.maker()[0] == SOFTMAX or sums_to_one(self.input, 1 if self.input.ndim > 1 else 0)

    def replace(self, func: Callable) -> None:
        """Calls another function; settings that it does not have are left out."""
        known = inspect.signature(func).parameters
        self.func, self.options = func, {name: one for name, one in self.options.items() if name in known}

    def evaluate(self) -> torch.Tensor:
        """Makes the call."""
        value = self.value
        if self.func and self.weights is None:
            value = self.func(self.input, self.target, **self.options)
        elif self.func:
            terms = self.func(self.input, self.target, **{**self.options, "reduction": "none"}) * self.weights
            reduction = self.options.get("reduction", "mean")
            value = terms.mean() if reduction == "mean" else terms.sum() if reduction == "sum" else terms
        for change in self.after:
            value = change(value)
        return value


class Calls(TorchFunctionMode):
    """Catches what a user's step calls.

    Args:
        change: called with each loss that is computed, before it is.

    Attributes:
        seen: how many were, of known functions.
    """

    def __init__(self, change: Callable[[Call], None]):
        super().__init__()
        self.change, self.seen = change, 0
        self.made: dict[int, Making] = {}
        self.later: dict[int, tuple[torch.Tensor, list]] = {}  # by the id of a loss, of which it is the first
        self.kept: list[torch.Tensor] = []  # so that no other tensor gets the id of one that was made

    def __torch_function__(self, func, types, args=(), kwargs=None):
        """Calls a function; a loss as it is changed."""
        kwargs = kwargs or {}
        if func in KINDS:
            self.seen += 1
            call = call_of(func, args, kwargs, self.made)
            call.number = self.seen
            self.change(call)
            result = call.evaluate()
            return self.wait(result, call.later)
        result = func(*args, **kwargs)
        for given in (one for one in args if id(one) in self.later and torch.is_tensor(result)):
            result = self.taken_away(result, *self.later[id(given)])
        if func in MAKERS and torch.is_tensor(result):
            given = args[0] if args else kwargs.get("input")
            again = partial(made_again, func, args[1:], {name: one for name, one in kwargs.items() if name != "input"})
            self.made[id(result)] = Making(MAKERS[func], given, again)
            self.kept.append(result)
        return result

    def wait(self, loss: torch.Tensor, later: list[tuple[Callable, Callable]]) -> torch.Tensor:
        """Has what a step does to a loss looked at; returns the loss."""
        if later:
            self.later[id(loss)] = loss, later
        return loss

    def taken_away(
        self, result: torch.Tensor, loss: torch.Tensor, later: list[tuple[Callable, Callable]]
    ) -> torch.Tensor:
        """Returns what a function made of a loss, without what should not be done to it."""
        for done, away in later:
            if result.shape == loss.shape and torch.allclose(result, done(loss), rtol=1e-4, atol=0):
                return self.wait(away(result), [one for one in later if one[0] is not done])
        return result


def made_again(func: Callable, args: tuple, options: dict, tensor: torch.Tensor) -> torch.Tensor:
    """Calls a function of another tensor."""
    return func(tensor, *args, **options)


def call_of(func: Callable, args: tuple, kwargs: dict, made: dict) -> Call:
    """Returns a call of one of the functions in `KINDS`."""
    given = inspect.signature(func).bind(*args, **kwargs)
    given.apply_defaults()
    options = {name: one for name, one in given.arguments.items() if name not in ("size_average", "reduce")}
    input, target = options.pop("input"), options.pop("target")
    return Call(func, input, target, options, caller(), made, rows=len(input) if input.ndim else 1)


def caller() -> str:
    """Returns the file and line of the user's code that runs."""
    frame = sys._getframe(1)
    while frame:
        name = frame.f_code.co_filename
        if not any(part in name for part in FOREIGN):
            return f"{Path(name).name}, line {frame.f_lineno}"
        frame = frame.f_back
    return "training_step"


def sums_to_one(values: torch.Tensor, axis: int) -> bool:
    """Says whether values are not negative and sum to 1 along an axis of more than one."""
    if values.ndim <= axis or values.shape[axis] < 2 or not values.is_floating_point():
        return False
    sums = values.detach().double().sum(dim=axis)
    return bool((values >= 0).all() and torch.allclose(sums, torch.ones_like(sums), atol=1e-4))
