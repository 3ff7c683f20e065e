"""Keras's initialisers for PyTorch's tensors: each fills a weight in place and returns it, as `torch.nn.init`'s do.

PyTorch's layers start from U(-1/sqrt(fan_in), 1/sqrt(fan_in)), weights and biases alike; Keras's Dense and Conv layers
from `glorot_uniform_`, with biases of zeros, and Embedding from `random_uniform_`. Source of the formulas:
`keras/src/initializers/random_initializers.py`. A weight is laid out as PyTorch has it: (outputs, inputs, *kernel), or
(inputs, outputs, *kernel) of a transposed convolution, whose inputs and outputs Keras counts the other way round, too.
"""

import math

import torch
from torch import nn

TRUNCATED_STD = 0.87962566103423978  # standard deviation of a standard normal that is cut at +-2
VARIANCE_SCALING = {
    "GlorotUniform": (1.0, "fan_avg", "uniform"),
    "GlorotNormal": (1.0, "fan_avg", "truncated_normal"),
    "HeUniform": (2.0, "fan_in", "uniform"),
    "HeNormal": (2.0, "fan_in", "truncated_normal"),
    "LecunUniform": (1.0, "fan_in", "uniform"),
    "LecunNormal": (1.0, "fan_in", "truncated_normal"),
}


def variance_scaling_(weight, scale=1.0, mode="fan_in", distribution="truncated_normal", depthwise=0):
    """Draws weights (outputs, inputs, *kernel) whose variance is scale / fan.

    Args:
        weight: is filled; at least two axes.
        scale: 2 for He's law, 1 for Glorot's and Lecun's.
        mode: `fan_in`, `fan_out` or `fan_avg`.
        distribution: `uniform`, `truncated_normal` or `untruncated_normal`.
        depthwise: how many channels go into a depthwise kernel (channels * multiplier, 1, *kernel). Keras counts all
            of them as its inputs, and the multiplier as its outputs. 0 for other kernels.

    Raises:
        ValueError: mode or distribution is unknown.
    """
    receptive = math.prod(weight.shape[2:])
    outputs, inputs = (weight.shape[0] // depthwise, depthwise) if depthwise else weight.shape[:2]
    fans = {"fan_in": inputs * receptive, "fan_out": outputs * receptive}
    fans["fan_avg"] = (fans["fan_in"] + fans["fan_out"]) / 2
    if mode not in fans:
        raise ValueError(f"mode {mode!r} is unknown; choose one of {', '.join(fans)}")
    variance = scale / max(1.0, fans[mode])
    match distribution:
        case "uniform":  # limit = sqrt(3 scale / fan)
            return nn.init.uniform_(weight, -math.sqrt(3 * variance), math.sqrt(3 * variance))
        case "truncated_normal":  # cut at two standard deviations, and widened so that sqrt(scale / fan) remains
            return truncated_normal_(weight, stddev=math.sqrt(variance) / TRUNCATED_STD)
        case "untruncated_normal":
            return nn.init.normal_(weight, 0.0, math.sqrt(variance))
    raise ValueError(f"distribution {distribution!r} is unknown; choose uniform, truncated_normal, untruncated_normal")


def glorot_uniform_(weight, depthwise=0):
    """Draws from U(-l, l), l = sqrt(6 / (fan_in + fan_out)): the default of Keras's Dense and Conv layers."""
    return variance_scaling_(weight, *VARIANCE_SCALING["GlorotUniform"], depthwise)


def random_uniform_(weight, minval=-0.05, maxval=0.05):
    """Draws from U(minval, maxval): the default of Keras's Embedding; PyTorch's is N(0, 1)."""
    return nn.init.uniform_(weight, minval, maxval)


def random_normal_(weight, mean=0.0, stddev=0.05):
    """Draws from N(mean, stddev^2): "normal" in Keras."""
    return nn.init.normal_(weight, mean, stddev)


def truncated_normal_(weight, mean=0.0, stddev=0.05):
    """Draws from N(mean, stddev^2) without what is farther than 2 stddev from the mean."""
    return nn.init.trunc_normal_(weight, mean, stddev, mean - 2 * stddev, mean + 2 * stddev)


OTHERS = {
    "Zeros": nn.init.zeros_,
    "Ones": nn.init.ones_,
    "Constant": lambda weight, value=0.0: nn.init.constant_(weight, value),
    "RandomUniform": random_uniform_,
    "RandomNormal": random_normal_,
    "TruncatedNormal": truncated_normal_,
    "VarianceScaling": variance_scaling_,
    # as a matrix, torch's is Keras's transposed: both have orthonormal rows or columns, and one law
    "Orthogonal": lambda weight, gain=1.0: nn.init.orthogonal_(weight, gain),
}

KNOWN = frozenset({*VARIANCE_SCALING, *OTHERS})


@torch.no_grad()
def initialize_(weight, name, **config):
    """Fills a weight by the name and numbers that Keras's initialiser has: `initialize_(w, "HeNormal")`.

    Args:
        weight: is filled.
        name: the class in `keras.initializers`, or as Keras's layers take it: `he_normal`.
        config: of its `get_config()`, without the seed; and `depthwise`, as for `variance_scaling_`.

    Raises:
        ValueError: the initialiser is unknown here.
    """
    name = "".join(word.capitalize() for word in name.split("_")) if name.islower() else name
    if name in VARIANCE_SCALING:
        return variance_scaling_(weight, *VARIANCE_SCALING[name], config.get("depthwise", 0))
    if name not in KNOWN:
        raise ValueError(f"initialiser {name!r} is unknown; choose one of {', '.join(sorted(KNOWN))}")
    if name != "VarianceScaling":
        config.pop("depthwise", None)  # nothing else goes by the number of inputs
    return OTHERS[name](weight, **config)
