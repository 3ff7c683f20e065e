"""The catalogue of traps: one entry for every cause, numbers that both frameworks give, and the page made of it."""

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from conftest import ROOT, assert_user_error, run_python

from parity import numpy_mlp as mlp
from parity.rungs import RUNGS, lockstep
from parity.selftest.faults import FAULTS
from parity.traps import command as traps
from parity.traps import page as trap_page
from parity.traps.catalogue import TRAPS
from parity.traps.command import TrapFlags

PAGE = ROOT / traps.PAGE


# ---- every cause has an entry, every entry a cause


def causes_in(source: str) -> set[str]:
    """Returns every identifier that a file of `parity/causes` can give to `Found.of`."""
    tree = ast.parse(source)
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "Found.of"]
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
        assert bound, f"{ast.unparse(node)} cannot be read: give Found.of a string, a choice or a loop's variable"
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


def test_every_cause_has_an_entry_and_every_entry_a_cause():
    files = sorted((ROOT / "parity" / "causes").glob("*.py"))
    found = set().union(*(causes_in(path.read_text()) for path in files))
    assert len(found) >= 60
    assert found == set(TRAPS)


def test_causes_are_read_however_they_are_given():
    source = """
TABLE = {"in-a-table": 1}
def search(evidence):
    yield Found.of("alone", "title", 1.0)
    cause = "one" if evidence else "other"
    yield Found.of(cause, "title", 1.0)
    for name, number in TABLE.items():
        yield Found.of(name, "title", 1.0)
    for row, number in (("in-a-row", 8), ("in-another", 11)):
        yield Found.of(row, "title", 1.0)
"""
    assert causes_in(source) == {"alone", "one", "other", "in-a-table", "in-a-row", "in-another"}
    with pytest.raises(AssertionError, match="cannot be read"):
        causes_in("def search(cause):\n    yield Found.of(cause, 'title', 1.0)")


def test_every_planted_fault_is_of_a_trap_that_is_described():
    assert {cause for fault in FAULTS for cause in fault.causes} <= set(TRAPS)


def test_entries_are_complete():
    assert list(TRAPS) == [trap.id for trap in TRAPS.values()]
    known = {rung for rungs in RUNGS.values() for rung in rungs}
    for trap in TRAPS.values():
        texts = (trap.title, trap.what, trap.keras, trap.other, trap.shows, trap.example.given)
        assert all(texts) and not any("\n" in text or "  " in text for text in texts), trap.id
        assert trap.rung in known and trap.what.endswith(".") and trap.shows.endswith("."), trap.id
        assert "Remedy: " in trap.what and trap.keras != trap.other, trap.id
        assert trap.example.keras != trap.example.other, trap.id


def test_the_checks_that_show_a_trap_are_the_ladders_and_on_its_rung(parity_run):
    report = json.loads((parity_run[0] / "report.json").read_text())
    rung_of = {check["name"]: check["rung"] for check in report["checks"]}
    unequal = lockstep.wrong_steps(np.zeros(1), np.zeros(2))  # a check that is there only if it fails
    rung_of[unequal.name] = unequal.rung
    for trap in TRAPS.values():
        names = re.findall("`([^`]+)`", trap.shows)
        assert names and set(names) <= set(rung_of), trap.id
        assert rung_of[names[0]] == trap.rung, trap.id


# ---- the numbers


@pytest.fixture(scope="module")
def numbers() -> dict:
    """What both frameworks compute, one process each."""
    return {side: traps.computed(side, TRAPS.values()) for side in traps.PACKAGES}


def test_both_frameworks_give_the_stored_numbers(numbers):
    assert traps.differences(TRAPS.values(), numbers) == []


@pytest.mark.parametrize("side", traps.PACKAGES)
def test_a_stored_number_that_is_changed_is_found(numbers, side):
    for trap in TRAPS.values():
        for place in range(3):
            stored = list(getattr(trap.example, side))
            last = 10.0 ** (int(f"{stored[place]:e}".split("e")[1]) - trap.example.digits + 1)
            stored[place] += last  # one unit of the last printed digit
            changed = replace(trap, example=replace(trap.example, **{side: tuple(stored)}))
            (told,) = traps.differences([changed], numbers)
            assert told.startswith(f"{trap.id}, {side}: stored")


def test_numbers_that_are_missing_or_none_are_found():
    trap = TRAPS["adam-epsilon"]
    right = {"keras": {trap.id: list(trap.example.keras)}, "other": {trap.id: list(trap.example.other)}}
    assert traps.differences([trap], right) == []
    for wrong in ([], right["other"][trap.id][:2], [float("nan")] * 3):
        assert len(traps.differences([trap], {**right, "other": {trap.id: wrong}})) == 1


@pytest.mark.parametrize(
    ("stored", "number", "equal"),
    [
        (0.12346, 0.123455, True),
        (0.12346, 0.1234649, True),
        (0.12346, 0.123448, False),
        (-2.0, -2.00004, True),
        (-2.0, -2.0001, False),
        (0.0, 0.0, True),
        (0.0, 1e-12, False),
        (1.0, float("nan"), False),
    ],
)
def test_numbers_are_compared_to_the_last_of_five_digits(stored, number, equal):
    assert traps.same(stored, number, 5) is equal


def test_a_framework_that_fails_is_told(monkeypatch):
    trap = TRAPS["adam-epsilon"]
    broken = replace(trap, example=replace(trap.example, other_code="[1 / 0, 0, 0]"))
    with pytest.raises(traps.UserError, match="adam-epsilon: ZeroDivisionError"):
        traps.computed("other", [broken])


