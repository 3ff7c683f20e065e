"""A Keras model is checked and described as an experiment, or one message says why it cannot be."""

import json

import pytest
from conftest import run_python

SCRIPT = """
import json, sys
from keras_reference import backend
backend.start("cpu", "float32")
import keras
from keras import Input, Model, Sequential, layers, optimizers
from keras.layers import Dense
from mlp_spec.experiment import PRESETS
from mlp_spec.support.errors import UserError
from parity.adapters.keras import describe

def stack(*found, inputs=784):
    return Sequential([Input((inputs,)), *found])

def compiled(model, optimizer="sgd", loss="categorical_crossentropy"):
    model.compile(optimizer=optimizer, loss=loss)
    return model

def mlp(*hidden, activation="relu", last="softmax", inputs=784, **options):
    return stack(*[Dense(n, activation, **options) for n in hidden], Dense(10, last), inputs=inputs)

inputs = Input((784,))
MODELS = {
    "good": compiled(mlp(30, 20)),
    "sparse": compiled(mlp(30), optimizers.Adam(0.002), "sparse_categorical_crossentropy"),
    "dropout": compiled(stack(Dense(12, "relu"), layers.Dropout(0.5), Dense(10, "softmax"))),
    "nobias": compiled(mlp(12, use_bias=False)),
    "logits": compiled(mlp(12, last=None)),
    "nine": compiled(mlp(12, inputs=9)),
    "mse": compiled(mlp(12), loss="mse"),
    "two": compiled(Model(inputs, [Dense(10, "softmax")(inputs), Dense(10, "softmax")(inputs)])),
}
answers = {}
for name, model in MODELS.items():
    try:
        answers[name] = describe.experiment_of(model, PRESETS["bigger"], "the reference").to_dict()
        answers[name]["indices"] = describe.takes_indices(model)
    except UserError as error:
        answers[name] = str(error)
DESCRIBED = {
    "mixed": stack(Dense(12, "relu"), Dense(12, "tanh"), Dense(10, "softmax")), "shallow": mlp(),
    "swish": mlp(12, activation="swish"),
}
for name, model in DESCRIBED.items():
    try:
        answers[name] = describe.specification_of(model, PRESETS["small"].model, "the reference")
    except UserError as error:
        answers[name] = str(error)
OPTIMIZERS = {
    "adam": optimizers.Adam(0.01, 0.8, 0.9, 1e-5), "momentum": optimizers.SGD(0.1, 0.9, True),
    "adamw": optimizers.AdamW(weight_decay=0.01), "rmsprop": optimizers.RMSprop(rho=0.8, momentum=0.5),
    "nadam": optimizers.Nadam(), "clipped": optimizers.SGD(clipnorm=1.0), "amsgrad": optimizers.Adam(amsgrad=True),
    "scheduled": optimizers.SGD(optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)),
}
for name, optimizer in OPTIMIZERS.items():
    try:
        answers[f"optimizer {name}"] = repr(describe.describe_optimizer(optimizer, "the reference"))
    except UserError as error:
        answers[f"optimizer {name}"] = str(error)
losses = ["mse", keras.losses.SparseCategoricalCrossentropy(), keras.losses.sparse_categorical_crossentropy]
answers["losses"] = [describe.takes_indices(compiled(mlp(12), loss=loss)) for loss in losses]
answers["losses"].append(describe.takes_indices(mlp(12)))
answers["plain"] = [describe.plain(0.009999999776482582), describe.plain(True), describe.plain(1e-7)]
print(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def answers():
    """What one process of Keras says of many models."""
    ended = run_python("-c", SCRIPT)
    assert ended.status == 0, ended.err
    return json.loads(ended.out.strip().splitlines()[-1])


def test_an_mlp_is_described_by_its_own_sizes_activation_and_optimizer(answers):
    good = answers["good"]
    assert good["model"] == {"hidden_sizes": [30, 20], "activation": "relu", "input_size": 784, "num_classes": 10}
    assert good["training"]["optimizer"] == {"name": "sgd", "learning_rate": 0.01, "momentum": 0.0, "nesterov": False}
    assert good["training"]["epochs"] == 20 and not good["indices"]  # the rest is what was asked for
    assert answers["sparse"]["training"]["optimizer"]["learning_rate"] == 0.002 and answers["sparse"]["indices"]


def test_a_loss_takes_class_indices_by_its_name(answers):
    assert answers["losses"] == [False, True, True, False]  # the last model is not compiled


REFUSED = {
    "dropout": "every layer must be a Dense with a bias, it has: Dense, Dropout, Dense",
    "nobias": "every layer must be a Dense with a bias",
    "logits": "the last activation must be softmax",
    "nine": "takes 9 values to 10; MNIST has 784 and 10",
    "mse": "the reference: the loss is 'mse'; choose one of: categorical_crossentropy, sparse_categorical_crossentropy",
    "two": "has 2 outputs; it must have one output",
    "mixed": "the reference's hidden activations are relu, tanh; they must be one of relu, sigmoid, tanh",
    "shallow": "the reference has no hidden layer; it needs at least one Dense before the last",
    "swish": "the reference's hidden activations are s",
}


@pytest.mark.parametrize("name", REFUSED)
def test_another_model_is_refused_with_the_reason(name, answers):
    assert REFUSED[name] in answers[name]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("adam", "Adam(learning_rate=0.01, beta_1=0.8, beta_2=0.9, epsilon=1e-05)"),
        ("momentum", "SGD(learning_rate=0.1, momentum=0.9, nesterov=True)"),
        ("adamw", "AdamW(learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-07, weight_decay=0.01)"),
        ("rmsprop", "RMSprop(learning_rate=0.001, rho=0.8, momentum=0.5, epsilon=1e-07)"),
        ("nadam", "the reference's optimizer is Nadam; Lightning's side has: adam, adamw, rmsprop, sgd"),
        ("clipped", "the reference's SGD is given clipnorm=1.0, which our Lightning side lacks"),
        ("amsgrad", "the reference's Adam is given amsgrad=True, which our Lightning side lacks"),
        ("scheduled", "is given a schedule of the learning rate"),
    ],
)
def test_an_optimizer_is_described_by_its_numbers_or_refused(name, text, answers):
    assert text in answers[f"optimizer {name}"]


def test_numbers_are_read_as_python_writes_them(answers):
    assert answers["plain"] == [0.01, True, 1e-7]
