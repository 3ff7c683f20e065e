"""Each module of the catalogue holds the traps of the rung that it is named after."""

from dataclasses import replace
from types import ModuleType, SimpleNamespace

import pytest

from parity.rungs import RUNGS
from parity.traps import catalogue

LADDER = list(dict.fromkeys(rung for rungs in RUNGS.values() for rung in rungs))


def misplaced_traps(module: ModuleType) -> list[str]:
    """Returns the ids of a module's traps that belong to another rung than its name says."""
    rung = module.__name__.rpartition(".")[2].replace("_", " ")
    return [trap.id for trap in module.TRAPS if trap.rung != rung]


@pytest.mark.parametrize("module", catalogue.MODULES, ids=lambda module: module.__name__.rpartition(".")[2])
def test_a_module_holds_only_traps_of_its_rung(module):
    assert module.TRAPS
    assert misplaced_traps(module) == []


def test_a_trap_in_the_module_of_another_rung_is_found():
    trap = replace(catalogue.TRAPS["epochs"], rung="metrics")
    module = SimpleNamespace(__name__="parity.traps.catalogue.lockstep", TRAPS=[catalogue.TRAPS["epochs"], trap])
    assert misplaced_traps(module) == ["epochs"]


def test_the_modules_stand_in_the_order_of_the_ladder():
    rungs = [module.__name__.rpartition(".")[2].replace("_", " ") for module in catalogue.MODULES]
    assert rungs == [rung for rung in LADDER if rung in rungs]


def test_no_trap_of_a_module_is_lost():
    assert len(catalogue.TRAPS) == sum(len(module.TRAPS) for module in catalogue.MODULES) >= 60
