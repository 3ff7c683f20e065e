"""The reference of targets: the lab's own where there is none, in the form that a user's own model takes."""

import json

import pytest
from conftest import run_python

SCRIPT = """
import json, sys
from pathlib import Path
import numpy as np
from mlp_spec.experiment import PRESETS, ModelSpec, Experiment, TrainingSpec
from mlp_spec.optimizers import TorchAdam
from mlp_spec.support.errors import UserError
from parity.pair import Pair
from parity.protocol.answer import open_pair
from parity.protocol.target_pair import place_targets
from parity.protocol.task import Task
from keras_reference import backend
backend.start("cpu", "float32")
from parity.adapters.keras.targets import TargetReference

folder = Path(sys.argv[1])
lab = Experiment(ModelSpec((5,)), TrainingSpec(TorchAdam(learning_rate=0.002), epochs=2))


def opened(explicit={}, experiment=lab, **names):
    given = {field: f"{folder}/own_models.py:{name}" for field, name in names.items()}
    pair = place_targets(Pair(experiment, "mnist-sample"), given, explicit)
    try:
        return open_pair(Task((), str(folder), pair, level="full"), TargetReference)
    except UserError as error:
        return str(error)


def described(side):
    arrays = side.arrays
    return {
        "x": [arrays.x_train.shape, str(arrays.x_train.dtype), float(arrays.x_train.max()), arrays.x_test.shape],
        "y": [arrays.y_train.shape, str(arrays.y_train.dtype)], "source": side.source,
        "experiment": side.experiment.to_dict(), "paths": [tensor.path for tensor in side.table],
    }


def same(one, other):
    return bool((np.array(one.weights[0]) == np.array(other.weights[0])).all())


answers = {}
for name in ("flat", "images", "channels", "model", "unbuilt"):
    answers[name] = described(opened(reference=name, candidate="port"))
side = opened(candidate="port")
answers["lab"] = described(side) | {
    "optimizer": side.first.optimizer.name, "rate": float(side.first.optimizer.learning_rate),
    "seeds": [same(side.build(0), side.build(seed)) for seed in (0, 1)],
}
answers["given"] = described(opened({"batch_size": 50}, data="rows", candidate="port"))
answers["alone"] = described(opened(reference="flat"))
for name in ("images", "number", "uncompiled", "needs", "nowhere", "late"):
    answers[f"refused {name}"] = opened(reference=name)
answers["refused rows"] = opened(data="bad_rows", candidate="port")
answers["refused size"] = opened(reference="small", candidate="port")
print(json.dumps(answers))
"""

MODELS = """
import keras
import numpy as np
from keras.layers import Dense, Flatten

draw = np.random.default_rng(0)
rows = ((draw.random((60, 784)), draw.integers(0, 10, 60)), (draw.random((20, 784)), draw.integers(0, 10, 20)))


def made(shape, *layers, loss="sparse_categorical_crossentropy"):
    model = keras.Sequential([*([keras.Input(shape)] if shape else []), *layers, Dense(10, "softmax")])
    model.compile(keras.optimizers.RMSprop(0.003), loss)
    return model


def flat():
    return made((784,), Dense(7, "relu"), loss="categorical_crossentropy")


def images():
    return made((28, 28), Flatten())


def channels():
    return made((28, 28, 1), keras.layers.Conv2D(2, 3), Flatten())


def unbuilt():
    return made(None, Dense(7, "relu"))


def small():
    return made((9,))


model = images()
port = None


def number():
    return 3


def uncompiled():
    return keras.Sequential([keras.Input((784,)), Dense(10)])


def needs(width):
    pass


def late():
    raise OSError("the shelf is empty")


def bad_rows():
    return 3
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """What one process of Keras says of many targets."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "own_models.py").write_text(MODELS)
    ended = run_python("-c", SCRIPT, folder)
    assert ended.status == 0, ended.err
    return json.loads(ended.out.strip().splitlines()[-1])


@pytest.mark.parametrize(
    ("name", "shape", "labels"),
    [
        ("flat", [784], [[4000, 10], "float64"]),
        ("images", [28, 28], [[4000], "int64"]),
        ("channels", [28, 28, 1], [[4000], "int64"]),
        ("model", [28, 28], [[4000], "int64"]),
        ("unbuilt", [784], [[4000], "int64"]),
    ],
)
def test_the_labs_arrays_have_the_shape_and_the_labels_that_a_model_takes(name, shape, labels, answers):
    found = answers[name]
    assert found["x"] == [[4000, *shape], "float32", 1.0, [1000, *shape]]
    assert found["y"][0] == labels[0] and (found["y"][1] == "int64") == (labels[1] == "int64")
    assert found["experiment"]["data"] == {"dataset": "mnist-sample"} and "sample" in found["source"]


def test_where_no_target_is_given_the_reference_is_the_labs_experiment(answers):
    found = answers["lab"]
    assert [path.split("/")[1] for path in found["paths"]] == ["kernel", "bias"] * 2
    assert (found["optimizer"], round(found["rate"], 6)) == ("adam", 0.002)  # Keras lacks PyTorch's own
    assert found["seeds"] == [True, False] and found["experiment"]["training"]["epochs"] == 2
    assert found["experiment"]["lab"]["model"]["hidden_sizes"] == [5]


def test_a_users_own_arrays_are_taken_as_they_are(answers):
    found = answers["given"]
    assert found["x"][0] == [60, 784] and found["y"] == [[60], "int64"]
    assert found["experiment"]["data"]["dataset"] == found["source"].removeprefix("--data ")
    assert found["experiment"]["training"]["batch_size"] == 50


def test_our_module_beside_a_users_mlp_is_described_by_it(answers):
    lab = answers["alone"]["experiment"]["lab"]
    assert (lab["model"]["hidden_sizes"], lab["model"]["activation"]) == ([7], "relu")
    assert lab["training"]["optimizer"] == {
        "name": "rmsprop", "learning_rate": 0.003, "rho": 0.9, "momentum": 0.0, "epsilon": 1e-7,
    }  # fmt: skip
    assert answers["flat"]["experiment"]["lab"]["model"]["hidden_sizes"] == [5]  # beside a user's port, nobody asks


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("images", ":images: every layer must be a Dense with a bias, it has: Flatten, Dense; our LitMLP cannot stand"),
        ("number", ":number returned int; it must return a keras.Model, compiled if it is trained"),
        (
            "uncompiled",
            ":uncompiled is not compiled; our LitMLP cannot stand for its port: give the port",
        ),
        ("needs", ":needs needs width; name a function without arguments that calls it with its own"),
        ("nowhere", "has no nowhere; it has: "),
        ("late", "OSError: the shelf is empty (own_models.py"),
        ("rows", ":bad_rows must return (x_train, y_train), (x_val, y_val)"),
        ("size", "expected axis -1 of input shape to have value 9"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_flag(name, words, answers):
    assert words in answers[f"refused {name}"], answers[f"refused {name}"]
