"""Faults that are planted in the examples' right ports: each is the inverse of what undoes a difference.

Those that configure something come in the order in which they wrap each other.
"""

from torch import nn

from parity.selftest.planted.optimizers import OPTIMIZERS
from parity.selftest.planted.plant import Plant
from parity.selftest.planted.starts import NUMBERS, STARTS
from parity.selftest.planted.trainings import TRAININGS

PLANTS = [*STARTS, *NUMBERS, *OPTIMIZERS, *TRAININGS]
# Differences that can be undone and stand in no example.
WHY_NONE = {
    "transposed-start": "no example has such a layer",
    "depthwise-start": "no example has such a layer",
    "attention-start": "no example has such a layer",
    "prelu-start": "no example has such a layer",
    "group-norm-epsilon": "no example has such a layer",
    "leaky-relu-layer": "no example has such a layer",
    "adagrad-accumulator": "no example has such an optimizer",
    "nadam-momentum": "no example has such an optimizer",
    "adadelta-numbers": "no example has such an optimizer",
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
