"""Watches what a module's own hooks do: to a batch before `forward`, to gradients, and to the learning rate.

A hook runs as it is; what it has changed is put back behind it. Whether it clips is seen from large gradients, once.
"""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial, wraps

import torch
from torch import nn
from torch.utils import _pytree as tree

from parity.adapters.torch.undo.data import find_change
from parity.adapters.torch.undo.difference import CAST, INPUT, NORM, OTHERWISE, RATE, VALUE

BEFORE_STEP = ("on_after_backward", "on_before_optimizer_step", "configure_gradient_clipping")
STEP = "optimizer_step"
EPOCH = ("on_train_epoch_start", "on_train_epoch_end", "on_validation_epoch_end", "on_validation_end")
OF_BATCH = ("training_step", "validation_step")
BATCH = (*OF_BATCH, "on_train_batch_start", "on_before_zero_grad", "on_train_batch_end", STEP, *BEFORE_STEP)
LARGE = 1e6
Gradients = list[tuple[nn.Parameter, torch.Tensor]]


@dataclass(frozen=True)
class Change:
    """What a hook has just changed."""

    hook: str
    kind: str  # NORM, VALUE or OTHERWISE of gradients, RATE, INPUT, or CAST
    put_back: Callable[[], None]
    is_zero: bool = False  # whether the rate is 0 now
    text: str = ""  # what was done to an input, or the dtype that is cast to


class Hooks:
    """Watches the hooks of a module.

    Args:
        module: is changed.
        look: called with each change.
    """

    def __init__(self, module: nn.Module, look: Callable[[Change], None]):
        self.module, self.look = module, look
        self.optimizers: list[torch.optim.Optimizer] = []
        self.kinds: dict[str, str] = {}  # how a hook clips gradients, empty for not at all
        self.inside: tuple[str, list] | None = None  # the hook that makes the step, and the rates before it
        self.step: tuple[str, object] | None = None  # that runs, and its batch
        for name in (*BATCH, *EPOCH):
            if is_own(module, name):
                setattr(module, name, self.watched(name, getattr(module, name)))
        if any(is_own(module, name) for name in OF_BATCH):
            module.forward = self.fed(module.forward)

    def watch(self, optimizers: list[torch.optim.Optimizer]) -> None:
        """Watches the rates of optimizers, too, which may be set just before they step."""
        self.optimizers = list(optimizers)
        for optimizer in optimizers:
            optimizer.step = self.stepped(optimizer.step)

    def stepped(self, own: Callable) -> Callable:
        """Returns a step before which the rates are put back."""

        @wraps(own)
        def step(*arguments, **options):
            """Steps."""
            if self.inside:
                self.compare_rates(*self.inside)
            return own(*arguments, **options)

        return step

    def watched(self, name: str, own: Callable) -> Callable:
        """Returns a hook behind which is put back what it has changed."""

        @wraps(own)
        def hook(*arguments, **options):
            """Runs it."""
            rates, gradients = self.rates(), self.gradients() if name in BEFORE_STEP else []
            if gradients and name not in self.kinds:
                self.kinds[name] = kind_of(lambda: own(*arguments, **options), gradients)
            self.inside = (name, rates) if name == STEP else self.inside
            self.step = (name, arguments[0]) if name in OF_BATCH and arguments else self.step
            result = own(*arguments, **options)
            self.inside = None if name == STEP else self.inside
            self.step = None if name in OF_BATCH else self.step
            self.compare_rates(name, rates)
            if gradients and (kind := self.kinds[name] or OTHERWISE * are_changed(gradients)):
                self.look(Change(name, kind, lambda: put_back(gradients)))
            return result

        return hook

    def fed(self, own: Callable) -> Callable:
        """Returns a `forward` that is given what its step was given."""

        @wraps(own)
        def forward(*arguments, **options):
            """Runs it."""
            if not self.step:
                return own(*arguments, **options)
            arguments, options = tree.tree_map(self.as_given, (arguments, options))
            with torch.autocast(device, enabled=False) if (device := self.cast_on()) else nullcontext():
                return own(*arguments, **options)

        return forward

    def cast_on(self) -> str:
        """Returns the kind of device on which a step casts and should not; empty where it casts on none."""
        chosen = [""]
        for device in {one.device.type for one in self.module.parameters()}:
            if torch.is_autocast_enabled(device):
                kind = str(torch.get_autocast_dtype(device)).removeprefix("torch.")
                self.look(Change(self.step[0], CAST, partial(chosen.append, device), text=kind))
        return chosen[-1]

    def as_given(self, value: object) -> object:
        """Returns an input of `forward`, or the tensor of the batch that it was made of, in the same form."""
        name, batch = self.step
        if not torch.is_tensor(value) or not value.is_floating_point():
            return value
        given = [
            leaf for leaf in tree.tree_leaves(batch) if torch.is_tensor(leaf) and leaf.shape[:1] == value.shape[:1]
        ]
        given = [leaf.reshape(value.shape) for leaf in given if leaf.numel() == value.numel()]
        if any(torch.equal(leaf, value) for leaf in given):
            return value
        array = value.detach().cpu().numpy()
        changes = [(leaf, change) for leaf in given if (change := find_change(leaf.cpu().numpy(), array))]
        chosen = [value]
        for leaf, change in changes[:1]:
            self.look(Change(name, INPUT, partial(chosen.append, leaf.to(value.dtype)), text=change.text))
        return chosen[-1]

    def rates(self) -> list[tuple[dict, float]]:
        """Returns the groups of parameters, each with its rate."""
        groups = [group for optimizer in self.optimizers for group in optimizer.param_groups]
        return [(group, float(group["lr"])) for group in groups]

    def compare_rates(self, name: str, before: list[tuple[dict, float]]) -> None:
        """Tells of rates that are others than before a hook."""

        def set_back() -> None:
            """Sets the rates that were there."""
            for group, rate in before:
                group["lr"] = rate

        if any(group["lr"] != rate for group, rate in before):
            self.look(Change(name, RATE, set_back, all(group["lr"] == 0 for group, _ in before)))

    def gradients(self) -> Gradients:
        """Returns the parameters that have a gradient, each with a copy of it."""
        return [(one, one.grad.clone()) for one in self.module.parameters() if one.grad is not None]


