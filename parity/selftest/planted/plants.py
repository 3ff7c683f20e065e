"""Faults that are planted in the examples' right ports: each is the inverse of what undoes a difference.

Those that configure something come in the order in which they wrap each other.
"""

from torch import nn

from parity.selftest.planted.layers import LAYERS
from parity.selftest.planted.losses import LOSSES
from parity.selftest.planted.optimizers import OPTIMIZERS
from parity.selftest.planted.plant import Plant
from parity.selftest.planted.rows import ROWS
from parity.selftest.planted.starts import NUMBERS, STARTS
from parity.selftest.planted.trainings import TRAININGS

PLANTS = [*STARTS, *NUMBERS, *LAYERS, *LOSSES, *OPTIMIZERS, *ROWS, *TRAININGS]
# Differences that can be undone and stand in no example.
WHY_NONE = {
    **dict.fromkeys(
        """
        transposed-start depthwise-start attention-start prelu-start group-norm-epsilon group-norm-groups
        leaky-relu-layer attention-mask attention-order attention-scale max-pooling-same
        average-pooling-same global-pooling causal-padding transposed-same zero-padding-order
        resizing-corners resizing-mode gaussian-dropout spatial-dropout
        """.split(),
        "no example has such a layer",
    ),
    "gelu": "no example has such an activation",
    "leaky-relu-activation": "no example has such an activation",
    "softmax-axis": "no example has a softmax but at its output",
    "padding-added": "no example has a convolution without padding",
    "layer-norm-axis": "no example normalises layers of images",
    "go-backwards": "no example reads rows backwards alone",
    "gru-reset-before": "no example has a GRU that resets before",
    "recurrent-dropout": "no example drops inside of a recurrent layer",
    "mask-outputs": "no example takes all outputs of a masked layer",
    "mask-with-states": "no example gives states to a recurrent layer",
    "flatten-order": "a Dense stands behind each Flatten, and its kernel takes either order",
    "sigmoid-twice": "no example has a binary loss",
    "weighted-mean": "no example weighs its classes",
    **dict.fromkeys(
        """
        adagrad-accumulator nadam-momentum adadelta-numbers
        """.split(),
        "no example has such an optimizer",
    ),
    "loss-weights": "no example has several outputs",
    "convolution-stride": "no example has a global pooling behind a convolution: other shapes do not fit",
    "schedule-missing": "no example has a schedule",
    "momentum-and-schedule": "no example has a schedule",
}


def of_example(example: str) -> list[Plant]:
    """Returns what can be planted in an example's right port."""
    return [plant for plant in PLANTS if example in plant.examples]


def plants_named(example: str, names: tuple[str, ...]) -> list[Plant]:
    """Returns some of an example's plants, in the order in which they are planted."""
    return [plant for plant in of_example(example) if plant.name in names]


def are_compatible(plants: tuple[Plant, ...]) -> bool:
    """Says whether no two plants change the same."""
    touched = [what for plant in plants for what in plant.touches]
    return len(touched) == len(set(touched))


# ---- what a pair file calls


def plant_in_module(example: str, names: tuple[str, ...], module: nn.Module) -> nn.Module:
    """Plants faults in a module; returns it."""
    for plant in plants_named(example, names):
        if plant.module:
            plant.module(module)
    return module


def plant_in_data(example: str, names: tuple[str, ...], data):
    """Plants faults in a port's data; returns what is to be used in their place."""
    for plant in plants_named(example, names):
        if plant.data:
            data = plant.data(data)
    return data


def trainer_options(example: str, names: tuple[str, ...], given: dict) -> dict:
    """Returns the Trainer's arguments with those of the faults."""
    for plant in plants_named(example, names):
        given = {**given, **plant.options}
    return given
