"""Faults in the examples' right ports: other layers, and other lines in `forward`."""

from collections.abc import Callable

import lightning
import torch
from torch import nn
from torch.nn import functional as F

from keras_like.recurrent import KerasGRU, KerasLSTM
from parity.selftest.planted.plant import (
    BATCH_NORM,
    CNN,
    DIABETES,
    GRU,
    LSTM,
    WINE,
    Plant,
    around,
    each,
    layers,
    override,
    with_attributes,
    with_layer,
    with_weights,
)

FORWARD, OF_GATES = ("forward",), "functions of gates"


def forward(id: str, example: str, lines: Callable, *touches: str) -> Plant:
    """Returns a plant that has another `forward(module, *inputs)`, which may touch more than that."""
    return Plant(id, (example,), FORWARD + touches, lambda module: override(module, forward=lines))


def last_of_gru(module: nn.Module, take: Callable, x: torch.Tensor) -> torch.Tensor:
    """Takes something else of the outputs than the last one."""
    outputs, _ = module.gru(module.words(x), mask=x != 0)
    return module.fc(take(outputs))


def without_mask(module: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Reads the padding, too."""
    outputs, _ = module.gru(module.words(x))
    return module.fc(outputs[:, -1])


def by_relu(module: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Bends by ReLUs."""
    x = F.relu(module.conv2(F.relu(module.conv1(x))))
    return module.fc2(F.relu(module.fc1(torch.flatten(x, 1))))


def colour_first(module: nn.Module, colour: torch.Tensor, taste: torch.Tensor) -> torch.Tensor:
    """Joins in the order of the arguments."""
    x = torch.cat([F.relu(module.of_colour(colour)), F.relu(module.of_taste(taste))], dim=1)
    return module.cultivar(F.relu(module.both(x)))


def by_batches(module: nn.Module, own: Callable, x: torch.Tensor) -> torch.Tensor:
    """Normalises by the batch's own statistics, in evaluation, too."""
    for layer in layers(module, nn.BatchNorm2d):
        layer.train()
    return own(x)


def in_float16(module: nn.Module, own: Callable, x: torch.Tensor) -> torch.Tensor:
    """Multiplies in float16."""
    with torch.autocast("cpu", dtype=torch.float16):
        return own(x).float()


ACTIVATIONS = [
    forward("activation", CNN, by_relu, "activations"),
    Plant("activation", (BATCH_NORM,), ("activations",), with_layer(lambda own: nn.ReLU(), "model.2", "model.6")),
    Plant("activation", (DIABETES,), ("activations",), with_layer(lambda own: nn.ELU(), "network.1", "network.4")),
    Plant("activation-missing", (BATCH_NORM,), ("activations",), with_layer(lambda own: nn.Identity(), "model.6")),
    Plant("activation-missing", (DIABETES,), ("activations",), with_layer(lambda own: nn.Identity(), "network.4")),
    Plant("activation-added", (CNN,), ("forward", "activations"), around(lambda module, own, x: F.relu(own(x)))),
]  # fmt: skip
RECURRENT = [
    Plant(
        "second-bias", (LSTM,), ("biases of gates", OF_GATES),
        with_layer(lambda own: with_weights(nn.LSTM(8, 24, batch_first=True, bidirectional=True), own), "lstm"),
    ),
    Plant(
        "recurrent-activation", (LSTM,), (OF_GATES,),
        with_layer(
            lambda own: with_weights(
                KerasLSTM(8, 24, batch_first=True, bidirectional=True, recurrent_activation=F.hardsigmoid), own
            ),
            "lstm",
        ),
    ),
    Plant(
        "recurrent-activation", (GRU,), (OF_GATES,),
        with_layer(
            lambda own: with_weights(KerasGRU(16, 24, batch_first=True, recurrent_activation=F.hardsigmoid), own), "gru"
        ),
    ),
    forward("bidirectional-last", LSTM, lambda module, x: module.fc(module.lstm(x)[0][:, -1])),
    forward("recurrent-output", GRU, lambda module, x: last_of_gru(module, lambda outputs: outputs.mean(dim=1), x)),
    forward("mask-ignored", GRU, without_mask),
    Plant("embedding-padding", (GRU,), ("words",), with_attributes(nn.Embedding, padding_idx=1)),
]  # fmt: skip
DROPOUTS = [
    Plant("dropout-rate", (BATCH_NORM,), ("dropout",), with_attributes(nn.Dropout, p=0.5)),
    Plant("dropout-missing", (BATCH_NORM,), ("dropout",), with_layer(lambda own: nn.Identity(), "model.9")),
    Plant("dropout-missing", (CNN,), FORWARD,
          around(lambda module, own, x: own(F.dropout(x, 0.1, module.training))), form="added"),
    forward("dropout-mode", BATCH_NORM, lambda module, x: module.model[10:](F.dropout(module.model[:9](x), 0.25)),
            "dropout"),
]  # fmt: skip
OTHERS = [
    Plant("pooling-kind", (BATCH_NORM,), ("poolings",),
          with_layer(lambda own: nn.MaxPool2d(2), "model.3", "model.7")),
    Plant("pooling-window", (BATCH_NORM,), ("poolings",),
          with_layer(lambda own: nn.AvgPool2d(3, stride=2, padding=1), "model.3")),
    Plant(
        "same-padding-with-strides", (CNN,), ("paddings",),
        with_layer(lambda own: with_weights(nn.Conv2d(16, 32, 3, stride=2, padding=1), own), "conv2"),
    ),
    forward("concatenate-order", WINE, colour_first),
    Plant("batch-norm-frozen", (BATCH_NORM,), ("mode of norms",), each(nn.BatchNorm2d, lambda layer: layer.eval())),
    Plant("batch-norm-mode", (BATCH_NORM,), ("forward", "mode of norms"), around(by_batches)),
    Plant("constraint-missing", (WINE,), ("constraint",),
          lambda module: override(module, optimizer_step=lightning.LightningModule.optimizer_step)),
    Plant("frozen-layer", (CNN,), ("first gradients",), lambda module: module.conv1.requires_grad_(False)),
    Plant("frozen-layer", (DIABETES,), ("first gradients",), lambda module: module.network[0].requires_grad_(False)),
    forward(
        "detached-layer", DIABETES, lambda module, x: module.network[3:](module.network[:3](x).detach()),
        "first gradients",
    ),
    Plant("float16-or-tf32", (CNN, DIABETES), ("forward", "precision"), around(in_float16)),
]  # fmt: skip
LAYERS = [*ACTIVATIONS, *RECURRENT, *DROPOUTS, *OTHERS]
