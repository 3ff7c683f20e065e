"""Faults in the examples' right ports: initial weights as PyTorch draws them, and numbers of layers."""

from functools import partial

from torch import nn

from parity.selftest.planted.plant import BATCH_NORM, CNN, DIABETES, EXAMPLES, GRU, LSTM, Plant, each, with_attributes


def torch_kernel(layer: nn.Module) -> None:
    """Draws a kernel from U(-1/sqrt(fan_in), 1/sqrt(fan_in))."""
    nn.init.kaiming_uniform_(layer.weight, a=5**0.5)


def torch_bias(layer: nn.Module) -> None:
    """Draws a bias from U(-1/sqrt(fan_in), 1/sqrt(fan_in))."""
    bound = layer.weight[0].numel() ** -0.5
    nn.init.uniform_(layer.bias, -bound, bound)


def torch_recurrent(layer: nn.Module, name: str) -> None:
    """Draws what is called like this from U(-1/sqrt(units), 1/sqrt(units)); what is not trained stays zeros."""
    bound = layer.hidden_size**-0.5
    for parameter_name, parameter in layer.named_parameters():
        if parameter_name.startswith(name) and parameter.requires_grad:
            nn.init.uniform_(parameter, -bound, bound)


WEIGHTED = (nn.Linear, nn.Conv2d)
STARTS = [
    Plant("dense-start", EXAMPLES, ("dense kernels",), each(nn.Linear, torch_kernel)),
    Plant("dense-bias-start", EXAMPLES, ("biases",), each(WEIGHTED, torch_bias)),
    Plant("convolution-start", (CNN, BATCH_NORM), ("convolutions",), each(nn.Conv2d, torch_kernel)),
    Plant("embedding-start", (GRU,), ("words",), each(nn.Embedding, lambda layer: nn.init.normal_(layer.weight))),
    Plant(
        "recurrent-start", (LSTM, GRU), ("recurrent kernels",),
        each((nn.LSTM, nn.GRU), partial(torch_recurrent, name="weight_hh")),
    ),
    Plant(
        "recurrent-kernel-start", (LSTM, GRU), ("kernels of gates",),
        each((nn.LSTM, nn.GRU), partial(torch_recurrent, name="weight_ih")),
    ),
    Plant("recurrent-bias-start", (GRU,), ("biases of gates",), each(nn.GRU, partial(torch_recurrent, name="bias"))),
    Plant("forget-gate", (LSTM,), ("biases of gates",), each(nn.LSTM, partial(torch_recurrent, name="bias"))),
]  # fmt: skip

NUMBERS = [
    Plant("batch-norm-epsilon", (BATCH_NORM,), ("epsilon of norms",), with_attributes(nn.BatchNorm2d, eps=1e-5)),
    Plant("batch-norm-momentum", (BATCH_NORM,), ("momentum of norms",), with_attributes(nn.BatchNorm2d, momentum=0.1)),
    Plant(
        "batch-norm-variance", (BATCH_NORM,), ("variance",), with_attributes(nn.BatchNorm2d, __class__=nn.BatchNorm2d)
    ),
    Plant("convolution-dilation", (BATCH_NORM,), ("dilation",), with_attributes(nn.Conv2d, dilation=(2, 2))),
    Plant("layer-norm-epsilon", (DIABETES,), ("epsilon of norms",), with_attributes(nn.LayerNorm, eps=1e-5)),
]
