"""Targets: a user's own class or function, named on the command line."""

import importlib
import importlib.util
import sys
import time
from functools import cache
from importlib.machinery import PathFinder
from pathlib import Path

from mlp_spec.support.errors import UserError

LONG_IMPORT = 5.0  # seconds; the frameworks are imported before


def check(flag: str, target: str | None) -> None:
    """Checks a target's form and that its file exists, without running any of it.

    Raises:
        UserError: it is neither `package.module:Name` nor `path/to/file.py:Name`.
    """
    if target is None:
        return
    source, separator, name = target.rpartition(":")
    if not separator or not source or not name.isidentifier():
        raise UserError(f"{flag} {target!r} is no target; write package.module:Name or path/to/file.py:Name")
    if source.endswith(".py"):
        if not Path(source).is_file():
            raise UserError(f"{flag} {target}: there is no file {source}")
        check_name(source)


def check_name(path: str) -> None:
    """Checks that a file's name hides no package: what imports that would get the file.

    Raises:
        UserError: it does.
    """
    stem = Path(path).stem
    installed = [folder for folder in sys.path if "site-packages" in folder or "dist-packages" in folder]
    if stem in sys.stdlib_module_names or PathFinder.find_spec(stem, installed):
        raise UserError(
            f"{path} has the name of the package {stem}, and would be imported in its place; rename the file"
        )


def load(target: str):
    """Imports a target; runs the user's code, once a process.

    Raises:
        UserError: the module cannot be found, or has no such name.
        Exception: whatever the module raises while it is imported.
    """
    check("target", target)
    source, _, name = target.rpartition(":")
    module = load_source(source)
    if not hasattr(module, name):
        names = ", ".join(sorted(key for key in vars(module) if not key.startswith("_"))[:20])
        raise UserError(f"target {target}: {source} has no {name}; it has: {names or 'nothing'}")
    return getattr(module, name)


@cache
def load_source(source: str):
    """Imports a module by its name, or a file by its path; a script that trains when it is imported trains once.

    Raises:
        UserError: there is no such module.
        Exception: whatever it raises.
    """
    started = time.monotonic()
    if source.endswith(".py"):
        path = Path(source).resolve()
        sys.path.insert(0, str(path.parent))  # so that it finds its neighbours
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[path.stem] = module
        spec.loader.exec_module(module)
    else:
        sys.path.insert(0, str(Path.cwd()))
        try:
            module = importlib.import_module(source)
        except ModuleNotFoundError as error:
            if error.name and (source == error.name or source.startswith(f"{error.name}.")):
                raise UserError(f"{source}: there is no module {error.name}") from error
            raise
    if (seconds := time.monotonic() - started) > LONG_IMPORT:
        from parity.protocol.task import send

        advice = 'what trains or loads data stands best below if __name__ == "__main__":'
        send("note", text=f"{source} took {seconds:.0f} s to import; {advice}")
    return module
