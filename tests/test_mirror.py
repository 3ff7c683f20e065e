"""Every source file has its test file in the same folders: `mlp_spec/flags.py` has `tests/mlp_spec/test_flags.py`."""

from pathlib import Path

import pytest
from conftest import ROOT

PACKAGES = ("mlp_spec", "keras_reference", "lightning_mlp", "keras_like", "parity")


def place_of_tests(source: Path) -> Path:
    """Returns where a source file's tests belong; both are relative to the repository."""
    name = "main" if source.stem == "__main__" else source.stem
    return Path("tests") / source.parent / f"test_{name}.py"


def sources_without_tests(root: Path) -> set[str]:
    """Returns the source files that have no test file, relative to `root`."""
    sources = [path.relative_to(root) for package in PACKAGES for path in (root / package).rglob("*.py")]
    assert sources, f"there is no source file in {root}"
    return {
        str(source)
        for source in sources
        if source.name != "__init__.py" and not (root / place_of_tests(source)).exists()
    }


def test_every_source_file_has_its_test_file():
    missing = sorted(sources_without_tests(ROOT))
    assert not missing, f"write the tests of: {', '.join(missing)}"


@pytest.mark.parametrize(
    ("source", "test"),
    [
        ("parity/__main__.py", "tests/parity/test_main.py"),
        ("parity/seeds/store.py", "tests/parity/seeds/test_store.py"),
        ("mlp_spec/flags.py", "tests/mlp_spec/test_flags.py"),
    ],
)
def test_a_test_file_lies_in_the_same_folders(source, test):
    assert place_of_tests(Path(source)) == Path(test)


def test_a_source_file_without_tests_is_named(tmp_path):
    for path in ("parity/a.py", "parity/__init__.py", "parity/seeds/b.py", "tests/parity/test_a.py", "other/c.py"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    assert sources_without_tests(tmp_path) == {"parity/seeds/b.py"}
