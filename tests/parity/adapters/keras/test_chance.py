"""Masks are functions of a state: drawn again, they are what `fit` dropped, on every backend; or it is said why not."""

import json

import pytest
from conftest import run_python

SCRIPT = """
import json, os, sys
backend, folder = sys.argv[1:]
from keras_reference import backend as backends
backends.start("cpu", "float32", backend)
import keras, numpy as np
from keras import layers
from parity.adapters.keras import chance


class Note(layers.Layer):
    def build(self, shape):
        self.seen = self.add_weight(shape=(2, *shape[1:]), initializer="zeros", trainable=False)

    def call(self, x):
        self.seen.assign(keras.ops.cast(x, "float32"))
        return x


model = keras.Sequential([
    keras.Input((3, 3, 2), batch_size=2), layers.SpatialDropout2D(0.5, seed=1), layers.Flatten(), layers.ReLU(),
    layers.Dropout(0.25, seed=2), layers.Dropout(0.0), Note(), layers.Dense(1)])
model.compile("sgd", "mse", jit_compile=backend == "jax")
x, y = np.ones((6, 3, 3, 2), "float32"), np.zeros((6, 1), "float32")
answers = {"rates": chance.silence(model)}
found, why = chance.describe(model, x[:2], answers["rates"], 2, 6)
answers |= {"why": why, "found": [vars(layer) for layer in found]}
answers["silent"] = float(keras.ops.max(keras.ops.abs(model(x[:2], training=True) - model(x[:2]))))
chance.restore(model, answers["rates"])
states, seen = [], []
for epoch in range(2):
    states.append([keras.ops.convert_to_numpy(state).copy() for state in chance.seeds_of(model)])
    model.fit(x, y, batch_size=2, shuffle=False, verbose=0)
    seen.append(keras.ops.convert_to_numpy(model.layers[5].seen) > 0)
chance.write_masks(model, found, states, [2, 2, 2], folder)
masks = [np.load(f"{folder}/masks-{number}.npy") for number in range(2)]
answers["shapes"] = [list(mask.shape) for mask in masks]
bits = [np.unpackbits(mask, axis=1, count=36).reshape(6, 2, 18) for mask in masks]
answers["same"] = [bool(((bits[0] * bits[1])[step] == seen[epoch]).all()) for epoch, step in ((0, 2), (1, 5))]
answers["kept"] = [float(bit.mean()) for bit in bits]
noise = keras.Sequential([keras.Input((3,)), layers.GaussianNoise(0.5), layers.Dense(1)])
noise.compile("sgd", "mse", jit_compile=False)
answers["noise"] = [chance.silence(noise), chance.describe(noise, x[:1, 0, 0, :1].repeat(3, 1), [0.5], 2, 6)[1]]
try:
    chance.write_masks(model, found, [states[0], states[0]], [2, 2, 2], folder)
except Exception as error:
    answers["count"] = str(error)
plain = keras.Sequential([keras.Input((3,)), layers.Dropout(0.5)])
plain.compile("sgd", "mse", jit_compile=False)
answers["no seed"] = chance.describe(plain, np.ones((1, 3)), [0.5], 2, 6)[1]
if backend == "tensorflow":
    model.compile("sgd", "mse", jit_compile=True)
    answers["jit"] = chance.describe(model, x[:2], answers["rates"], 2, 6)[1]
    model.compile("sgd", "mse", jit_compile=False)
    answers["large"] = chance.describe(model, x[:2], answers["rates"], 10**6, 10**6)[1]
print(json.dumps(answers))
"""


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_masks_are_drawn_again(backend, tmp_path):
    ended = run_python("-c", SCRIPT, backend, str(tmp_path), env={"KERAS_BACKEND": backend})
    assert ended.status == 0, ended.err
    answers = json.loads(ended.out.splitlines()[-1])
    assert answers["rates"] == [0.5, 0.25] and answers["silent"] == 0.0 and answers["why"] == ""
    names = [(layer["rate"], layer["shape"], layer["flattened"]) for layer in answers["found"]]
    assert names == [(0.5, [3, 3, 2], []), (0.25, [18], [3, 3, 2])]
    assert answers["same"] == [True, True] and answers["shapes"] == [[6, 5], [6, 5]]
    assert 0.1 < answers["kept"][0] < 0.9 and 0.6 < answers["kept"][1] < 0.9
    assert answers["noise"] == [[0.5], "GaussianNoise cannot be handed over"]
    assert "was not called once a step" in answers["count"]
    assert ("torch's own generator" in answers["no seed"]) == (backend == "torch")
    if backend == "tensorflow":
        assert "jit_compile" in answers["jit"] and "more than 2 GiB" in answers["large"]
