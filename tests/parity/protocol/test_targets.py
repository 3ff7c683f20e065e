"""Targets: a user's own class or function is found by its name, or one message says why not."""

import sys

import pytest

from mlp_spec.support.errors import UserError
from parity.protocol import pair_file, targets
from parity.protocol.task import received


@pytest.fixture
def port(tmp_path, monkeypatch):
    """A user's file with a neighbour, in a folder of its own."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "neighbour_of_the_port.py").write_text("NUMBER = 7\n")
    path = tmp_path / "own_port.py"
    path.write_text("from neighbour_of_the_port import NUMBER\nclass Mine:\n    number = NUMBER\n")
    yield path
    targets.load_source.cache_clear()
    for name in ("own_port", "neighbour_of_the_port"):
        sys.modules.pop(name, None)


def test_a_file_is_loaded_with_its_neighbours(port):
    assert targets.load(f"{port}:Mine").number == 7


def test_a_script_that_trains_when_it_is_imported_trains_once(port, capsys):
    port.write_text("print('training ...')\nclass Mine: pass\nclass Data: pass\n")
    first, again, data = (targets.load(f"{port}:{name}") for name in ("Mine", "Mine", "Data"))
    assert first is again and data.__module__ == first.__module__
    assert capsys.readouterr().out == "training ...\n"


def test_a_long_import_is_said(port, capsys, monkeypatch):
    targets.load(f"{port}:Mine")
    assert "to import" not in capsys.readouterr().out
    targets.load_source.cache_clear()
    monkeypatch.setattr(targets, "LONG_IMPORT", 0.0)
    targets.load(f"{port}:Mine")
    assert received(capsys.readouterr().out.strip()) == {
        "event": "note",
        "text": f'{port} took 0 s to import; what trains or loads data stands best below if __name__ == "__main__":',
    }


def test_a_module_is_loaded_by_its_name():
    assert targets.load("parity.protocol.targets:check") is targets.check


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("no.such.module:Mine", "there is no module no"),
        ("parity.no_such:Mine", "there is no module parity.no_such"),
        (
            "parity.protocol.targets:Mine",
            "parity.protocol.targets has no Mine; it has: LONG_IMPORT, Path, PathFinder, UserError",
        ),
        ("nonsense", "is no target; write package.module:Name or path/to/file.py:Name"),
    ],
)
def test_a_target_that_cannot_be_found_is_refused(target, words):
    with pytest.raises(UserError) as caught:
        targets.load(target)
    assert words in str(caught.value)


def test_a_file_without_the_name_says_what_it_has(port):
    with pytest.raises(UserError, match=r"has no Other; it has: Mine, NUMBER"):
        targets.load(f"{port}:Other")


def test_what_the_users_code_raises_is_raised(port):
    port.write_text("import a_module_that_the_user_forgot\n")
    with pytest.raises(ModuleNotFoundError, match="a_module_that_the_user_forgot"):
        targets.load(f"{port}:Mine")


@pytest.mark.parametrize("target", [None, "package.module:Name", "a.b:_private"])
def test_a_target_is_checked_by_its_form_alone(target):
    targets.check("--candidate", target)


@pytest.mark.parametrize("target", ["nonsense", ":Name", "module:", "module:two words", "file.py", "module:1"])
def test_another_form_is_refused_with_the_flag(target):
    with pytest.raises(UserError, match=f"--candidate '{target}' is no target"):
        targets.check("--candidate", target)


@pytest.mark.parametrize("name", ["lightning", "keras", "random"])
def test_a_file_that_hides_a_package_is_refused(name, tmp_path):
    path = tmp_path / f"{name}.py"
    path.touch()
    with pytest.raises(UserError, match=rf"{name}.py has the name of the package {name}, .*; rename the file"):
        targets.check("--candidate", f"{path}:Mine")
    with pytest.raises(UserError, match="rename the file"):
        pair_file.check(str(path))


def test_a_file_that_is_not_there_is_refused_before_anything_runs(tmp_path):
    with pytest.raises(UserError, match=r"--reference .*none.py:Mine: there is no file"):
        targets.check("--reference", f"{tmp_path}/none.py:Mine")
    trap = tmp_path / "trap.py"
    trap.write_text("raise SystemExit('it ran')\n")
    targets.check("--reference", f"{trap}:Mine")
