"""The outputs of a Keras model: their names, losses and labels; logits are compared as probabilities."""

import json

import pytest
from conftest import run_python

SCRIPT = """
import json
import numpy as np
from keras_reference import backend
backend.start("cpu", "float32", "tensorflow")
import keras
from keras import layers, losses
from mlp_spec.support.errors import UserError
from parity.adapters.keras.outputs import Outputs
from parity.protocol.user_data import joined

x, y = np.ones((4, 2), "float32"), np.array([0, 1, 2, 0])
sizes = np.ones((4, 1), "float32")
both = joined({"target kind": y, "target size": sizes, "weight": sizes[:, 0]})
LOGITS = losses.SparseCategoricalCrossentropy(from_logits=True)


def built(outputs, loss):
    i = keras.Input((2,))
    kind, size = layers.Dense(3, name="kind")(i), layers.Dense(1, name="size")(i)
    model = keras.Model(i, outputs(kind, size))
    model.compile("sgd", loss)
    return model


def described(outputs, loss, labels=both):
    model = built(outputs, loss)
    try:
        found = Outputs.of(model, model.predict(x, verbose=0), "keras_model()")
        classes = found.check_labels(model.predict(x, verbose=0), (labels, labels), "keras_data()")
    except UserError as error:
        return str(error)
    array = found.joined(model(x))  # in another order, maybe, than `predict` gives
    same = found.joined(model.predict(x, verbose=0))
    names = array.dtype.names
    close = all(np.allclose(array[n], same[n]) for n in names) if names else np.allclose(array, same)
    sums = [float(array[name].sum()) for name in names or ()] or [float(array.sum())]
    clipped = {name: found.clipped(name) for name in ("tensorflow", "jax")}
    return {"names": found.names, "classes": classes, "sums": sums, "clipped": clipped, "same": bool(close)}


wrong = joined({"target kind": y + 1, "target size": sizes})
print(json.dumps({
    "one": described(lambda kind, size: kind, LOGITS, y),
    "named": described(lambda kind, size: {"size": size, "kind": kind}, {"kind": LOGITS, "size": "mse"}),
    "listed": described(lambda kind, size: [kind, size], ["sparse_categorical_crossentropy", "mse"]),
    "divergences": described(lambda kind, size: [kind, size], [losses.KLDivergence(), "binary_focal_crossentropy"]),
    "alone by name": described(lambda kind, size: {"kind": kind}, {"kind": LOGITS}, y),
    "wrong label": described(lambda kind, size: {"kind": kind, "size": size}, {"kind": LOGITS, "size": "mse"}, wrong),
    "many targets": described(lambda kind, size: kind, LOGITS, both),
    "nested": described(lambda kind, size: {"kind": {"inner": kind}, "size": size}, "mse"),
}))
"""


@pytest.fixture(scope="module")
def answers():
    """What one process of Keras says of all models."""
    ended = run_python("-c", SCRIPT)
    assert ended.status == 0, ended.err
    return json.loads(ended.out.splitlines()[-1])


def test_one_output_has_no_name_and_its_logits_are_probabilities(answers):
    one = answers["one"]
    assert one["names"] == [] and one["classes"] == 3 and one["sums"] == [pytest.approx(4.0)]
    assert one["clipped"] == {"tensorflow": [], "jax": []}


def test_outputs_have_the_names_of_a_dictionary_or_of_layers(answers):
    assert sorted(answers["named"]["names"]) == ["kind", "size"] and answers["listed"]["names"] == ["kind", "size"]
    assert answers["alone by name"]["names"] == ["kind"]
    assert all(answers[name]["same"] and not answers[name]["classes"] for name in ("named", "listed"))


def test_each_output_is_compared_as_its_own_loss_says(answers):
    named = dict(zip(answers["named"]["names"], answers["named"]["sums"], strict=True))
    assert named["kind"] == pytest.approx(4.0) and named["size"] != pytest.approx(4.0)
    assert answers["listed"]["sums"][0] != pytest.approx(4.0)  # no logits, its loss says


def test_outputs_whose_loss_clips_probabilities_are_named(answers):
    assert answers["listed"]["clipped"] == {"tensorflow": [], "jax": ["kind"]}
    assert answers["divergences"]["clipped"] == {"tensorflow": ["kind", "size"], "jax": ["kind", "size"]}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("wrong label", "keras_data(): labels of kind go from 1 to 3; the output has the classes 0 to 2"),
        ("many targets", "keras_data(): there are 2 targets; the model has one output"),
        (
            "nested",
            "keras_model(): the model's output kind is a dict; arrays, one, or several in a dictionary, list or",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(name, words, answers):
    assert answers[name].startswith(words)
