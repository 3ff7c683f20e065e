"""Layers of Keras are measured as they are meant to be; the page's tables have what Keras's layers have."""

import json

import numpy as np
import pytest
from conftest import run_python

from parity.traps.layers.layouts import AXES, draw_input, draw_weights, table_of
from parity.traps.layers.partners import CHANCE

SCRIPT = """
import json
import numpy as np
from keras_reference import backend
backend.start("cpu", "float32")
from keras import layers
from parity.adapters.keras import differences, tensors
from parity.adapters.keras.differences import fill, measure
from parity.traps.layers.layouts import draw_input

LAYERS = {
    "Dense": layers.Dense(4), "Dense, behind Flatten": layers.Dense(4), "Embedding": layers.Embedding(7, 4),
    "BatchNormalization": layers.BatchNormalization(), "LayerNormalization": layers.LayerNormalization(),
    "GroupNormalization": layers.GroupNormalization(2), "PReLU": layers.PReLU(),
    "PReLU, shared_axes=[1, 2]": layers.PReLU(shared_axes=[1, 2]), "SimpleRNN": layers.SimpleRNN(4),
    "LSTM": layers.LSTM(4), "GRU": layers.GRU(4), "GRU, reset_after=False": layers.GRU(4, reset_after=False),
    "Bidirectional": layers.Bidirectional(layers.LSTM(4)), "MultiHeadAttention": layers.MultiHeadAttention(2, 3),
    **{f"Conv{n}D": getattr(layers, f"Conv{n}D")(4, 3) for n in (1, 2, 3)},
    **{f"Conv{n}DTranspose": getattr(layers, f"Conv{n}DTranspose")(4, 3) for n in (1, 2, 3)},
    **{f"DepthwiseConv{n}D": getattr(layers, f"DepthwiseConv{n}D")(3, depth_multiplier=2) for n in (1, 2)},
    **{f"SeparableConv{n}D": getattr(layers, f"SeparableConv{n}D")(4, 3, depth_multiplier=2) for n in (1, 2)},
}
SHAPES = {"Dense, behind Flatten": (2, 36), "Dense": (2, 3), "Embedding": (2, 5), "MultiHeadAttention": (2, 5, 3)}
SHAPES |= dict.fromkeys(("BatchNormalization", "LayerNormalization", "GroupNormalization"), (2, 4))
SHAPES |= {kind: (2, 3, 3, 4) for kind in LAYERS if kind.startswith("PReLU")}
answers = {"filled": [], "chance": [layer.__name__ for layer in tensors.CHANCE]}
for kind, layer in LAYERS.items():
    axes = next((int(letter) for letter in kind if letter.isdigit() and "Conv" in kind), 1)
    shape = SHAPES.get(kind, (2, *[5] * axes, 3))
    layer.build(*[shape] * (2 if kind == "MultiHeadAttention" else 1))
    fill(layer, kind, {})
    answers["filled"].append(kind)

def measured(make, kind, mode="evaluation", values=lambda y, w, before: y, optimizer=("SGD", 0.1), x=draw_input(6, 3)):
    call = lambda layer, x, training: layer(x, training=training)
    return measure(make, call, lambda: x, values, kind, {}, mode, optimizer).tolist()

added = lambda y, w, before: w["bias"] - before["bias"]
dense = lambda: layers.Dense(4)
answers["dense"] = measured(dense, "Dense")
answers["step"] = measured(dense, "Dense", "step", added)
answers["adam"] = measured(dense, "Dense", "step", added, ("Adam", 0.01))
answers["start"] = [measured(dense, "Dense", "start", lambda y, w, before: w["kernel"]) for _ in range(2)]
ones = np.ones((50, 4), "f4")
answers["zeros"] = {mode: 0.0 in measured(lambda: layers.Dropout(0.5), "Dropout", mode, x=ones)
                    for mode in ("evaluation", "chance", "training")}
try:
    measured(lambda: layers.Dense(5), "Dense")
except ValueError as error:
    answers["refused"] = str(error)
print(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def answers():
    """What one process of Keras measures."""
    ended = run_python("-W", "ignore", "-c", SCRIPT)
    assert ended.status == 0, ended.err[-3000:]
    return json.loads(ended.out.strip().splitlines()[-1])


def test_keras_has_the_tensors_that_the_page_has_of_every_kind(answers):
    assert set(answers["filled"]) == set(AXES)


def test_the_page_names_all_layers_that_drop_or_add_by_chance(answers):
    assert set(answers["chance"]) == set(CHANCE)


def test_a_layer_gets_the_examples_weights(answers):
    weights = draw_weights(table_of("Dense"))
    expected = draw_input(6, 3) @ weights["layer/kernel"] + weights["layer/bias"]
    assert answers["dense"] == pytest.approx(expected.ravel(), abs=1e-6)
    assert "Dense has [('kernel', (3, 5)), ('bias', (5,))], the example" in answers["refused"]


def test_a_step_is_taken_by_the_sum_of_the_outputs(answers):
    assert answers["step"] == pytest.approx([-0.6] * 4)
    assert answers["adam"] == pytest.approx([-0.01] * 4, rel=1e-5)


def test_initial_weights_are_seeded_and_keras_own(answers):
    once, again = answers["start"]
    limit = np.sqrt(6 / 7)
    assert once == again and 0.5 * limit < np.abs(once).max() < limit


def test_what_draws_draws_in_training_alone(answers):
    assert answers["zeros"] == {"evaluation": False, "chance": True, "training": True}
