"""The import rules, each in a fresh process, also for indirect imports; and what `--help` may load."""

import ast
import re

import pytest
from conftest import ROOT, run_python

FRAMEWORKS = ["torch", "torchvision", "lightning", "tensorflow", "keras"]
HEAVY = [*FRAMEWORKS, "matplotlib", "scipy", "numpy", "jinja2"]
KERAS_SIDE = ["tensorflow", "keras", "keras_reference"]
TORCH_SIDE = ["torch", "torchvision", "lightning", "lightning_mlp"]

IMPORT_ALL = """
import importlib, pkgutil, sys
package = importlib.import_module(sys.argv[1])
names = [name for _, name, _ in pkgutil.walk_packages(package.__path__, package.__name__ + ".")]
for name in names:
    importlib.import_module(name)
assert names, "nothing was imported"
print("LOADED", *(name for name in sys.argv[2:] if name in sys.modules))
"""


def loaded(package: str, *names: str) -> list[str]:
    ended = run_python("-W", "ignore", "-c", IMPORT_ALL, package, *names, cold=True)
    assert ended.status == 0, ended.err
    return ended.out.strip().splitlines()[-1].split()[1:]


@pytest.mark.parametrize(
    ("package", "never"),
    [
        (
            "mlp_spec",
            [*FRAMEWORKS, "scipy", "rich", "matplotlib", "tyro", "keras_reference", "lightning_mlp", "parity"],
        ),
        ("keras_like", [*KERAS_SIDE, "lightning", "lightning_mlp", "mlp_spec", "parity"]),
        ("keras_reference", [*TORCH_SIDE, "parity"]),
        ("lightning_mlp", [*KERAS_SIDE, "parity"]),
        ("parity", [*FRAMEWORKS, "keras_reference", "lightning_mlp"]),
    ],
)
def test_a_package_never_imports(package, never):
    assert loaded(package, *never) == []


def test_the_check_of_imports_sees_indirect_ones():
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


@pytest.mark.parametrize("package", ["mlp_spec", "keras_reference", "lightning_mlp", "keras_like", "notebooks"])
def test_the_lab_never_imports_the_engine_also_inside_functions(package):
    paths = sorted((ROOT / package).rglob("*.py"))
    lines = [line.strip() for path in paths for line in path.read_text().splitlines()]
    assert paths and not [line for line in lines if re.match(r"(from|import) parity\b", line)]


@pytest.mark.parametrize("package", ["keras_reference", "lightning_mlp"])
def test_the_lab_speaks_of_no_measuring(package):
    words = re.compile(r"probe|listen|planted|adapter|snapshot|replay(?!\(\))|parity run", re.IGNORECASE)
    paths = sorted((ROOT / package).rglob("*.py"))
    assert paths and not [(path.name, word) for path in paths for word in words.findall(path.read_text())]


ALLOWED = {
    "keras_reference/model.py": {"keras"},
    "lightning_mlp/model.py": {"itertools", "torch", "lightning", "keras_like.optimizers"},
    "keras_like/optimizers.py": {"torch"},
}


@pytest.mark.parametrize("path", ALLOWED)
def test_a_student_can_copy_the_file_whole(path):
    imported = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            own = node.module.startswith("keras_like")
            imported.add(node.module if own else node.module.split(".")[0])
    assert imported == ALLOWED[path]
