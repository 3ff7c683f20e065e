"""Every difference that can be undone has its plant, and every plant changes the right port of each of its examples."""

import sys

import pytest
import torch
from conftest import ROOT

from parity.adapters.torch.undo.candidate import UNDOS
from parity.adapters.torch.undo.configured import optimizers_in
from parity.selftest.planted import plants
from parity.selftest.planted.plant import CNN, EXAMPLES
from parity.selftest.planted.plants import PLANTS, WHY_NONE, of_example


def test_everything_that_can_be_undone_has_a_plant_or_a_line_that_says_why_not():
    planted = {plant.id for plant in PLANTS}
    assert planted | {*WHY_NONE} == {*UNDOS} and not planted & {*WHY_NONE}
    assert all(set(plant.also) <= planted for plant in PLANTS)


def test_plants_of_an_example_have_names_of_their_own():
    for example in EXAMPLES:
        names = [plant.name for plant in of_example(example)]
        assert len(names) == len(set(names)) >= 9
    assert {example for plant in PLANTS for example in plant.examples} == {*EXAMPLES}


@pytest.fixture(scope="module", params=EXAMPLES)
def example(request):
    """An example's name, and its right port; what the example imports has the names of another's."""
    from importlib import util

    names, folder = ("data", "right_port", "pair_right"), ROOT / "examples" / request.param
    before = {name: sys.modules.pop(name, None) for name in names}
    sys.path.insert(0, str(folder))
    spec = util.spec_from_file_location("pair_right", folder / "pair_right.py")
    right = util.module_from_spec(spec)
    spec.loader.exec_module(right)
    yield request.param, right
    sys.path.remove(str(folder))
    for name in names:
        sys.modules.pop(name, None)
        sys.modules.update({name: before[name]} if before[name] else {})


def build(example, *names):
    """Builds a port with some faults."""
    name, right = example
    torch.manual_seed(0)
    return plants.plant_in_module(name, names, right.lightning_module())


def fingerprint(module) -> tuple:
    """Says all that plants may change in a module."""
    optimizers, schedules, _ = optimizers_in(module.configure_optimizers())
    groups = [{key: value for key, value in one.items() if key != "params"} for one in optimizers[0].param_groups]
    numbers = [{key: value for key, value in vars(layer).items() if key[0] != "_"} for layer in module.modules()]
    kinds = [type(layer) for layer in [*module.modules()][1:]]
    methods = {name: value for cls in reversed(type(module).__mro__) for name, value in vars(cls).items()}
    return (
        [value.tolist() for value in module.parameters()], [value.requires_grad for value in module.parameters()],
        str(numbers), kinds, type(optimizers[0]), str(groups),
        [(type(one["scheduler"]), one.get("interval")) for one in schedules],
        {name: value for name, value in methods.items() if callable(value)},
    )  # fmt: skip


def test_every_plant_changes_the_port_alone(example):
    right = fingerprint(build(example))
    assert right == fingerprint(build(example))
    for plant in of_example(example[0]):
        changed = fingerprint(build(example, plant.name)) != right
        other = plants.plant_in_data(example[0], (plant.name,), right) is not right
        options = plants.trainer_options(example[0], (plant.name,), {"gradient_clip_val": 7.0})
        assert changed + other + (options != {"gradient_clip_val": 7.0}) == 1, plant.name


@pytest.mark.filterwarnings("ignore:Using a target size")  # of the fault that broadcasts
def test_every_port_computes_a_loss_with_its_plant(example):
    name, right = example
    for plant in of_example(name):
        module, data = build(example, plant.name), plants.plant_in_data(name, (plant.name,), right.lightning_data())
        data.setup("fit")
        module.log = lambda *arguments, **options: None
        assert torch.isfinite(module.training_step(next(iter(data.train_dataloader())), 0)), plant.name


def test_all_that_go_together_are_planted_together(example):
    name, _ = example
    chosen = []
    for plant in reversed(of_example(name)):
        if plants.are_compatible((*chosen, plant)):
            chosen.append(plant)
    module = build(example, *(plant.name for plant in chosen))
    optimizers, schedules, _ = optimizers_in(module.configure_optimizers())
    assert len(chosen) >= 4 and len(schedules) == 1 and schedules[0]["scheduler"].optimizer is optimizers[0]


def test_two_that_change_the_same_do_not_go_together():
    by_name = {plant.name: plant for plant in of_example(CNN)}
    rate, tenth, epsilon = (by_name[name] for name in ("learning-rate", "learning-rate:tenth", "adam-epsilon"))
    assert plants.are_compatible((rate, epsilon)) and not plants.are_compatible((rate, tenth))
    assert not plants.are_compatible((by_name["adam-for-sgd:sgd"], epsilon))
