"""Weights are brought back within Keras's constraints after every step, in Keras's layout."""

import pytest
import torch
from sample_built import SETTINGS, make_built

from parity.adapters.torch.undo.constraints import UNDOS

(UNDO,) = UNDOS


def stepped(constraint: dict, layer: str = "dense"):
    """Takes a step of another optimizer than Keras's with a constraint; returns the module and the lines."""
    torch.manual_seed(0)
    settings = {**SETTINGS, layer: {**SETTINGS[layer], "constraints": {"kernel": constraint}}}
    built = make_built(settings=settings)
    optimizer = torch.optim.SGD(built.module.parameters(), 1.0)
    built.optimizers = [optimizer]
    lines = UNDO.change(built)
    built.module(torch.randn(8, 1, 5, 5)).square().sum().backward()
    optimizer.step()
    return built.module, lines


@pytest.mark.parametrize(
    ("constraint", "low", "high"),
    [
        ({"class_name": "MaxNorm", "max_value": 0.5, "axis": 0}, 0.0, 0.5),
        ({"class_name": "UnitNorm", "axis": 0}, 0.999, 1.001),
        ({"class_name": "MinMaxNorm", "min_value": 0.25, "max_value": 0.5, "rate": 1.0, "axis": 0}, 0.249, 0.501),
    ],
)
def test_the_norm_of_every_unit_is_held(constraint, low, high):
    module, (line,) = stepped(constraint)
    norms = module[5].weight.norm(dim=1)  # (units, inputs), in Keras (inputs, units)
    assert ((norms >= low) & (norms <= high)).all()
    assert line.startswith(f"5.weight: after every step, write Keras's {constraint['class_name']}(")


def test_the_axes_of_a_convolution_are_keras_own():
    module, _ = stepped({"class_name": "MaxNorm", "max_value": 0.125, "axis": [0, 1, 2]}, "conv")
    assert (module[0].weight.flatten(1).norm(dim=1) <= 0.1251).all()
    module, _ = stepped({"class_name": "NonNeg"}, "conv")
    assert (module[0].weight >= 0).all() and (module[0].weight == 0).any()


def test_without_a_constraint_or_with_one_of_ones_own_nothing_is_changed():
    assert UNDO.change(make_built()) == [] and stepped({"class_name": "Own"})[1] == []
