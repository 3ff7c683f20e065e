"""The examples: right ports have parity, first ports fail where their README says, and each side stands alone."""

import ast
import json
import re

import pytest
from conftest import ROOT, run_python

from examples.measure import EXAMPLES, HERE, noise_floors

FILES = ("data", "keras_model", "first_port", "right_port", "pair_first", "pair_right")
# What each file may import, beside its neighbours.
IMPORTS = {
    "data": {"sklearn", "numpy", "collections", "re"},
    "keras_model": {"keras"},
    "first_port": {"torch", "lightning"},
    "right_port": {"torch", "lightning", "keras_like"},
}
README = (HERE / "README.md").read_text()


def quick_check(name, port, folder):
    """Checks a pair at the quick level, and explains what fails; returns how it ended and its report."""
    flags = ("--level", "quick", "--output-dir", folder / "run")
    ended = run_python("-m", "parity", "check", HERE / name / f"pair_{port}.py", *flags)
    return ended, json.loads((folder / "run" / "report.json").read_text())


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_right_port_has_parity(name, tmp_path):
    ended, report = quick_check(name, "right", tmp_path)
    assert ended.status == 0 and report["verdict"] == "pass", ended.out
    steps = [one for one in report["checks"] if "judged_steps" in one]
    assert len(steps) == 2 and all(noise_floors(one) < 3 and one["judged_steps"] >= 160 for one in steps), steps


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_first_port_fails_at_the_checks_that_its_readme_names(name, tmp_path):
    ended, report = quick_check(name, "first", tmp_path)
    named = re.findall(r"^\| `([\w/-]+)` ", failures_of(name), re.MULTILINE)
    assert ended.status == 1 and named, ended.out
    assert [one["id"] for one in report["checks"] if one["status"] == "fail"] == named
    assert report["differences"]["left"] == [] and "undone, the pair is in parity." in ended.out


def failures_of(name):
    """Returns the part of an example's README that speaks of its first port."""
    readme = (HERE / name / "README.md").read_text()
    return readme.partition("**The first port:")[2].partition("**The right port:")[0]


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_what_the_readme_says(name):
    assert {path.stem for path in (HERE / name).glob("*.py")} == set(FILES)
    assert f"[`{name}`]({name}/README.md)" in README
    for stem in FILES:
        assert f"`{stem}.py`" in README
    for port in ("first", "right"):
        lines = [line for line in (HERE / name / f"pair_{port}.py").read_text().splitlines() if line.strip()]
        assert len([line for line in lines if " import " not in line]) <= 15


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_side_imports_its_own_framework(name):
    for stem, allowed in IMPORTS.items():
        tree = ast.parse((HERE / name / f"{stem}.py").read_text())
        nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
        names = {n for node in nodes for n in ([node.module] if isinstance(node, ast.ImportFrom) else names_of(node))}
        assert {name.split(".")[0] for name in names} <= allowed | {"data"}, stem


def names_of(node):
    """Returns what an import statement imports."""
    return [alias.name for alias in node.names]


@pytest.mark.parametrize("line", re.findall(r"^python (examples/\S+\.py)", README, re.MULTILINE))
def test_a_side_trains_on_its_own(line, tmp_path):
    ended = run_python(ROOT / line, cwd=tmp_path)
    assert ended.status == 0, ended.err
    assert not list(tmp_path.iterdir())  # no checkpoint, no log
