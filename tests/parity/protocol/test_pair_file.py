"""A pair file is read without running it, run once, and refused with one sentence where it is none."""

import sys

import pytest

from mlp_spec.support.errors import UserError
from parity.protocol import pair_file, targets
from parity.protocol.pair_file import PairFile

WHOLE = "def keras_model(): pass\nfrom somewhere import keras_data\nlightning_module = lightning_data = lambda: 3\n"


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes a pair file; returns its path."""
    monkeypatch.setattr(sys, "path", [*sys.path])

    def written(text):
        path = tmp_path / "own_pair.py"
        path.write_text(text)
        return str(path)

    yield written
    targets.load_source.cache_clear()
    sys.modules.pop("own_pair", None)


def test_functions_may_be_defined_imported_or_assigned_and_nothing_is_run(write):
    first, other = pair_file.check(write(WHOLE)), pair_file.check(write(WHOLE + "raise OSError\n"))
    assert len(first) == 64 and first != other


def test_what_a_star_brings_is_seen_when_the_file_is_run(write):
    path = write("from math import *\n")
    pair_file.check(path)
    with pytest.raises(UserError, match=r"has no keras_model\(\), keras_data\(\)"):
        PairFile(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (WHOLE.replace("keras_model", "model"), r"has no keras_model\(\); a pair file has keras_model\(\), keras_data"),
        ("def f(:\n", "own_pair.py, line 1: invalid syntax"),
        ("def f():\n    from os import *\n", "own_pair.py, line 2: import \\* only allowed at module level"),
    ],
)
def test_what_is_no_pair_file_is_refused(text, words, write):
    with pytest.raises(UserError, match=words):
        pair_file.check(write(text))


def test_what_a_function_defines_inside_is_no_function_of_the_file(write):
    inside = (
        "if True:\n    def keras_model(): pass\ndef other():\n    lightning_module = keras_data = lightning_data = 3\n"
    )
    with pytest.raises(UserError, match=r"has no keras_data\(\), lightning_module\(\), lightning_data\(\);"):
        pair_file.check(write(inside))


@pytest.mark.parametrize(("name", "meant"), [("EPOCH", "EPOCHS"), ("BATCHSIZE", "BATCH_SIZE"), ("WEIGHT", "WEIGHTS")])
def test_a_mistyped_constant_is_not_ignored(name, meant, write):
    with pytest.raises(UserError, match=f"{name} says nothing here; write {meant} if that is meant"):
        pair_file.check(write(f"{WHOLE}{name} = 3\n"))
    pair_file.check(write(f"{WHOLE}RATE = SIZES = FOLDER = 3\n"))


@pytest.mark.parametrize("path", ["no/such.py", "README.md", "tests"])
def test_a_path_that_is_no_python_file_is_refused(path):
    with pytest.raises(UserError, match=f"there is no pair file {path}"):
        pair_file.check(path)


RUN = "keras_model = keras_data = lightning_module = lightning_data = lambda: None\n"


@pytest.mark.parametrize("value", ["0", "2.0", "'3'", "True"])
def test_a_constant_must_be_a_whole_number(value, write):
    with pytest.raises(UserError, match=r"EPOCHS is .*; it must be a whole number of at least 1"):
        PairFile(write(f"{RUN}EPOCHS = {value}\n"))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("ACCEPT = 'loss/batch-loss'", "it must be a list of ids of checks"),
        ("METRICS = {'val_loss': 3}", "it must be a dictionary from Keras's names to the logged ones"),
        ("WEIGHTS = ['a']", "it must be a dictionary from Keras's paths to the module's names"),
        ("WEIGHTS = {'a/b': ('c', (0, 2))}", "or to pairs of a name and the order of axes"),
    ],
)
def test_lists_and_dictionaries_are_checked(line, words, write):
    with pytest.raises(UserError, match=words):
        PairFile(write(f"{RUN}{line}\n"))


def test_lists_and_dictionaries_are_read(write):
    lines = "ACCEPT = ['a']\nMETRICS = {'loss': 'x'}\nWEIGHTS = {'a/b': 'c', 'a/d': ('e', (1, 0))}\n"
    file = PairFile(write(RUN + lines))
    assert file.constant("ACCEPT") == ["a"] and file.constant("WEIGHTS")["a/d"] == ("e", (1, 0))


def test_functions_are_called_and_constants_read(write):
    file = PairFile(write(RUN + "BATCH_SIZE = 7\ndef lightning_output(module, batch): return module + batch\n"))
    assert file.constant("BATCH_SIZE") == 7 and file.constant("EPOCHS") is None
    assert file.call("lightning_output", 1, 2) == 3
    with pytest.raises(UserError, match=r"keras_model\(\) returned nothing"):
        file.call("keras_model")


def test_options_are_a_dictionary_of_what_can_be_compared(write):
    file = PairFile(write(RUN + "keras_fit = lambda: {'epochs': 3}\nlightning_trainer = lambda: [1]\n"))
    assert file.options("keras_fit", ("epochs",)) == {"epochs": 3}
    assert file.options("no_such", ("epochs",)) == {}
    with pytest.raises(UserError, match=r"keras_fit\(\) returned epochs, which cannot be compared; allowed: verbose"):
        file.options("keras_fit", ("verbose",))
    with pytest.raises(UserError, match=r"lightning_trainer\(\) returned list; it must return a dictionary"):
        file.options("lightning_trainer", ())


def test_a_file_imports_its_neighbours_also_inside_its_functions(write, tmp_path):
    for name in ("rows_of_the_pair", "model_of_the_pair"):
        (tmp_path / f"{name}.py").write_text("from pathlib import Path\nHERE = Path(__file__).stem\n")
    text = "from rows_of_the_pair import HERE\nkeras_data = lambda: HERE\n"
    text += "def keras_model():\n    from model_of_the_pair import HERE\n    return HERE\n"
    file = PairFile(write(text + "lightning_module = lightning_data = keras_model\n"))
    assert (file.call("keras_data"), file.call("keras_model")) == ("rows_of_the_pair", "model_of_the_pair")
    for name in ("rows_of_the_pair", "model_of_the_pair"):
        del sys.modules[name]
