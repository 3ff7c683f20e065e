"""The catalogue of traps: an entry for every cause, each in the module of its rung, and complete."""

import ast
import json
import re
from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import ROOT

from parity.adapters.torch.undo.candidate import UNDOS
from parity.rungs import QUESTIONS, lockstep
from parity.selftest.faults import FAULTS
from parity.traps.catalogue import MODULES, TRAPS, collect


def causes_in(source: str) -> set[str]:
    """Returns every identifier that a file of `parity/causes` can give to `Hypothesis.of`."""
    tree = ast.parse(source)
    calls = [
        node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "Hypothesis.of"
    ]
    return {name for call in calls for name in strings(call.args[0], tree)}


def strings(node: ast.expr, tree: ast.Module) -> Iterator[str]:
    """Yields the strings an expression can be: itself, a choice, or what a name is bound to anywhere in the file."""
    if isinstance(node, ast.Constant):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from strings(node.body, tree)
        yield from strings(node.orelse, tree)
    else:
        bound = list(bindings(ast.unparse(node), tree))
        assert bound, f"{ast.unparse(node)} cannot be read: give Hypothesis.of a string, a choice or a loop's variable"
        for value in bound:
            yield from strings(value, tree)


def bindings(name: str, tree: ast.Module) -> Iterator[ast.expr]:
    """Yields what is assigned to a name, and the first items of what it loops over."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == [name]:
            yield node.value
        if isinstance(node, ast.For) and isinstance(node.target, ast.Tuple) and node.target.elts[0].id == name:
            if isinstance(node.iter, ast.Tuple):
                yield from (row.elts[0] for row in node.iter.elts)
            else:  # for cause, ... in TABLE.items()
                (table,) = bindings(ast.unparse(node.iter.func.value), tree)
                yield from table.keys


def test_every_cause_has_an_entry_and_every_entry_a_cause_or_is_undone():
    files = sorted((ROOT / "parity" / "causes").glob("*.py"))
    causes = set().union(*(causes_in(path.read_text()) for path in files))
    assert len(causes) >= 60
    assert causes <= set(TRAPS) <= causes | set(UNDOS)


def test_causes_are_read_however_they_are_given():
    source = """
TABLE = {"in-a-table": 1}
def search(evidence):
    yield Hypothesis.of("alone", "title", 1.0)
    cause = "one" if evidence else "other"
    yield Hypothesis.of(cause, "title", 1.0)
    for name, number in TABLE.items():
        yield Hypothesis.of(name, "title", 1.0)
    for row, number in (("in-a-row", 8), ("in-another", 11)):
        yield Hypothesis.of(row, "title", 1.0)
"""
    assert causes_in(source) == {"alone", "one", "other", "in-a-table", "in-a-row", "in-another"}
    with pytest.raises(AssertionError, match="cannot be read"):
        causes_in("def search(cause):\n    yield Hypothesis.of(cause, 'title', 1.0)")


def test_every_planted_fault_is_of_a_trap_that_is_described():
    assert {cause for fault in FAULTS for cause in fault.causes} <= set(TRAPS)


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
