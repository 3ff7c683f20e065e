"""Modules that were just built, and Keras's facts of a pair like theirs."""

import numpy as np
from sample_records import make_facts
from torch import nn

from parity.adapters.torch.undo.difference import Built
from parity.protocol.tensors import Tensor

DRAW = np.random.default_rng(0)
OF_NORM = {"gamma": True, "beta": True, "moving_mean": False, "moving_variance": False}
TABLE = [
    Tensor("conv/kernel", "Conv2D", "kernel", (3, 3, 1, 4)),
    Tensor("conv/bias", "Conv2D", "bias", (4,)),
    *(Tensor(f"norm/{role}", "BatchNormalization", role, (4,), trained) for role, trained in OF_NORM.items()),
    Tensor("dense/kernel", "Dense", "kernel", (4, 3)),
    Tensor("dense/bias", "Dense", "bias", (3,)),
]
START = {tensor.path: DRAW.random(tensor.shape).astype(np.float32) for tensor in TABLE}
DRAWS = {path: DRAW.random(array.shape).astype(np.float32) for path, array in START.items()}
SETTINGS = {
    "conv": {"class_name": "Conv2D"},
    "norm": {"class_name": "BatchNormalization", "epsilon": 1e-3, "momentum": 0.98},
    "leaky": {"class_name": "LeakyReLU", "negative_slope": 0.3},
    "dense": {"class_name": "Dense"},
}


def make_module() -> nn.Module:
    """Makes the port as it is first written."""
    pool = nn.AdaptiveAvgPool2d(1)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.LeakyReLU(), pool, nn.Flatten(), nn.Linear(4, 3))


def make_built(module: nn.Module | None = None, **changes) -> Built:
    """Makes what an undoing is given; `changes` are those of the facts."""
    facts = {"tensors": TABLE, "start": START, "settings": SETTINGS, "initializers": {}, **changes}
    return Built(module or make_module(), make_facts(**facts), 0, lambda number: DRAWS)
