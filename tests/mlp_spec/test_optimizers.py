"""The optimizers of an experiment: Keras's defaults, what `make` builds, and the numbers that are refused."""

import pytest

from mlp_spec.optimizers import LIGHTNING_ONLY, OPTIMIZERS, SGD, Adam, AdamW, RMSprop, TorchAdam, make, to_dict
from mlp_spec.support.errors import UserError


@pytest.mark.parametrize(
    ("optimizer", "numbers"),
    [
        (SGD(), {"learning_rate": 0.01, "momentum": 0.0, "nesterov": False}),
        (Adam(), {"learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7}),
        (AdamW(), {"learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7, "weight_decay": 0.004}),
        (RMSprop(), {"learning_rate": 0.001, "rho": 0.9, "momentum": 0.0, "epsilon": 1e-7}),
        (TorchAdam(), {"learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8}),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_defaults_are_keras_and_a_dictionary_brings_an_optimizer_back(optimizer, numbers):
    assert to_dict(optimizer) == {"name": optimizer.name, **numbers}
    assert make(**to_dict(optimizer)) == optimizer == make(optimizer.name)


def test_every_optimizer_is_listed_under_its_name():
    assert {name: cls.name for name, cls in OPTIMIZERS.items()} == {name: name for name in OPTIMIZERS}
    assert set(OPTIMIZERS) >= {"sgd", "adam", "adamw", "rmsprop"} and {"torch-adam"} == LIGHTNING_ONLY


@pytest.mark.parametrize("name", ["lion", "SGD", ""])
def test_an_unknown_name_is_refused(name):
    with pytest.raises(UserError, match="is unknown; choose one of: adam, adamw, rmsprop, sgd, torch-adam"):
        make(name)


def test_an_unknown_number_is_refused():
    with pytest.raises(UserError, match="'sgd' has no beta_1; it takes: learning_rate, momentum, nesterov"):
        make("sgd", beta_1=0.9)


@pytest.mark.parametrize(
    ("name", "lowest", "refused"),
    [
        ("sgd", {"momentum": 0.0}, {"momentum": 1.0}),
        ("sgd", {"momentum": 0.9, "nesterov": True}, {"nesterov": True}),
        ("adam", {"beta_1": 0.0}, {"beta_1": 1.0}),
        ("adam", {"beta_2": 0.0}, {"beta_2": -0.1}),
        ("adam", {"epsilon": 1e-30}, {"epsilon": 0.0}),
        ("adamw", {"weight_decay": 0.0}, {"weight_decay": -0.1}),
        ("rmsprop", {"rho": 0.0}, {"rho": 1.0}),
        ("rmsprop", {"momentum": 0.0}, {"momentum": -0.5}),
        ("torch-adam", {"learning_rate": 1e-30}, {"learning_rate": 0.0}),
    ],
)
def test_numbers_are_held_to_their_range(name, lowest, refused):
    assert to_dict(make(name, **lowest)).items() >= lowest.items()
    with pytest.raises(UserError, match="--" + next(iter(refused)).replace("_", "-")):
        make(name, **refused)
