"""The tensors of Keras models: paths, weights and moments, as Keras itself gives them."""

import json

import pytest
from conftest import run_python

from parity.protocol.tensors import dense_table

SCRIPT = """
import json
import numpy as np
from keras_reference import backend
backend.start("cpu", "float32")
import keras
from keras import Input, Model, Sequential
from keras.layers import Dense
from mlp_spec.support.errors import UserError
from parity.adapters.keras import tensors

def rows(model):
    return [[t.path, t.kind, t.role, list(t.shape), t.trained] for t in tensors.table_of(model)]

def refused(call, *arguments):
    try:
        call(*arguments)
    except (UserError, ValueError) as error:
        return f"{type(error).__name__}: {error}"

answers = {}
model = Sequential([Input((784,)), Dense(25, "sigmoid"), Dense(7), Dense(10, "softmax")])
answers["sequential"] = rows(model)
inputs = Input((12,))
named = Model(inputs, Dense(3, "softmax", name="out")(Dense(5, name="first_hidden")(inputs)))
answers["functional"] = rows(named)
named.get_layer("out").trainable = False
answers["frozen"] = [row[4] for row in rows(named)]

keras.backend.clear_session()
model = Sequential([Input((12,)), Dense(6, "tanh"), Dense(6, "tanh"), Dense(3, "softmax")])
model.compile("adam", "categorical_crossentropy")
model.optimizer.build(model.trainable_variables)
table = tensors.table_of(model)
twin = Sequential([Input((12,)), Dense(6, "tanh"), Dense(6, "tanh"), Dense(3, "softmax")])
answers["twin"] = [row[0] for row in rows(twin)]
draw = np.random.default_rng(0)
arrays = {t.path: draw.random(t.shape, np.float32) for t in table}
tensors.load_weights(twin, table, arrays)
answers["loaded"] = all(np.array_equal(a, arrays[p]) for p, a in tensors.read_weights(twin, table).items())
kernel = np.array(twin.layers[1].kernel)
answers["square"] = [bool((kernel == arrays["dense_1/kernel"]).all()), bool((kernel == kernel.T).all())]
copy = tensors.read_weights(twin, table)
copy["dense/bias"][:] = 9
answers["copied"] = float(np.array(twin.layers[0].bias).max()) < 1
turned = {**arrays, "dense/kernel": arrays["dense/kernel"].T}
answers["other shapes"] = refused(tensors.load_weights, twin, table, turned)
answers["missing"] = refused(tensors.load_weights, twin, table, {p: a for p, a in arrays.items() if "bias" not in p})
answers["untouched"] = all(np.array_equal(a, arrays[p]) for p, a in tensors.read_weights(twin, table).items())
answers["another model"] = refused(tensors.read_weights, named, table)

moments = {slot: {t.path: draw.random(t.shape, np.float32) for t in table} for slot in ("momentum", "velocity")}
tensors.load_moments(model, table, moments, 7)
read = tensors.read_moments(model, table)
answers["moments"] = all(np.array_equal(read[s][p], a) for s in moments for p, a in moments[s].items())
answers["step"] = int(model.optimizer.iterations)
state = tensors.read_state(model)
tensors.load_moments(model, table, {s: {p: a * 0 for p, a in m.items()} for s, m in moments.items()}, 0)
tensors.load_state(model, state)
answers["state"] = all(np.array_equal(a, b) for a, b in zip(state, tensors.read_state(model)))
answers["other moments"] = refused(tensors.load_moments, model, table, {"velocity": moments["velocity"]}, 7)
slots = {}
for name, optimizer in {
    "sgd": keras.optimizers.SGD(), "momentum": keras.optimizers.SGD(momentum=0.9),
    "rmsprop": keras.optimizers.RMSprop(), "rmsprop-momentum": keras.optimizers.RMSprop(momentum=0.5),
    "adamw": keras.optimizers.AdamW(), "ftrl": keras.optimizers.Ftrl(),
    "adagrad": keras.optimizers.Adagrad(), "nadam": keras.optimizers.Nadam(), "adamax": keras.optimizers.Adamax(),
    "adadelta": keras.optimizers.Adadelta(), "lion": keras.optimizers.Lion(),
    "averages": keras.optimizers.SGD(use_ema=True),
}.items():
    twin.compile(optimizer, "categorical_crossentropy")
    optimizer.build(twin.trainable_variables)
    slots[name] = sorted({**tensors.read_moments(twin, table), **tensors.unknown_moments(twin)})
answers["slots"] = slots
for name, optimizer in (("ftrl", keras.optimizers.Ftrl()), ("adam", "adam")):
    twin.compile(optimizer, "categorical_crossentropy")
    answers[f"refused {name}"] = refused(tensors.check_optimizer, twin, "keras_model()")
dense = keras.layers.EinsumDense
einsums = {"abc,cde->abde": (None, 2, 3), "abcd,cde->abe": (None, 5), "abc,cd->abd": (None, 5)}
einsums["abc,bde->acde"] = (4, 2, 3)
answers["summed"] = {}
for equation, shape in einsums.items():
    layer = dense(equation, shape)
    layer.build((None, 4, 2, 3) if equation.startswith("abcd") else (None, 4, 4))
    answers["summed"][equation] = [tensors.summed_axes(layer), tensors.is_known(layer)]
answers["layers"] = [vars(layer) for layer in tensors.describe_layers(named)]
answers["initializers"] = [tensors.describe_initializer(value) for value in (
    keras.initializers.GlorotUniform(seed=3), keras.initializers.RandomNormal(0.5, 0.25), keras.initializers.Zeros())]
print(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def answers():
    """What one process of Keras gives."""
    ended = run_python("-c", SCRIPT)
    assert ended.status == 0, ended.err
    return json.loads(ended.out.strip().splitlines()[-1])


def test_a_stack_of_dense_layers_has_the_paths_that_the_protocol_expects(answers):
    table = dense_table([(784, 25), (25, 7), (7, 10)])
    assert answers["sequential"] == [[t.path, t.kind, t.role, list(t.shape), t.trained] for t in table]


def test_named_layers_keep_their_names(answers):
    assert answers["functional"] == [
        ["first_hidden/kernel", "Dense", "kernel", [12, 5], True],
        ["first_hidden/bias", "Dense", "bias", [5], True],
        ["out/kernel", "Dense", "kernel", [5, 3], True],
        ["out/bias", "Dense", "bias", [3], True],
    ]
    assert answers["frozen"] == [True, True, False, False]


def test_a_table_serves_every_model_that_is_built_alike(answers):
    assert answers["twin"][0] == "dense_3/kernel"  # Keras goes on counting
    assert answers["loaded"] and answers["copied"]
    assert answers["square"] == [True, False]


def test_weights_that_do_not_fit_are_refused_and_nothing_is_changed(answers):
    for name in ("other shapes", "missing"):
        assert answers[name].startswith("UserError: the weights do not fit the model")
    assert answers["untouched"]
    assert answers["another model"].startswith("ValueError: the model has tensors of the shapes [(12, 5)")


def test_moments_come_back_with_the_step_and_other_moments_are_refused(answers):
    assert answers["moments"] and answers["step"] == 7 and answers["state"]
    assert answers["other moments"] == "ValueError: the optimizer keeps momentum, velocity, got velocity"


def test_every_optimizers_moments_have_the_names_that_both_sides_use(answers):
    assert answers["slots"] == {
        "sgd": [],
        "momentum": ["momentum"],
        "rmsprop": ["velocity"],
        "rmsprop-momentum": ["momentum", "velocity"],
        "adamw": ["momentum", "velocity"],
        "ftrl": ["Ftrl", "accumulator"],  # keeps what no other side has a name for
        "adagrad": ["accumulator"],
        "nadam": ["momentum", "velocity"],
        "adamax": ["momentum", "norm"],
        "adadelta": ["accumulator", "delta"],
        "lion": ["momentum"],
        "averages": [],  # of weights: no step depends on them
    }


def test_an_optimizer_that_pytorch_does_not_have_is_refused(answers):
    words = "UserError: keras_model(): the model is compiled with Ftrl, which PyTorch does not have"
    assert answers["refused ftrl"].startswith(words) and not answers["refused adam"]


def test_projections_onto_axes_are_told_from_other_sums(answers):
    assert answers["summed"] == {
        "abc,cde->abde": [1, True], "abcd,cde->abe": [2, True], "abc,cd->abd": [1, True], "abc,bde->acde": [0, False],
    }  # fmt: skip


def test_layers_and_initialisers_are_described(answers):
    assert answers["layers"][1] == {
        "name": "out", "kind": "Dense", "inputs": 5, "outputs": 3, "activation": "softmax", "parameters": 18,
    }  # fmt: skip
    glorot, normal, zeros = answers["initializers"]
    assert glorot == {"name": "GlorotUniform"} and zeros == {"name": "Zeros"}
    assert normal == {"name": "RandomNormal", "mean": 0.5, "stddev": 0.25}
