"""Faults in the examples' right ports: other optimizers, their numbers, schedules, clipping, hooks.

They come in the order in which they wrap what is configured.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import nn

from keras_like import adaptive
from keras_like import optimizers as keras_like
from parity.selftest.planted.plant import BATCH_NORM, CNN, DIABETES, EXAMPLES, GRU, LSTM, WINE, Plant, override

# What an optimizer of another kind changes.
OPTIMIZER = (
    "kind",
    "arithmetic",
    "rate",
    "epsilon",
    "betas",
    "rho",
    "momentum",
    "nesterov",
    "decay",
    "dampening",
    "amsgrad",
)


def still_biases(module: nn.Module) -> None:
    """Has biases learn nothing, once their gradients are there."""
    for parameter in module.parameters():
        if parameter.ndim == 1 and parameter.grad is not None:
            parameter.grad.zero_()


def configured(change: Callable) -> Callable[[nn.Module], None]:
    """Returns what has a module configure `change(optimizer)` in place of its optimizer."""

    def plant(module: nn.Module) -> None:
        """Overrides `configure_optimizers`."""
        configure = type(module).configure_optimizers
        override(module, configure_optimizers=lambda self: change(configure(self)))

    return plant


def with_numbers(**numbers) -> Callable[[nn.Module], None]:
    """Returns what has a module's optimizer get other numbers; a function makes one of the number before."""

    def change(optimizer):
        """Sets the numbers in every group of parameters."""
        for group in optimizer.param_groups:
            for name in numbers.keys() & group.keys():
                value = numbers[name]
                group[name] = value(group[name]) if callable(value) else value
        return optimizer

    return configured(change)


def with_optimizer(make: Callable, **names: str) -> Callable[[nn.Module], None]:
    """Returns what has a module use another optimizer.

    Args:
        make: of parameters and numbers.
        names: of its numbers that stay, and what they are called in the module's own.
    """

    def change(optimizer):
        """Makes it of the same groups of parameters."""
        groups = [
            {"params": group["params"], **{new: group[old] for new, old in names.items()}}
            for group in optimizer.param_groups
        ]
        return make(groups)

    return configured(change)


def of_copies(optimizer):
    """Has an optimizer update copies of the parameters."""
    for group in optimizer.param_groups:
        group["params"] = [nn.Parameter(one.detach().clone()) for one in group["params"]]
    return optimizer


def with_schedule(make: Callable, interval: str = "epoch") -> Callable[[nn.Module], None]:
    """Returns what has a module's learning rate scheduled."""

    def change(optimizer):
        """Returns both in Lightning's form."""
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": make(optimizer), "interval": interval}}

    return configured(change)


OPTIM, DECAY = torch.optim, torch.optim.lr_scheduler.ExponentialLR
SGDS = (BATCH_NORM, LSTM, GRU)
TO_RMSPROP = {"lr": "lr", "alpha": "rho", "momentum": "momentum", "eps": "eps"}
TO_ADAM = {name: name for name in ("lr", "betas", "eps", "weight_decay")}
TO_ADAMAX = {name: name for name in ("lr", "betas", "eps")}
TO_SGD = {name: name for name in ("lr", "momentum", "nesterov")}
OPTIMIZERS = [
    Plant("adam-for-sgd", SGDS, OPTIMIZER, with_optimizer(keras_like.KerasAdam, lr="lr")),
    Plant("adam-for-sgd", (CNN,), OPTIMIZER, with_optimizer(keras_like.KerasSGD, lr="lr"), form="sgd"),
    Plant("adam-for-sgd", (DIABETES,), OPTIMIZER, with_optimizer(adaptive.KerasAdagrad, lr="lr"), form="adagrad"),
    Plant("adam-for-sgd", (WINE,), OPTIMIZER, with_optimizer(keras_like.KerasAdam, lr="lr"), form="adamax"),
    Plant("adam-epsilon-place", (CNN,), ("arithmetic",), with_optimizer(OPTIM.Adam, **TO_ADAM)),
    Plant(
        "amsgrad", (CNN,), ("arithmetic", "amsgrad"),
        with_optimizer(partial(OPTIM.Adam, amsgrad=True), **TO_ADAM), also=("adam-epsilon-place",),
    ),
    Plant("adamax-epsilon-place", (WINE,), ("arithmetic",), with_optimizer(OPTIM.Adamax, **TO_ADAMAX)),
    Plant("rmsprop-epsilon-place", (DIABETES,), ("arithmetic",), with_optimizer(OPTIM.RMSprop, **TO_RMSPROP)),
    Plant(
        "weight-decay-coupled", SGDS, ("arithmetic", "decay"),
        with_optimizer(partial(OPTIM.SGD, weight_decay=1e-3), **TO_SGD),
    ),
    Plant("learning-rate", EXAMPLES, ("rate",), with_numbers(lr=lambda rate: rate * 1.25)),
    Plant("learning-rate", EXAMPLES, ("rate",), with_numbers(lr=lambda rate: rate / 10), form="tenth"),
    Plant("adam-epsilon", (CNN,), ("epsilon",), with_numbers(eps=1e-8)),
    Plant("adam-beta-1", (CNN,), ("betas",), with_numbers(betas=(0.8, 0.999))),
    Plant("adam-beta-2", (CNN,), ("betas",), with_numbers(betas=(0.9, 0.99))),
    Plant("rmsprop-rho", (DIABETES,), ("rho",), with_numbers(rho=0.99, alpha=0.99)),
    Plant("momentum", SGDS, ("momentum",), with_numbers(momentum=0.8)),
    Plant("momentum", (DIABETES,), ("momentum",), with_numbers(momentum=0.9), form="rmsprop"),
    Plant("nesterov", SGDS, ("nesterov",), with_numbers(nesterov=True)),
    Plant("dampening", (LSTM, GRU), ("dampening", "nesterov"), with_numbers(dampening=0.1)),
    Plant("weight-decay-decoupled", (CNN,), ("arithmetic", "decay"), with_numbers(weight_decay=0.01)),
    Plant("frozen", (CNN, LSTM), ("parameters",), configured(of_copies)),
    Plant("schedule-step", EXAMPLES, ("schedule",), with_schedule(partial(DECAY, gamma=0.99), "step")),
    Plant("schedule-epoch", EXAMPLES, ("schedule",), with_schedule(partial(DECAY, gamma=0.5))),
    Plant("clip-norm", EXAMPLES, ("clipping",), options={"gradient_clip_val": 0.1}),
    Plant(
        "clip-value", EXAMPLES, ("clipping",),
        options={"gradient_clip_val": 0.01, "gradient_clip_algorithm": "value"},
    ),
    Plant("accumulation", EXAMPLES, ("accumulation",), options={"accumulate_grad_batches": 2}),
    Plant("gradient-hook", EXAMPLES, ("hook",), partial(override, on_after_backward=still_biases)),
    Plant("bfloat16", EXAMPLES, ("precision",), options={"precision": "bf16-mixed"}),
]  # fmt: skip
