"""What a recurrent layer or an attention drops inside is silenced on every backend, and given back."""

import json

import pytest
from conftest import run_python

SCRIPT = """
import json, sys
from keras_reference import backend
backend.start("cpu", "float32", sys.argv[1])
import keras
import numpy as np
from keras import layers
from parity.adapters.keras import chance
from parity.adapters.keras.random_layers import describe_call, recorded_inputs

X = np.random.default_rng(0).random((4, 5, 3)).astype("float32")
x = keras.Input((5, 3))
y = layers.LSTM(4, return_sequences=True, dropout=0.25, recurrent_dropout=0.5, name="first", seed=1)(x)
y = layers.Dropout(0.125, seed=2)(y)
y = layers.Attention(dropout=0.5, name="attention", seed=3)([y, y])
y = layers.RNN([layers.GRUCell(3), layers.SimpleRNNCell(3, dropout=0.5, seed=5)], name="cells")(y)
both = layers.Bidirectional(layers.GRU(3, recurrent_dropout=0.25, seed=4), name="both")
model = keras.Model(x, layers.Concatenate()([y, both(x), layers.SimpleRNN(2)(x)]))
model.compile("sgd", "mse", jit_compile=False)


def output():
    return keras.ops.convert_to_numpy(model(X, training=True))


answers = {"random": bool((output() != output()).any())}
answers["rates"] = rates = chance.silence(model)
answers["silent"] = float(abs(output() - output()).max()), float(abs(output() - model.predict(X, verbose=0)).max())
found = chance.random_layers(model)
answers["kinds"], answers["names"] = [chance.kind_of(one) for one in found], [one.name for one in found]
answers["again"] = chance.silence(model)
answers["why"] = chance.describe(model, X[:1], rates, 2, 4)[1]
with recorded_inputs(found) as calls:
    output()
answers["calls"] = [one.name for one, _ in calls]
answers["given"] = [given is not None for _, given in calls]
described = describe_call(*calls[0], 0.25, "lstm")
answers["inside"] = described.is_inside, described.rate, described.law
chance.restore(model, rates)
answers["restored"] = bool((output() != output()).any()), chance.silence(model) == rates
print(json.dumps(answers))
"""


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_rates_inside_of_layers_are_silenced_and_given_back(backend):
    ended = run_python("-c", SCRIPT, backend, cold=True)
    assert ended.status == 0, ended.err
    answers = json.loads(ended.out.splitlines()[-1])
    assert answers["random"] and answers["rates"] == [0.25, 0.5, 0.125, 0.5, 0.5, 0.25, 0.25]
    repeated, departure = answers["silent"]
    assert repeated == 0 and departure < 1e-6  # training mode is evaluation mode
    assert answers["kinds"] == [
        "LSTM dropout", "LSTM recurrent_dropout", "Dropout", "Attention dropout", "SimpleRNN dropout",
        *["GRU recurrent_dropout"] * 2,
    ]  # fmt: skip
    names = answers["names"]
    assert names[:2] == ["first, dropout", "first, recurrent_dropout"] and names[4] == "cells, dropout"
    assert [name.split("_")[0] for name in names[5:]] == ["forward", "backward"]
    assert answers["again"] == [0.0] * 7 and answers["calls"] == names  # also where all are silent already
    assert answers["given"] == [number == 2 for number in range(7)]
    assert "LSTM dropout, LSTM recurrent_dropout, SimpleRNN dropout cannot be handed over" in answers["why"]
    assert answers["inside"] == [True, 0.25, {}] and answers["restored"] == [True, True]
