"""Training in Keras: `build` and `fit` with seeds, order and resumed epochs, and the flags that are refused."""

import json
from dataclasses import replace

import pytest
from conftest import run_python

from keras_reference.train import check_supported, epoch_seed
from mlp_spec.experiment import PRESETS, Experiment, TrainingSpec
from mlp_spec.optimizers import OPTIMIZERS
from mlp_spec.support.errors import UserError

CODE = """
import json
from dataclasses import replace
from keras_reference import backend
backend.start("cpu", "float32")
import keras, numpy as np
from keras_reference import train
from keras_reference.data import Arrays
from mlp_spec.experiment import Experiment, ModelSpec, TrainingSpec
from mlp_spec.runs.folder import Results
from mlp_spec.support.errors import UserError

def experiment(seed=0, epochs=2):
    return Experiment(ModelSpec((3,)), TrainingSpec(epochs=epochs, seed=seed, batch_size=4))

def build(seed=0):
    model = train.build(experiment(seed))
    model.run_eagerly = True  # tracing graphs would take most of the time
    return model

def weights(model):
    return [array.tolist() for array in model.get_weights()]

random = np.random.default_rng(0)
x, y = random.random((10, 784), "float32"), np.eye(10, dtype="float32")[random.integers(10, size=10)]
arrays, calls = Arrays(x, y, x[:5], y[:5]), []

def run(model, results=None, seed=0, epochs=2, **options):
    results = Results() if results is None else results
    train.fit(model, arrays, experiment(seed, epochs), results, **options)
    return results

whole = build()
options = {"before_epoch": lambda epoch: calls.append(["before", epoch])}
results = run(whole, after_epoch=lambda results: calls.append(["after", results.epochs]), **options)
part = build()
resumed = run(part, run(part, epochs=1))
other = build()
run(other, seed=1)
ordered, reversed_order = build(), build()
run(ordered, order=lambda epoch: np.arange(8)), run(reversed_order, order=lambda epoch: np.arange(8)[::-1])
by_hand = build()
by_hand.fit(x[:8], y[:8], batch_size=4, epochs=2, shuffle=False, verbose=0)
try:
    train.check_steps_per_execution(10)
    keras.backend.backend = lambda: "torch"
    train.check_steps_per_execution(1)
    train.check_steps_per_execution(10)
except UserError as error:
    refusal = str(error)
print(json.dumps({
    "calls": calls, "history": results.history, "seconds": results.epoch_seconds, "startup": results.startup_seconds,
    "same_build": weights(build()) == weights(build()),
    "other_build": weights(build()) == weights(build(seed=1)),
    "resumed": weights(part) == weights(whole) and resumed.history == results.history,
    "other_seed": weights(other) == weights(whole),
    "order": [weights(ordered) == weights(by_hand), weights(reversed_order) == weights(by_hand)], "refusal": refusal,
}))
"""


@pytest.fixture(scope="module")
def keras():
    ended = run_python("-c", CODE)
    assert ended.status == 0, ended.err
    return json.loads(ended.out.splitlines()[-1])


def test_every_epoch_has_results_and_is_reported(keras):
    assert keras["calls"] == [["before", 0], ["after", 1], ["before", 1], ["after", 2]]
    assert {name: len(curve) for name, curve in keras["history"].items()} == dict.fromkeys(
        ("loss", "acc", "val_loss", "val_acc"), 2
    )
    assert len(keras["seconds"]) == 2 and min(keras["seconds"]) > 0 and keras["startup"] > 0


def test_a_seed_decides_the_initial_weights_and_the_shuffle(keras):
    assert keras["same_build"] and not keras["other_build"] and not keras["other_seed"]


def test_resumed_epochs_give_the_same_bits(keras):
    assert keras["resumed"]


def test_a_prescribed_order_is_kept(keras):
    assert keras["order"] == [True, False]


def test_several_steps_per_execution_are_refused_on_torch_only(keras):
    assert keras["refusal"].startswith("--steps-per-execution 10: Keras on torch runs one at a time")


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_only_pytorchs_adam_is_refused(name):
    experiment = Experiment(training=TrainingSpec(OPTIMIZERS[name]()))
    if name != "torch-adam":
        assert check_supported(experiment) is None
        return
    with pytest.raises(UserError, match="torch-adam is PyTorch's own; Keras has: adam, adamw, rmsprop, sgd"):
        check_supported(experiment)


def test_every_epoch_and_every_seed_has_a_seed_of_its_own():
    seeds = [epoch_seed(seed, epoch) for seed in range(3) for epoch in range(3)]
    assert len(set(seeds)) == 9 and epoch_seed(1, 2) == seeds[5]
    assert replace(PRESETS["small"].training, seed=max(seeds)).seed == max(seeds)  # Keras takes seeds below 2^32
