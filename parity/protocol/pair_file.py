"""Pair files: a Keras model, the LightningModule that replaces it, and the data of both, as a user has them.

A pair file is Python: functions without arguments that import their framework inside, and a few constants. It is read
before anything starts, and run in each framework's process alone.
"""

import ast
import difflib
import hashlib
from pathlib import Path

from mlp_spec.support.errors import UserError
from parity.protocol import targets

FUNCTIONS = ("keras_model", "keras_data", "lightning_module", "lightning_data")
OPTIONAL = ("keras_fit", "lightning_trainer", "lightning_output")
CONSTANTS = {"EPOCHS": int, "BATCH_SIZE": int, "METRICS": dict, "WEIGHTS": dict, "ACCEPT": list}
NEAR = 0.8  # of 1: how alike a name must be to be a mistyped one


def check(path: str) -> str:
    """Checks that a file is a pair file, without running any of it; returns its SHA-256.

    Raises:
        UserError: there is no such file, it is no Python, or a function is missing.
    """
    if not path.endswith(".py") or not Path(path).is_file():
        raise UserError(f"there is no pair file {path}; give the path of a Python file")
    targets.check_name(path)
    source = Path(path).read_bytes()
    try:
        tree = ast.parse(source)
        compile(source, path, "exec")  # what only this refuses, such as `import *` in a function
    except SyntaxError as error:
        raise UserError(f"{path}, line {error.lineno}: {error.msg}") from error
    names = names_in(tree)
    if "*" not in names:  # what `from ... import *` brings is seen when the file is run
        check_functions(path, names)
    return hashlib.sha256(source).hexdigest()


def check_functions(path: str, names: set[str]) -> None:
    """Checks that a pair file's names have all functions.

    Raises:
        UserError: one is missing.
    """
    if missing := [name for name in FUNCTIONS if name not in names]:
        needed = ", ".join(f"{name}()" for name in FUNCTIONS)
        raise UserError(f"{path} has no {', '.join(f'{name}()' for name in missing)}; a pair file has {needed}")
    known = [*CONSTANTS, *OPTIONAL]
    for name in sorted(names - {*known, *FUNCTIONS}):
        if near := difflib.get_close_matches(name, known, 1, NEAR):
            raise UserError(f"{path}: {name} says nothing here; write {near[0]} if that is meant, else another name")


def names_in(tree: ast.AST) -> set[str]:
    """Returns the names that a module defines at its top: functions, imported names, and what is assigned."""
    names = set()
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif not isinstance(node, ast.Lambda | ast.ListComp | ast.DictComp | ast.SetComp | ast.GeneratorExp):
            names |= names_in(node)
    return names


MAPS = {
    "METRICS": "a dictionary from Keras's names to the logged ones, such as {'val_accuracy': 'val_acc'}",
    "WEIGHTS": "a dictionary from Keras's paths to the module's names, such as {'conv2d/kernel': 'features.0.weight'}, "
    "or to pairs of a name and the order of axes, such as ('scale', (1, 0))",
}


def is_constant(name: str, value: object) -> bool:
    """Says whether a value is what a constant of a pair file may be."""
    kind = CONSTANTS[name]
    if kind is int:
        return type(value) is int and value >= 1
    if kind is list:
        return isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        return False
    return all(isinstance(item, str) or (name == "WEIGHTS" and is_turned(item)) for item in value.values())


def is_turned(item: object) -> bool:
    """Says whether a weight is named with the order of its axes."""
    if not isinstance(item, tuple | list) or len(item) != 2 or not isinstance(item[0], str):
        return False
    return isinstance(item[1], tuple | list) and sorted(item[1]) == list(range(len(item[1])))


def check_again(what: str, first: list[tuple[str, tuple]], again: list[tuple[str, tuple]]) -> None:
    """Checks that a function has built the same model again: as many tensors, of the same shapes, in the same order.

    Args:
        what: how the function is called in a message.
        first, again: the names and shapes of what it built first, and of what it has built now.

    Raises:
        UserError: it built another one; names the first difference.
    """  # fmt: skip
    pairs = zip(first, again, strict=False)
    different = [f"{a} {x} at first, then {b} {y}" for (a, x), (b, y) in pairs if x != y]
    if len(first) != len(again):
        different.append(f"{len(first)} tensors at first, then {len(again)}")
    if different:
        raise UserError(f"{what} another one at a later call ({different[0]}); it must build the same one every time")


class PairFile:
    """A pair file that was run.

    Args:
        path: of the file.

    Raises:
        UserError: a function is missing, or a constant is of another kind.
        Exception: whatever the file raises when it is imported.
    """

    def __init__(self, path: str):
        self.path, self.module = path, targets.load_source(path)
        check_functions(path, set(vars(self.module)))
        for name, kind in CONSTANTS.items():
            value = getattr(self.module, name, None)
            if value is not None and not is_constant(name, value):
                must = {int: "a whole number of at least 1", list: "a list of ids of checks", dict: MAPS.get(name)}
                raise UserError(f"{path}: {name} is {value!r}; it must be {must[kind]}")

    def where(self, name: str) -> str:
        """Says what a function is called in a message, with its file."""
        return f"{self.path}: {self.title(name)}"

    def title(self, name: str) -> str:
        """Says what a function is called where its file is known."""
        return f"{name}()"

    def constant(self, name: str):
        """Returns a constant of `CONSTANTS`; None where the file has none."""
        return getattr(self.module, name, None)

    def call(self, name: str, *arguments):
        """Calls a function of the file.

        Raises:
            UserError: it returned nothing.
            Exception: whatever it raises.
        """
        value = getattr(self.module, name)(*arguments)
        if value is None:
            raise UserError(f"{self.where(name)} returned nothing")
        return value

    def options(self, name: str, allowed: tuple[str, ...]) -> dict:
        """Returns the keyword arguments that an optional function gives; empty where the file has none.

        Raises:
            UserError: it returned no dictionary, or an argument that is not replayed here.
        """
        function = getattr(self.module, name, None)
        given = function() if function else {}
        if not isinstance(given, dict):
            raise UserError(f"{self.where(name)} returned {type(given).__name__}; it must return a dictionary")
        if extra := sorted(given.keys() - set(allowed)):
            must = f"which cannot be compared; allowed: {', '.join(allowed)}"
            raise UserError(f"{self.where(name)} returned {', '.join(extra)}, {must}")
        return given
