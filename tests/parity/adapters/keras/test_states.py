"""The states of stateful layers: found wherever the layers stand, reset, copied and put back."""

import json

from conftest import run_python

CODE = """
import json
from keras_reference import backend
backend.start("cpu", "float32")
import keras
import numpy as np
from keras import Input, Sequential, layers
from parity.adapters.keras import states, tensors
from parity.adapters.keras.layers import call_eagerly


class Own(keras.Model):
    def __init__(self):
        super().__init__()
        self.inner = layers.LSTM(3, stateful=True, name="own")

    def call(self, x):
        return self.inner(x)


def rnn():
    cells = [layers.LSTMCell(3), layers.GRUCell(2)]
    return layers.RNN(cells, stateful=True, name="stacked")


x = np.random.default_rng(0).standard_normal((2, 4, 3)).astype("float32")
inside = Sequential([Input(batch_shape=(2, 4, 3)), layers.GRU(3, stateful=True, name="inside")])
kinds = {
    "none": Sequential([Input((4, 3)), layers.LSTM(3)]),
    "fixed": Sequential([Input(batch_shape=(5, 4, 3)), layers.LSTM(3)]),
    "lstm": Sequential([Input(batch_shape=(2, 4, 3)), layers.LSTM(3, stateful=True, name="kept")]),
    "both": Sequential([Input(batch_shape=(2, 4, 3)), layers.Bidirectional(layers.GRU(3, stateful=True, name="gru"))]),
    "inside": Sequential([Input(batch_shape=(2, 4, 3)), inside]),
    "stacked": Sequential([Input(batch_shape=(2, 4, 3)), rnn()]),
    "own": Own(),
}
found = {"before": [states.fixed_rows(kinds["own"]), len(states.stateful_layers(kinds["own"]))]}
for name, model in kinds.items():
    if name in ("none", "fixed"):
        found[name] = [[], 0, states.fixed_rows(model)]
        assert states.stateful_layers(model) == [] and states.read_states(model) == []
        continue
    first, second = np.array(model(x)), np.array(model(x))
    kept = states.read_states(model)
    assert all(array.any() for array in kept) and not np.array_equal(first, second)
    third = np.array(model(x))
    states.write_states(model, kept)
    assert np.array_equal(model(x), third)
    states.reset_states(model)
    assert np.array_equal(model(x), first)
    found[name] = [sorted(layer.name for layer in states.stateful_layers(model)), len(kept), states.fixed_rows(model)]

model = kinds["lstm"]
table = tensors.table_of(model)
tensors.load_weights(model, table, tensors.read_weights(model, table))
found["loaded"] = float(sum(abs(array).sum() for array in states.read_states(model)))


class Given:
    packed = staticmethod(lambda rows: rows)


found["eagerly"] = [float(np.array(call_eagerly(Given, model, x, False)).sum()) for _ in range(2)]
print(json.dumps(found))
"""


def test_states_are_found_reset_and_put_back():
    ended = run_python("-c", CODE)
    assert ended.status == 0, ended.err
    found = json.loads(ended.out.splitlines()[-1])
    assert found["before"] == [None, 1]  # a layer that is not built has no states yet
    assert found["none"] == [[], 0, None] and found["fixed"] == [[], 0, 5]
    assert found["lstm"] == [["kept"], 2, 2] and found["inside"] == [["inside"], 1, 2]
    assert found["both"] == [["backward_gru", "forward_gru"], 2, 2]  # and not what is around them
    assert found["stacked"] == [["stacked"], 3, 2] and found["own"] == [["own"], 2, 2]
    assert found["loaded"] == 0  # weights that are loaded begin anew
    assert found["eagerly"][0] == found["eagerly"][1]
