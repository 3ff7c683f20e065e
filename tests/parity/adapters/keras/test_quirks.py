"""Quirks of Keras's backends: each is seen on the backend that has it, and on no other, and is found there."""

import json

import pytest
from conftest import run_python

SCRIPT = """
import json, sys
from keras_reference import backend
backend.start("cpu", "float32", sys.argv[1])
import keras, numpy as np
from keras import layers
from scipy.special import erf
from parity.adapters.keras import quirks


def first_step(optimizer):
    model = keras.Sequential([
        keras.Input((4,), dtype="int32"), layers.Embedding(5, 1), layers.Flatten(),
        layers.Dense(1, kernel_initializer="ones", trainable=False)])
    model.compile(optimizer, "mse")
    before = model.layers[0].get_weights()[0]
    model.fit(np.full((1, 4), 3), np.full((1, 1), 9.0), verbose=0)  # one word, four times, with equal gradients
    found = [quirk.id for quirk in quirks.find(model, sys.argv[1], "float32")]
    return [float((model.layers[0].get_weights()[0] - before)[3, 0]), found]


pools = keras.Sequential([keras.Input((4, 4, 1)), layers.AveragePooling2D(3, 2, "same")])
pools.compile("sgd", "mse")
corner = float(pools(np.arange(16.0, dtype="float32").reshape(1, 4, 4, 1))[0, 1, 1, 0])


def in_float64():
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")  # the one before, of float32, has been kept since the first layer
    x, gaps = np.random.default_rng(0).random((1, 4, 4, 2)), []
    adapted, rows = layers.Normalization(), x.astype("float32")
    adapted.adapt(rows)
    in_float32 = (rows.mean((0, 1, 2)).astype("float64"), rows.var((0, 1, 2)).astype("float64"))
    attention, exact, port = (layers.MultiHeadAttention(1, 2) for _ in range(3))
    steps = x.reshape(1, 16, 2)
    for one, scale in ((attention, 1 / 2**0.5), (exact, keras.ops.array(1 / 2**0.5, "float64")),
                       (port, keras.ops.array(np.float32(1 / 2**0.5).astype("float64")))):
        assert one._inverse_sqrt_key_dim == 1 / 2**0.5
        one._inverse_sqrt_key_dim = scale
        one.build(steps.shape, steps.shape)
        one.set_weights([np.full(value.shape, 2.0) for value in attention.weights])
    centred = x - 0.5
    def leaky(slope):
        return np.where(centred < 0, slope * centred, centred)
    def gelu(factor):
        return centred * 0.5 * (1 + erf(centred * factor))
    mean, variance = np.float32([0.1, 0.3]).astype("float64"), np.float32([1.2, 4.0]).astype("float64")
    for layer, exact, port in (
        (layers.Rescaling(1 / 3), x / 3, x * float(np.float32(1 / 3))),
        (layers.Normalization(mean=[0.1, 0.3], variance=[1.2, 4.0]), (x - [0.1, 0.3]) / np.sqrt([1.2, 4.0]),
         (x - mean) / np.sqrt(variance)),
        (layers.Resizing(2, 2, antialias=False), x.reshape(1, 2, 2, 2, 2, 2).mean((2, 4)), None),
        (adapted, None, (x - in_float32[0]) / np.sqrt(in_float32[1])),
        (layers.LeakyReLU(0.3), leaky(0.3), leaky(float(np.float32(0.3)))),
        (layers.LeakyReLU(0.25), None, leaky(0.25)),
        (layers.Activation("leaky_relu"), leaky(0.2), leaky(float(np.float32(0.2)))),
        (layers.Activation("gelu"), gelu(0.5**0.5), gelu(float(np.float32(0.5**0.5)))),
        (attention, *(np.asarray(one(steps, steps)) for one in (exact, port))),
    ):
        given = {layers.LeakyReLU: centred, layers.Activation: centred, layers.MultiHeadAttention: steps}.get(
            type(layer), x)
        inputs = keras.Input(given.shape[1:])
        model = keras.Model(inputs, layer(inputs, inputs) if layer is attention else layer(inputs))
        model.compile("sgd", "mse")
        y = np.asarray(keras.ops.convert_to_numpy(model(given)))
        both = [None if other is None else float(abs(y - other).max()) for other in (exact, port)]
        gaps.append([*both, [quirk.id for quirk in quirks.find(model, sys.argv[1], "float64")]])
    model = keras.Sequential([keras.Input((1,)), layers.Dense(1)])
    model.compile("sgd", ["log_cosh"])
    loss = float(keras.losses.log_cosh(np.zeros((1, 1)), np.ones((1, 1)))[0])
    gaps.append([abs(loss - np.log(np.cosh(1.0))), abs(loss - np.log(2 * np.cosh(1.0)) + float(np.float32(np.log(2)))),
                 [quirk.id for quirk in quirks.find(model, sys.argv[1], "float64")]])
    return gaps


print(json.dumps({
    "adam": first_step(keras.optimizers.Adam(0.001)), "sgd": first_step(keras.optimizers.SGD(0.001)),
    "clip": first_step(keras.optimizers.SGD(0.001, clipvalue=0.1)),
    "pool": [corner, [quirk.id for quirk in quirks.find(pools, sys.argv[1], "float32")]],
    "float64": [quirk.id for quirk in quirks.find(pools, sys.argv[1], "float64")],
    "in float64": in_float64() if sys.argv[1] == "tensorflow" else [],
}))
"""


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_a_quirk_is_seen_and_found_on_its_backend_alone(backend):
    ended = run_python("-c", SCRIPT, backend)
    assert ended.status == 0, ended.err
    answers = json.loads(ended.out.strip().splitlines()[-1])
    sparse = ["sparse-gradients-of-embedding"] if backend == "tensorflow" else []
    # Adam's first step is lr m / sqrt(v): sqrt(4) times as long where four occurrences are squared one by one
    step, found = answers["adam"]
    assert step == pytest.approx(0.002 if sparse else 0.001, rel=1e-3) and found == sparse
    assert answers["sgd"][1] == []
    # clipped to .1 each and then summed, or summed and then clipped
    step, found = answers["clip"]
    assert step == pytest.approx(0.0004 if sparse else 0.0001, rel=1e-3) and found == sparse
    # the last corner's window holds 10, 11, 14 and 15, and five places of padding
    corner, found = answers["pool"]
    assert found == (["average-pooling-on-torch"] if backend == "torch" else [])
    assert (corner == pytest.approx(12.5)) == (backend != "torch")
    assert [quirk for quirk in answers["float64"] if quirk != "average-pooling-on-torch"] == (
        ["float64-on-jax"] if backend == "jax" else []
    )
    for gap, gap_of_port, found in answers["in float64"]:
        # a port that keeps the numbers as Keras does, rounded to float32, is the same; so is one of what was adapted
        assert gap_of_port is None or gap_of_port < 1e-15
        assert found == ([] if gap is None else ["float64-on-tensorflow"])
        assert gap is None or 1e-10 < gap < 1e-7
