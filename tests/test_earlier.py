"""What earlier versions left still loads: checkpoints of both frameworks, a study's store, reference points.

The files in `tests/earlier/` were made by the version before the engine's records were typed, on the offline sample:
`--hidden-sizes 4 --optimizer adam --epochs 1` in both frameworks, and `python -m parity seeds --hidden-sizes 4
--seeds 3 --epochs 2 --no-compile`. They are never made anew.
"""

import json

import numpy as np
import pytest
from conftest import ROOT

from mlp_spec.experiment import DataSpec, Experiment, ModelSpec, TrainingSpec
from mlp_spec.optimizers import Adam
from mlp_spec.runs.resume import Stamp
from parity.pair import Pair
from parity.process import ask
from parity.protocol.contents import IMAGES
from parity.protocol.records import Contents
from parity.protocol.task import CheckpointTask, Task
from parity.seeds import records
from parity.seeds.store import Store, describe_candidate

EARLIER = ROOT / "tests" / "earlier"
SAMPLE = DataSpec("mnist-sample")
TRAINED = Experiment(ModelSpec((4,)), TrainingSpec(Adam(), epochs=1), SAMPLE)
STUDIED = Experiment(ModelSpec((4,)), TrainingSpec(epochs=2), SAMPLE)


def read_task(folder, name: str) -> Task:
    """Makes the task that `parity convert` gives the process that reads."""
    checkpoint = CheckpointTask(str(EARLIER / name))
    return Task(("read",), str(folder), Pair(TRAINED, "mnist-sample"), checkpoint=checkpoint)


@pytest.fixture(scope="module")
def keras_contents(tmp_path_factory) -> Contents:
    """What Keras's process reads out of the checkpoint."""
    folder = tmp_path_factory.mktemp("keras")
    task = read_task(folder / "read", "checkpoint.keras")
    side = ask("keras", task, task.write(folder / "task.json"), 300.0)
    assert side.errors == {}
    return side.parts["read"]


@pytest.fixture(scope="module")
def lightning_contents(tmp_path_factory) -> Contents:
    """What Lightning's side reads out of the checkpoint."""
    from parity.adapters.torch.convert import read

    return read(read_task(tmp_path_factory.mktemp("lightning"), "checkpoint.ckpt"))


def assert_whole(contents: Contents, name: str, val_acc: float) -> None:
    """Checks that a checkpoint was read with its run, its weights and its optimizer's state."""
    stamp = Stamp.from_dict(contents.run, name)
    assert stamp.experiment == TRAINED and Experiment.from_dict(contents.experiment) == TRAINED
    assert stamp.results.epochs == 1 and stamp.results.history["val_acc"] == pytest.approx([val_acc])
    assert (contents.source, contents.weights_only, contents.step) == (name, None, 125)
    shapes = {"dense/kernel": (784, 4), "dense/bias": (4,), "dense_1/kernel": (4, 10), "dense_1/bias": (10,)}
    for arrays in (contents.weights, contents.moments["momentum"], contents.moments["velocity"]):
        assert {path: array.shape for path, array in arrays.items()} == shapes
        assert all(np.isfinite(array).all() and array.any() for array in arrays.values())
    # the weights are those that were trained: they classify as many images as the curve says
    assert len(contents.probabilities[IMAGES]) == 1000
    assert accuracy(contents) == pytest.approx(val_acc, abs=1e-6)


def accuracy(contents: Contents) -> float:
    """Returns the share of the test images that get their label."""
    from mlp_spec.digits.load import load_digits

    labels = load_digits("mnist-sample", None, None).test_labels
    return float((contents.probabilities[IMAGES].argmax(axis=1) == labels).mean())


def test_an_earlier_checkpoint_of_keras_is_read(keras_contents):
    assert_whole(keras_contents, "checkpoint.keras", 0.408)


def test_an_earlier_checkpoint_of_lightning_is_read(lightning_contents):
    assert_whole(lightning_contents, "checkpoint.ckpt", 0.295)


def test_their_stamps_are_read_without_a_framework_or_with_torch_alone():
    from keras_reference import checkpoint as of_keras
    from lightning_mlp import checkpoint as of_lightning

    assert of_keras.read_stamp(EARLIER / "checkpoint.keras").experiment == TRAINED
    assert of_lightning.read_stamp(EARLIER / "checkpoint.ckpt").experiment == TRAINED


def test_an_earlier_store_is_opened_and_read():
    store = Store.open(EARLIER / "store", STUDIED, describe_candidate(None, None, False))
    sides = {"keras": [0, 1, 2], "lightning": [0, 1, 2]}
    assert not store.lacks(sides)
    for side, seeds in sides.items():
        results = store.read(side, seeds)
        assert [result.seed for result in results] == seeds
        assert all(len(result.history["loss"]) == 2 and result.environment["packages"] for result in results)


def test_earlier_reference_points_are_read():
    recorded = records.read(EARLIER / "points.json", STUDIED)
    assert [result.seed for result in recorded.seeds] == [0, 1, 2] and recorded.experiment == STUDIED
    stored = json.loads((EARLIER / "store" / "keras" / "seed-1.json").read_text())
    assert recorded.seeds[1].history["val_acc"] == pytest.approx(stored["history"]["val_acc"], rel=1e-6)


def test_the_files_are_small_and_name_no_folder():
    files = [path for path in EARLIER.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 130_000
    for path in files:
        if path.suffix == ".json":
            assert not any(value.startswith("/") for value in strings(json.loads(path.read_text()))), path


def strings(value):
    """Yields the strings in plain JSON values."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from strings(item)
