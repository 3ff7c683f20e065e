"""What the random layers of a Keras model are given and draw is recorded on every backend; the model is left alone."""

import json

import pytest
from conftest import run_python

SCRIPT = """
import json, sys
from types import SimpleNamespace
from keras_reference import backend
backend.start("cpu", "float32", sys.argv[1])
import keras
import numpy as np
from keras import layers
from parity.adapters.keras import chance, tensors
from parity.adapters.keras.random_layers import answer_random_layers, why_unsilenced

IMAGES = np.random.default_rng(0).random((32, 4, 4, 3)).astype("float32")


class Own(layers.Layer):
    def call(self, x, training=False):
        return x + keras.random.normal(keras.ops.shape(x)) if training else x


def sequential(*between, rows=None):
    return keras.Sequential([
        keras.Input((4, 4, 3), batch_size=rows), layers.BatchNormalization(), *between, layers.Flatten(),
        layers.Dense(2)])


def functional():
    inputs, drop = keras.Input((4, 4, 3)), layers.Dropout(0.5)
    return keras.Model(inputs, layers.Dense(2)(drop(layers.Flatten()(drop(inputs)))))


def recorded(make):
    first = make()
    rates, table = chance.silence(first), tensors.table_of(first)

    def build():
        model = make()
        chance.silence(model)
        return model

    reference = SimpleNamespace(
        build=build, first=first, table=table, start=tensors.read_weights(first, table), rates=rates, seed=0,
        case_batch=lambda: (IMAGES, np.zeros(32)), task=SimpleNamespace(level="quick"),
        output_of=keras.ops.convert_to_numpy,
        packed=lambda images: images, varied=lambda variant, weights: weights,
        varied_inputs=lambda variant, images: images + np.float32(1e-6) * variant.number)
    answer, why = answer_random_layers(reference), why_unsilenced(reference)
    kept = tensors.read_weights(first, table)
    return {
        "calls": [(call.rate, list(call.input.shape), list(call.flattened)) for call in answer.calls],
        "named": {call.layer for call in answer.calls} == {layer.name for layer in chance.random_layers(first)},
        "law": [{name: float(numbers.mean()) for name, numbers in call.law.items()} for call in answer.calls],
        "shapes": [list(answer.silent.shape), list(answer.draws.shape)],
        "rows": [answer.rows, answer.times], "unsilenced": answer.unsilenced, "why": why,
        "moved": [float(np.abs(run.inputs[0] - answer.calls[0].input).max()) for run in answer.variants if run.inputs],
        "kept": all(np.array_equal(reference.start[path], kept[path]) for path in kept),
    }


answers = {
    "kinds": recorded(lambda: sequential(layers.SpatialDropout2D(0.25), layers.GaussianNoise(0.5))),
    "twice": recorded(functional),
    "none": recorded(lambda: sequential(layers.Dropout(0.0))),
    "own": recorded(lambda: sequential(Own())),
    "fixed": recorded(lambda: sequential(layers.Dropout(0.5), rows=4)),
}
print(json.dumps(answers))
"""


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_random_layers_are_recorded(backend):
    ended = run_python("-c", SCRIPT, backend, cold=True)
    assert ended.status == 0, ended.err
    answers = json.loads(ended.out.splitlines()[-1])
    kinds = answers["kinds"]
    assert kinds["calls"] == [[0.25, [8, 4, 4, 3], []], [0.5, [8, 4, 4, 3], []]] and kinds["rows"] == [8, 64]
    assert kinds["shapes"] == [[8, 2], [32, 512, 2]]
    first, second = kinds["law"]
    assert first["share of zeros at input 1"] == pytest.approx(0.25, abs=0.03)
    assert first["largest value at input -2"] == pytest.approx(8 / 3)
    assert first["mean square of means along the axis 1 at input 1"] == pytest.approx(1 / 3, abs=0.05)
    assert second["mean square of the change at input -2"] == pytest.approx(0.25, rel=0.05)
    assert kinds["moved"][0] == 0 < kinds["moved"][1] < 1e-4
    assert answers["twice"]["calls"] == [[0.5, [8, 4, 4, 3], []], [0.5, [8, 48], [4, 4, 3]]]
    assert answers["none"]["calls"] == [] and answers["none"]["shapes"][1] == [0, 512, 2]
    # a layer of one's own draws on, and is no call
    assert answers["own"]["unsilenced"] and answers["own"]["why"].startswith("Keras's model draws by chance")
    assert answers["own"]["calls"] == [] and answers["own"]["shapes"][1] == [32, 512, 2]
    assert answers["fixed"]["rows"] == [4, 1] and answers["fixed"]["shapes"] == [[4, 2], [32, 4, 2]]
    assert all(answers[name]["named"] for name in ("kinds", "twice", "fixed"))  # as in the model that the user knows
    assert not any(answers[name]["why"] for name in ("kinds", "twice", "none", "fixed"))
    assert all(answer["kept"] for answer in answers.values())
