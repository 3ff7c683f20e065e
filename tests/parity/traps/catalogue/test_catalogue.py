"""The catalogue of traps: each entry in the module of its rung, and complete."""

import json
import re
from types import SimpleNamespace

import numpy as np
import pytest

from parity.adapters.torch.undo.candidate import UNDOS
from parity.rungs import QUESTIONS, lockstep
from parity.selftest.faults import FAULTS
from parity.traps.catalogue import MODULES, TRAPS, collect
from parity.traps.layers.catalogue import DIFFERENCES


def test_every_trap_is_undone_or_says_why_not():
    assert {id for id, trap in TRAPS.items() if not trap.not_undone} == set(TRAPS) & set(UNDOS)


def test_every_planted_fault_is_of_a_trap_that_is_described():
    assert {cause for fault in FAULTS for cause in fault.causes} <= {*TRAPS, *DIFFERENCES}


def test_entries_are_complete():
    assert list(TRAPS) == [trap.id for trap in TRAPS.values()]
    for trap in TRAPS.values():
        texts = (trap.title, trap.what, trap.keras, trap.port, trap.shows, trap.inputs)
        assert all(texts) and not any("\n" in text or "  " in text for text in texts), trap.id
        assert trap.rung in QUESTIONS and trap.what.endswith(".") and trap.shows.endswith("."), trap.id
        assert "Remedy: " in trap.what and trap.keras != trap.port, trap.id
        assert trap.keras_numbers != trap.port_numbers, trap.id


def test_the_checks_that_show_a_trap_are_the_ladders_and_on_its_rung(parity_run):
    report = json.loads((parity_run[0] / "report.json").read_text())
    rung_of = {check["name"]: check["rung"] for check in report["checks"]}
    unequal = lockstep.wrong_steps(np.zeros(1), np.zeros(2))  # a check that is there only if it fails
    rung_of[unequal.name] = unequal.rung
    for trap in TRAPS.values():
        names = re.findall("`([^`]+)`", trap.shows)
        assert names and set(names) <= set(rung_of), trap.id
        assert rung_of[names[0]] == trap.rung, trap.id


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.rpartition(".")[2])
def test_the_traps_of_a_module_are_on_its_rung(module):
    rung = module.__name__.rpartition(".")[2].replace("_", " ")
    assert {TRAPS[trap.id].rung for trap in module.TRAPS} == {rung}


def test_a_trap_in_the_module_of_another_rung_is_on_that_one():
    module = SimpleNamespace(__name__="parity.traps.catalogue.initial_weights", TRAPS=[TRAPS["epochs"]])
    assert collect([module])["epochs"].rung == "initial weights"


def test_the_modules_stand_in_the_order_of_the_ladder():
    rungs = [module.__name__.rpartition(".")[2].replace("_", " ") for module in MODULES]
    assert rungs == [rung for rung in QUESTIONS if rung in rungs]


def test_no_trap_of_a_module_is_lost():
    assert len(TRAPS) == sum(len(module.TRAPS) for module in MODULES) >= 60
