"""The command `python -m parity.adapters.keras`: it answers what it is asked, and imports Keras only to do so."""

import json

import pytest
import sample_pairs
from conftest import run_python

from parity.check import CheckFlags
from parity.process import ask
from parity.protocol.task import SnippetsTask, Task


def test_snippets_are_evaluated_on_the_cpu_in_float32(tmp_path):
    code = "import keras\nkeras.ops.convert_to_numpy(keras.ops.ones(3) * 2)"
    task = Task(("snippets",), str(tmp_path), snippets=SnippetsTask("", {"sum": code}))
    path = task.write(tmp_path / "keras.json")
    side = ask("keras", task, path, 300.0)
    assert side.errors == {} and side.parts["snippets"].numbers == {"sum": [2.0, 2.0, 2.0]}


def test_without_a_readable_task_it_ends_with_an_error(tmp_path):
    ended = run_python("-m", "parity.adapters.keras", tmp_path / "none.json")
    assert ended.status != 0 and "none.json" in ended.err


@pytest.mark.parametrize("module", ["parity.adapters.keras.__main__", "parity.adapters.keras.reference"])
def test_importing_it_imports_no_keras(module):
    code = f"import {module}, sys; print([name for name in ('keras', 'tensorflow', 'torch') if name in sys.modules])"
    assert run_python("-c", code, cold=True).out.strip() == "[]"


def test_a_pair_file_runs_on_the_backend_that_is_asked_for(tmp_path):
    # not only the record says so: it did while Keras ran on TensorFlow
    asserted = (
        "    import keras, sys\n    assert keras.backend.backend() == 'jax' and 'tensorflow' not in sys.modules\n"
    )
    path = tmp_path / "pair.py"
    path.write_text(sample_pairs.WORDS.replace("    import keras\n", asserted))
    task = Task(("facts",), str(tmp_path), CheckFlags(str(path)).pair(), level="quick", backend="jax")
    side = ask("keras", task, task.write(tmp_path / "keras.json"), 300.0)
    assert side.errors == {} and side.parts["facts"].environment["packages"].keys() == {"keras", "jax", "numpy"}


EXACT = """
import json, sys
from keras_reference import backend
backend.start("cpu", "float64", sys.argv[1])
import keras, numpy as np
from parity.adapters.keras.__main__ import keep_float64

rows = np.random.default_rng(0).normal(3, 1, (40, 5, 6))


def departure():
    out = keras.ops.convert_to_numpy(keras.layers.BatchNormalization(epsilon=0.0)(rows, training=True))
    exact = (rows - rows.mean((0, 1))) / rows.std((0, 1))
    tanh = keras.ops.convert_to_numpy(keras.ops.tanh(keras.ops.convert_to_tensor(rows)))
    return float(abs(out - exact).max()), float(abs(tanh - np.tanh(rows)).max()), str(out.dtype)


before = departure()
keep_float64()
print(json.dumps([before, departure()]))
"""


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_what_is_exact_is_computed_in_float64_on_every_backend(backend):
    """Keras computes variances in float32 on JAX and PyTorch, whatever the precision, until it is told not to."""
    ended = run_python("-c", EXACT, backend)
    assert ended.status == 0, ended
    before, exact = json.loads(ended.out.splitlines()[-1])
    assert max(exact[:2]) < 1e-12 and exact[2] == "float64", exact
    assert (max(before[:2]) > 1e-9) is (backend != "tensorflow"), before
