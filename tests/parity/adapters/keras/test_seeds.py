"""Keras's seeds of a study: each is stored with its curves, and trains from its own initialiser and shuffle."""

import pytest

from mlp_spec.experiment import DataSpec, Experiment, ModelSpec, TrainingSpec
from parity.pair import Pair
from parity.process import ask
from parity.protocol.seeds import read
from parity.protocol.task import SeedsTask, Task

EXPERIMENT = Experiment(ModelSpec((4,)), TrainingSpec(epochs=1, batch_size=500), DataSpec("mnist-sample"))


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """One process that trains two seeds: its store, its events and what went wrong."""
    folder, events = tmp_path_factory.mktemp("study"), []
    pair = Pair(EXPERIMENT, "mnist-sample")
    task = Task(("seeds",), str(folder), pair, seeds=SeedsTask((3, 4), str(folder / "store"), threads=1))
    side = ask("keras", task, task.write(folder / "keras.json"), 300.0, events.append)
    return folder / "store", events, side


def test_every_seed_is_trained_and_stored(study):
    store, events, side = study
    assert side.errors == {}
    assert [event["seed"] for event in events if event["event"] == "seed"] == [3, 4]
    results = [read(store, "keras", EXPERIMENT, seed) for seed in (3, 4)]
    assert all(len(result.history["val_acc"]) == 1 and result.seconds > 0 for result in results)
    assert results[0].history["loss"] != results[1].history["loss"]
    assert results[0].environment["packages"].keys() >= {"keras", "tensorflow", "numpy"}


def test_signs_of_life_are_sent(study):
    kinds = [event["event"] for event in study[1]]
    assert kinds[:2] == ["begin", "start"] and kinds.count("alive") == 2 and kinds[-1] == "part"
