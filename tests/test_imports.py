"""The import rules: read from every file, and seen in a fresh process, also for indirect ones; what `--help` loads."""

import ast
import re
from collections.abc import Iterator

import pytest
from conftest import ROOT, run_python

FRAMEWORKS = ["torch", "torchvision", "lightning", "tensorflow", "keras", "jax"]
HEAVY = [*FRAMEWORKS, "matplotlib", "scipy", "numpy", "jinja2", "typeguard", "importlib.metadata"]
KERAS_SIDE = ["tensorflow", "keras", "jax", "keras_reference"]
TORCH_SIDE = ["torch", "torchvision", "lightning", "lightning_mlp", "keras_like"]
LAB = ["mlp_spec", "keras_reference", "lightning_mlp", "keras_like"]
# Where parity may import a framework: these run in a worker process of that framework.
WORKERS = ["parity.adapters.keras", "parity.adapters.torch", "parity.selftest.planted", "parity.traps.evaluate"]
WORKERS += ["parity.template"]  # a user's file: it is copied, and never imported here


# ---- what stands in the files, wherever in them


def imports_in(source: str) -> set[str]:
    """Returns every module that code imports, at its top or inside a function, with the names from it."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def is_in(module: str, rooms: list[str]) -> bool:
    """Says whether a module is one of these, or below one."""
    return any(module == room or module.startswith(f"{room}.") for room in rooms)


def modules_of(room: str) -> Iterator[tuple[str, str]]:
    """Yields the name and the code of every module of a room: a package or a module."""
    place = ROOT / room.replace(".", "/")
    for path in sorted(place.rglob("*.py")) if place.is_dir() else [place.with_suffix(".py")]:
        yield ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"), path.read_text()


def broken(room: str, never: list[str], without: tuple[str, ...] = ()) -> list[str]:
    """Returns in words every import in a room that is against its rule."""
    modules = [(name, source) for name, source in modules_of(room) if not is_in(name, list(without))]
    assert modules, f"there is no {room}"
    return [
        f"{name} imports {imported}"
        for name, source in modules
        for imported in sorted(imports_in(source))
        if is_in(imported, never)
    ]


@pytest.mark.parametrize("package", [*LAB, "notebooks"])
def test_the_lab_never_imports_the_engine(package):
    assert broken(package, ["parity"]) == []


def test_the_engine_imports_no_framework_but_in_its_workers():
    assert broken("parity", [*FRAMEWORKS, "keras_like"], tuple(WORKERS)) == []


@pytest.mark.parametrize(
    ("room", "never"),
    [
        ("mlp_spec", [*KERAS_SIDE, *TORCH_SIDE]),
        ("keras_reference", [module for module in TORCH_SIDE if module != "torch"]),
        ("lightning_mlp", KERAS_SIDE),
        ("keras_like", [*KERAS_SIDE, "lightning", "torchvision", "lightning_mlp", "mlp_spec"]),
        ("parity.adapters.keras", [*TORCH_SIDE, "parity.adapters.torch"]),
        ("parity.adapters.torch", [*KERAS_SIDE, "parity.adapters.keras"]),
        ("parity.selftest.planted", KERAS_SIDE),
    ],
)
def test_a_side_never_imports_the_other(room, never):
    assert broken(room, never) == []


def test_keras_reference_imports_torch_only_to_start_keras_on_it():
    assert broken("keras_reference", ["torch"], ("keras_reference.backend",)) == []


def test_the_rules_see_an_import_wherever_it_stands():
    source = "import numpy\ndef answer():\n    from parity.adapters import torch\n    import keras.ops as ops\n"
    assert imports_in(source) >= {"numpy", "parity.adapters", "parity.adapters.torch", "keras.ops"}
    assert is_in("keras.ops", KERAS_SIDE) and not is_in("keras_like.optimizers", KERAS_SIDE)
    assert broken("lightning_mlp", ["torch"]) and broken("parity.adapters.keras", ["keras"])


# ---- what is loaded when a package is imported


IMPORT_ALL = """
import importlib, pkgutil, sys
package = importlib.import_module(sys.argv[1])
names = [name for _, name, _ in pkgutil.walk_packages(package.__path__, package.__name__ + ".")]
names = [name for name in names if not name.startswith(tuple(sys.argv[2].split(",")))]
for name in names:
    importlib.import_module(name)
