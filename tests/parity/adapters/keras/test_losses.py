"""What a compiled loss is made of: losses by name, as objects and functions, penalties, weights of classes."""

import json

from conftest import run_python

SCRIPT = """
import json
from keras_reference import backend
backend.start("cpu", "float32", "tensorflow")
import keras
from keras import layers
from parity.adapters.keras import losses, tensors

model = keras.Sequential([
    keras.Input((4,)), layers.Dense(3, kernel_regularizer=keras.regularizers.L1L2(0.5, 0.25), name="one"),
    layers.Dense(2, bias_regularizer="l2", name="two")])
table = tensors.table_of(model, {})
none = losses.describe(model, {"": "mse"}, table, None)
model.compile("sgd", "mse")
huber = keras.losses.Huber(0.5, reduction="sum")
given = {"a": "mse", "b": huber, "c": keras.losses.binary_crossentropy, "d": None, "e": lambda y, p: p}
x = keras.Input((4,))
two = keras.Model(x, {name: layers.Dense(1, name=name)(x) for name in "ab"})
weights = []
for said in ([1, 0.25], {"b": 2.0}, None):
    two.compile("sgd", ["mse", "mse"] if isinstance(said, list) else {"a": "mse", "b": "mse"}, loss_weights=said)
    weights.append(losses.describe(two, {"a": "mse", "b": "mse"}, tensors.table_of(two, {}), None)["loss_weights"])
print(json.dumps(weights))
print(json.dumps([none, losses.describe(model, given, table, {1: 3})]))
"""


def test_losses_penalties_and_weights_are_described():
    ended = run_python("-c", SCRIPT)
    assert ended.status == 0, ended.err
    weights, (none, found) = map(json.loads, ended.out.splitlines()[-2:])
    assert weights == [{"a": 1.0, "b": 0.25}, {"b": 2.0}, {}]
    assert none == {} and found["class_weight"] == {"1": 3.0}
    assert found["penalties"] == {"one/kernel": {"l1": 0.5, "l2": 0.25}, "two/bias": {"l2": 0.01}}
    outputs = found["outputs"]
    assert {name: one["class_name"] for name, one in outputs.items()} == {
        "a": "MeanSquaredError", "b": "Huber", "c": "BinaryCrossentropy", "e": "<lambda>",
    }  # fmt: skip
    assert (outputs["b"]["delta"], outputs["b"]["reduction"]) == (0.5, "sum")
