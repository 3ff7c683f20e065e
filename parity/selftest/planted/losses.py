"""Faults in the examples' right ports: other losses."""

from collections.abc import Callable
from functools import partial

import torch
from torch import nn
from torch.nn import functional as F

from parity.selftest.planted.plant import CNN, DIABETES, GRU, LSTM, WINE, Plant, override, with_layer

LOSS = ("loss",)


def with_loss(loss: Callable) -> Callable[[nn.Module], None]:
    """Returns what has a module trained with `loss(module, outputs, targets)`."""

    def training_step(self, batch, batch_idx):
        """Returns the loss of a batch."""
        *inputs, targets = batch
        value = loss(self, self(*inputs), targets)
        self.log("train_loss", value, on_step=False, on_epoch=True)
        return value

    return partial(override, training_step=training_step)


def of_classes(id: str, examples: tuple[str, ...], loss: Callable, form: str = "") -> Plant:
    """Returns a plant that trains with `loss(logits, targets)`."""
    return Plant(id, examples, LOSS, with_loss(lambda module, logits, targets: loss(logits, targets)), form=form)


def with_criterion(id: str, example: str, criterion: Callable[[], nn.Module], form: str = "") -> Plant:
    """Returns a plant that computes another criterion, in training and validation."""
    return Plant(id, (example,), LOSS, with_layer(lambda own: criterion(), "criterion"), form=form)


def halve_penalty(module: nn.Module) -> None:
    """Has a module's penalty be half of it."""
    penalty = type(module).penalty
    override(module, penalty=lambda self: penalty(self) / 2)


LOSSES = [
    of_classes("softmax-twice", (CNN, GRU), lambda z, y: F.cross_entropy(z.softmax(dim=1), y)),
    of_classes("nll-of-no-logarithms", (CNN,), lambda z, y: F.nll_loss(z.softmax(dim=1), y)),
    # of logits that are far apart alone: those of the convolutions are not
    of_classes("log-of-probabilities", (GRU,), lambda z, y: F.nll_loss(z.softmax(dim=1).log(), y)),
    of_classes(
        "clipped-probabilities", (CNN,), lambda z, y: F.nll_loss(z.softmax(dim=1).clamp(1e-7, 1 - 1e-7).log(), y)
    ),
    of_classes("temperature", (LSTM,), lambda z, y: F.cross_entropy(z / 2, y)),
    of_classes("mse-loss", (WINE,), lambda z, y: F.mse_loss(z.softmax(dim=1), y)),
    of_classes("label-smoothing", (CNN,), partial(F.cross_entropy, label_smoothing=0.1)),
    with_criterion("label-smoothing", WINE, nn.CrossEntropyLoss, form="none"),
    of_classes("class-weight", (GRU,), lambda z, y: F.cross_entropy(z, y, weight=torch.tensor([2.0, 1, 1, 1, 0.5]))),
    of_classes("loss-sum", (LSTM,), partial(F.cross_entropy, reduction="sum")),
    of_classes("loss-scale", (CNN,), lambda z, y: F.cross_entropy(z, y) / 10),
    with_criterion("another-loss", DIABETES, nn.MSELoss),
    with_criterion("another-loss", DIABETES, nn.L1Loss, form="absolute"),
    with_criterion("huber-delta", DIABETES, partial(nn.HuberLoss, delta=0.5)),
    Plant(
        "loss-broadcast", (DIABETES,), LOSS,
        with_loss(lambda module, outputs, y: F.huber_loss(outputs.squeeze(1), y) + module.penalty()),
    ),
    Plant("l2-penalty", (DIABETES,), LOSS, halve_penalty),
]  # fmt: skip