assert names, "nothing was imported"
print("LOADED", *(name for name in sys.argv[3:] if name in sys.modules))
"""


def loaded(package: str, *names: str) -> list[str]:
    """Imports every module of a package, but for the workers; returns which of some modules are loaded then."""
    ended = run_python("-W", "ignore", "-c", IMPORT_ALL, package, ",".join(WORKERS), *names, cold=True)
    assert ended.status == 0, ended.err
    return ended.out.strip().splitlines()[-1].split()[1:]


@pytest.mark.parametrize(
    ("package", "never"),
    [
        ("mlp_spec", [*KERAS_SIDE, *TORCH_SIDE, "scipy", "rich", "matplotlib", "tyro", "parity"]),
        ("keras_reference", [*TORCH_SIDE, "parity"]),
        ("lightning_mlp", ["tensorflow", "keras", "keras_reference", "parity"]),
        ("keras_like", ["lightning", "torchvision", "tensorflow", "keras", "mlp_spec", "lightning_mlp", "parity"]),
        ("parity", [*KERAS_SIDE, *TORCH_SIDE]),
    ],
)
def test_a_package_never_loads(package, never):
    assert loaded(package, *never) == []


def test_the_check_of_what_is_loaded_sees_indirect_imports():
    assert loaded("lightning_mlp", "torch", "mlp_spec") == ["torch", "mlp_spec"]


TRAIN_AND_LIST = """
import sys
from lightning_mlp import train
status = train.main(["--dataset", "mnist-sample", "--epochs", "1", "--output-dir", sys.argv[1]])
print("LOADED", status, *(name for name in ("tensorflow", "keras", "tensorboard") if name in sys.modules))
"""


def test_training_in_lightning_never_loads_tensorflow(tmp_path):
    ended = run_python("-c", TRAIN_AND_LIST, tmp_path / "run", cold=True)
    assert ended.out.strip().splitlines()[-1] == "LOADED 0", ended


def test_keras_trains_without_torch(tmp_path):
    code = TRAIN_AND_LIST.replace("lightning_mlp", "keras_reference").replace(
        '"tensorflow", "keras"', '"torch", "lightning"'
    )
    ended = run_python("-c", code, tmp_path / "run", cold=True)
    assert ended.out.strip().splitlines()[-1] == "LOADED 0", ended


@pytest.mark.parametrize("module", ["keras_reference.train", "lightning_mlp.train", "parity"])
def test_help_loads_nothing_heavy(module):
    code = (
        "import runpy, sys\n"
        f"sys.argv = ['x', '--help']\n"
        f"try: runpy.run_module({module!r}, run_name='__main__', alter_sys=True)\n"
        "except SystemExit as end: print('LOADED', end.code, *(name for name in sys.argv[2:] or "
        f"{HEAVY!r} if name in sys.modules))"
    )
    ended = run_python("-c", code, cold=True)
    assert "--hidden-sizes" in ended.out and "--accelerator" in ended.out
    assert ended.out.strip().splitlines()[-1] == "LOADED 0", ended


@pytest.mark.parametrize("package", ["keras_reference", "lightning_mlp"])
def test_the_lab_speaks_of_no_measuring(package):
    words = re.compile(r"probe|listen|planted|adapter|snapshot|replay(?!\(\))|parity run", re.IGNORECASE)
    paths = sorted((ROOT / package).rglob("*.py"))
    assert paths and not [(path.name, word) for path in paths for word in words.findall(path.read_text())]


# A student can copy these and lay them side by side.
COPIED = {
    "keras_reference/model.py": {"keras"},
    "lightning_mlp/model.py": {"itertools", "torch", "lightning", "keras_like"},
    "keras_like/optimizers.py": {"torch"},
    "keras_like/initializers.py": {"math", "torch"},
    "keras_like/normalization.py": {"torch"},
    "keras_like/padding.py": {"math", "torch"},
}


@pytest.mark.parametrize("path", COPIED)
def test_a_student_can_copy_the_file_whole(path):
    imported = imports_in((ROOT / path).read_text())
    assert {name.split(".")[0] for name in imported} == COPIED[path]
    own = {name for name in imported if name.startswith("keras_like.")}
    assert all(name.startswith("keras_like.optimizers") for name in own)
