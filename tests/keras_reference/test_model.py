"""The Keras model: layers, initialisation, probabilities and compilation, and the optimizers it refuses."""

import json

import pytest
from conftest import run_python

CODE = """
import json
from keras_reference import backend
backend.start("cpu", "float32")
import numpy as np
from keras_reference.model import OPTIMIZERS, build_model, compile_model

images = np.random.default_rng(0).random((5, 784), "float32")
models = {}
for name, options in {"small": {}, "bigger": {"hidden_sizes": (100, 75, 25), "activation": "tanh"}}.items():
    model = build_model(**options)
    models[name] = [
        {
            "sizes": list(layer.kernel.shape),
            "activation": layer.activation.__name__,
            "largest": float(abs(layer.kernel.numpy()).max()),
            "bias": float(abs(layer.bias.numpy()).max()),
        }
        for layer in model.layers
    ]
optimizers = {}
for name in OPTIMIZERS:
    model = compile_model(build_model(), name, learning_rate=0.25)
    optimizers[name] = [type(model.optimizer).__name__, float(model.optimizer.learning_rate), model.loss]
model.fit(images, np.eye(10)[[1, 2, 3, 4, 5]], verbose=0)
try:
    compile_model(model, "lion")
except ValueError as error:
    refusal = str(error)
try:
    compile_model(model, "sgd", beta_1=0.9)
except (TypeError, ValueError) as error:
    unknown_number = str(error)
print(json.dumps({
    "models": models, "optimizers": optimizers, "refusal": refusal, "unknown_number": unknown_number,
    "sums": np.asarray(model(images)).sum(axis=1).tolist(), "metrics": list(model.get_metrics_result()),
}))
"""


@pytest.fixture(scope="module")
def keras():
    ended = run_python("-c", CODE)
    assert ended.status == 0, ended.err
    return json.loads(ended.out.splitlines()[-1])


def test_the_layers_are_the_labs(keras):
    layers = {
        name: [(*layer["sizes"], layer["activation"]) for layer in model] for name, model in keras["models"].items()
    }
    assert layers == {
        "small": [(784, 25, "sigmoid"), (25, 10, "softmax")],
        "bigger": [(784, 100, "tanh"), (100, 75, "tanh"), (75, 25, "tanh"), (25, 10, "softmax")],
    }


def test_kernels_start_from_glorots_range_and_biases_from_zero(keras):
    for layer in (layer for model in keras["models"].values() for layer in model):
        limit = (6 / sum(layer["sizes"])) ** 0.5
        # the draws are float32: the limit itself, rounded, may be one of them
        assert 0.9 * limit < layer["largest"] <= limit * (1 + 1e-6) and layer["bias"] == 0


def test_the_outputs_are_probabilities(keras):
    assert keras["sums"] == pytest.approx([1] * 5, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "kind"), [("sgd", "SGD"), ("adam", "Adam"), ("adamw", "AdamW"), ("rmsprop", "RMSprop")]
)
def test_the_optimizer_is_the_one_named(keras, name, kind):
    assert keras["optimizers"].pop(name) == [kind, 0.25, "categorical_crossentropy"]


def test_accuracy_is_called_acc(keras):
    assert keras["metrics"] == ["loss", "acc"]


def test_an_unknown_optimizer_is_refused_with_those_that_exist(keras):
    assert keras["refusal"] == "Keras has no optimizer 'lion'; use one of: sgd, adam, adamw, rmsprop"


def test_a_number_of_another_optimizer_is_refused(keras):
    assert "beta_1" in keras["unknown_number"]