def is_own(module: nn.Module, name: str) -> bool:
    """Says whether a hook is a person's own, and not Lightning's, which does nothing or what the Trainer is asked."""
    own = getattr(type(module), name, None)
    packages = ("lightning.", "pytorch_lightning.", "parity.adapters.")
    return own is not None and not getattr(own, "__module__", "").startswith(packages)


def are_changed(gradients: Gradients) -> bool:
    """Says whether parameters have other gradients than they had."""
    return any(one.grad is None or not torch.equal(one.grad, gradient) for one, gradient in gradients)


def put_back(gradients: Gradients) -> None:
    """Gives parameters the gradients that they had."""
    for parameter, gradient in gradients:
        parameter.grad = gradient.clone()


def kind_of(run: Callable[[], object], gradients: Gradients) -> str:
    """Returns how a hook clips, from what it makes of gradients that are large; the parameters keep their own.

    The largest that is left by what clips is the same where they are ten times as large; by what scales, it is not.

    Args:
        run: runs the hook.
        gradients: of the parameters.
    """
    largest = max(float(gradient.abs().max()) if gradient.numel() else 0.0 for _, gradient in gradients)
    if not largest:
        return ""
    large = [(parameter, gradient * (LARGE / largest)) for parameter, gradient in gradients]
    try:
        after, further = (made_of([(one, factor * gradient) for one, gradient in large], run) for factor in (1, 10))
    except Exception:  # a person's own may refuse gradients that are so large
        return ""
    finally:
        put_back(gradients)
    limit, larger = (
        max((float(one.abs().max()) for one in new if one is not None), default=0.0) for new in (after, further)
    )
    if not 0.0 < larger <= limit * (1 + 1e-3):
        return ""
    pairs = [(gradient, new) for (_, gradient), new in zip(large, after, strict=True) if new is not None]
    if all(torch.allclose(old.clamp(-limit, limit), new, rtol=1e-5, atol=1e-5 * limit) for old, new in pairs):
        return VALUE
    # g' = f g, f at most 1, of all tensors or of each by itself
    factors = [float((old * new).sum() / old.square().sum().clamp(min=1e-30)) for old, new in pairs]
    is_scaled = all(
        torch.allclose(factor * old, new, rtol=1e-4, atol=1e-5 * limit)
        for factor, (old, new) in zip(factors, pairs, strict=True)
    )
    return NORM if is_scaled and max(factors) <= 1 + 1e-4 else ""


def made_of(gradients: Gradients, run: Callable[[], object]) -> list[torch.Tensor | None]:
    """Returns what a hook makes of gradients, which the parameters are given."""
    put_back(gradients)
    run()
    return [parameter.grad for parameter, _ in gradients]
