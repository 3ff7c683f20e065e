"""Every source file has its test file in the same folders: `mlp_spec/flags.py` has `tests/mlp_spec/test_flags.py`."""

from pathlib import Path

import pytest
from conftest import ROOT

PACKAGES = ("mlp_spec", "keras_reference", "lightning_mlp", "keras_like", "parity")
# Source files that have no test file of their own; whoever writes one takes its line away.
MISSING = {
    "keras_reference/backend.py",
    "keras_reference/callbacks.py",
    "keras_reference/checkpoint.py",
    "keras_reference/data.py",
    "keras_reference/model.py",
    "keras_reference/train.py",
    "lightning_mlp/callbacks.py",
    "lightning_mlp/checkpoint.py",
    "lightning_mlp/device.py",
    "lightning_mlp/fast/updates.py",
    "lightning_mlp/train.py",
    "mlp_spec/optimizers.py",
    "mlp_spec/support/errors.py",
    "parity/adapters/keras/answer.py",
    "parity/adapters/keras/describe.py",
    "parity/adapters/keras/seeds.py",
    "parity/adapters/keras/tensors.py",
    "parity/adapters/torch/answer.py",
    "parity/adapters/torch/record.py",
    "parity/adapters/torch/seeds.py",
    "parity/adapters/torch/tensors.py",
    "parity/causes/data.py",
    "parity/causes/forward.py",
    "parity/causes/found.py",
    "parity/causes/initial_weights.py",
    "parity/causes/lockstep.py",
    "parity/causes/metrics.py",
    "parity/causes/optimizer.py",
    "parity/causes/search.py",
    "parity/numpy_mlp.py",
    "parity/protocol/inputs.py",
    "parity/protocol/seeds.py",
    "parity/protocol/targets.py",
    "parity/report/build.py",
    "parity/report/curves.py",
    "parity/report/markdown.py",
    "parity/report/page/charts.py",
    "parity/report/page/confusion.py",
    "parity/report/page/curves.py",
    "parity/report/page/idioms.py",
    "parity/report/page/images.py",
    "parity/report/page/models.py",
    "parity/report/render.py",
    "parity/report/terminal.py",
    "parity/rungs/check.py",
    "parity/rungs/facts.py",
    "parity/rungs/forward.py",
    "parity/rungs/initial_weights.py",
    "parity/rungs/interchange.py",
    "parity/rungs/lockstep.py",
    "parity/rungs/metrics.py",
    "parity/rungs/optimizer.py",
    "parity/seeds/bands.py",
    "parity/seeds/measures.py",
    "parity/seeds/report.py",
    "parity/seeds/work.py",
    "parity/selftest/alarms.py",
    "parity/selftest/bars.py",
    "parity/selftest/faults.py",
    "parity/selftest/planted/data.py",
    "parity/selftest/planted/models.py",
    "parity/selftest/planted/seeds.py",
    "parity/traps/catalogue/adam.py",
    "parity/traps/catalogue/data.py",
    "parity/traps/catalogue/initial_weights.py",
    "parity/traps/catalogue/model.py",
    "parity/traps/catalogue/optimizer.py",
    "parity/traps/catalogue/steps.py",
    "parity/traps/catalogue/training.py",
    "parity/traps/catalogue/trap.py",
    "parity/traps/command.py",
    "parity/traps/keras_snippets.py",
    "parity/traps/page.py",
    "parity/traps/torch_snippets.py",
}


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
    found = sources_without_tests(ROOT)
    new, done = sorted(found - MISSING), sorted(MISSING - found)
    assert not new, f"write the tests of: {', '.join(new)}"
    assert not done, f"these have tests now; take them out of MISSING: {', '.join(done)}"


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