# three steps of one weight from 0, or one step of three weights; what PyTorch gives is what causes are tested with
HYPOTHESES = {
    "adam-epsilon-place": ("adam", {"learning_rate": 1e-3, "epsilon": 1e-7, "outside": True}, [[1e-6, 1e-5, 1e-4]]),
    "adam-epsilon": ("adam", {"learning_rate": 1e-3, "epsilon": 1e-8}, [[1e-6, 1e-5, 1e-4]]),
    "adam-beta-1": ("adam", {"learning_rate": 1e-3, "beta_1": 0.95, "epsilon": 1e-7}, [[1.0], [0.1], [0.01]]),
    "adam-beta-2": ("adam", {"learning_rate": 1e-3, "beta_2": 0.99, "epsilon": 1e-7}, [[1.0], [0.1], [0.01]]),
    "adam-no-correction": (
        "adam",
        {"learning_rate": 1e-3, "epsilon": 1e-7, "corrected": False},
        [[1.0], [0.1], [0.01]],
    ),
    "amsgrad": (
        "adam",
        {"learning_rate": 1e-3, "beta_2": 0.9, "epsilon": 1e-8, "amsgrad": True, "outside": True},
        [[1.0], [0.1], [0.01]],
    ),
    "adam-for-sgd": ("adam", {"learning_rate": 1e-2, "epsilon": 1e-8, "outside": True}, [[1e-3, 0.1, 10.0]]),
    "momentum": ("sgd", {"momentum": 0.9}, [[1.0]] * 3),
    "nesterov": ("sgd", {"momentum": 0.9, "nesterov": True}, [[1.0]] * 3),
    "dampening": ("sgd", {"momentum": 0.9, "torch_momentum": True, "dampening": 0.9}, [[1.0]] * 3),
    "clip-norm": ("sgd", {"learning_rate": 1.0, "clipnorm": 1.0}, [[3.0, 4.0, 12.0]]),
    "clip-value": ("sgd", {"learning_rate": 1.0, "clipvalue": 0.5}, [[0.1, -0.7, 3.0]]),
    "accumulation": ("sgd", {"every": 2}, [[1.0]] * 3),
    "schedule-step": ("sgd", {"rate_at": lambda step: 0.9**step}, [[1.0]] * 3),
    "frozen": ("sgd", {"rate_at": lambda step: 0.0}, [[1.0]] * 3),
    "rmsprop-epsilon-place": (
        "rmsprop",
        {"learning_rate": 1e-3, "rho": 0.9, "epsilon": 1e-7, "outside": True},
        [[1e-4, 1e-3, 1e-2]],
    ),
    "rmsprop-rho": (
        "rmsprop",
        {"learning_rate": 1e-3, "rho": 0.99, "epsilon": 1e-8, "outside": True},
        [[1.0]] * 3,
    ),
}


@pytest.mark.parametrize("cause", HYPOTHESES)
def test_a_hypothesis_computes_what_pytorch_does(cause):
    name, numbers, gradients = HYPOTHESES[cause]
    defaults = {"learning_rate": 0.01, "beta_1": 0.9, "beta_2": 0.999}
    optimizer, weights, seen = mlp.Optimizer(name, {**defaults, **numbers}), {"w": np.zeros(len(gradients[0]))}, []
    for gradient in gradients:
        weights = optimizer.step(weights, {"w": np.array(gradient)})
        seen.append(weights["w"])
    example = TRAPS[cause].example
    assert np.concatenate(seen) == pytest.approx(example.other, rel=2 * 10.0 ** (1 - example.digits))


# ---- the page


def test_the_committed_page_is_the_rendered_catalogue():
    assert PAGE.read_text(encoding="utf-8") == trap_page.render(TRAPS.values()), "run python -m parity traps"


def test_the_page_holds_every_trap_once_and_its_links_lead_somewhere():
    page = trap_page.render(TRAPS.values())
    headings = re.findall(r"^### (\S+)$", page, re.MULTILINE)
    assert sorted(headings) == sorted(TRAPS)
    assert re.findall(r"\]\(#(\S+)\)", page) == headings
    for trap in TRAPS.values():
        assert all(part in page for part in trap.what.split("Remedy:")), trap.id
        assert trap.shows in page and trap.example.keras_code in page and trap.example.other_code in page, trap.id
    rows = [line for line in page.splitlines() if line.startswith("|")]
    assert len(rows) == 4 * len(TRAPS)
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {5}


def test_a_trap_on_no_rung_is_refused():
    with pytest.raises(KeyError):
        trap_page.render([replace(TRAPS["frozen"], rung="cellar")])


def test_the_command_writes_the_page(tmp_path):
    ended = run_python("-m", "parity", "traps", "--output", tmp_path / "traps.md")
    assert ended.status == 0 and f"{len(TRAPS)} traps" in ended.out, ended
    assert (tmp_path / "traps.md").read_text(encoding="utf-8") == trap_page.render(TRAPS.values())


def test_the_command_refuses_a_folder_that_is_not_there(tmp_path):
    assert_user_error(run_python("-m", "parity", "traps", "--output", tmp_path / "no" / "traps.md"), "no folder")


def test_the_check_tells_a_stale_page(tmp_path, numbers, monkeypatch, capsys):
    monkeypatch.setattr(traps, "computed", lambda side, asked: numbers[side])  # computed once is enough
    page = tmp_path / "traps.md"
    assert traps.run(TrapFlags(output=str(page))) == 0
    assert traps.run(TrapFlags(check=True, output=str(page))) == 0
    assert "all as computed" in capsys.readouterr().out
    page.write_text(page.read_text() + "more\n")
    assert traps.run(TrapFlags(check=True, output=str(page))) == 1
    assert "is not what the catalogue gives" in capsys.readouterr().out
