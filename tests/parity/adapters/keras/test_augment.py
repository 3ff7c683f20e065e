"""What augments rows does nothing while it is silenced, and is itself again; constants go along into a copy."""

import json

from conftest import run_python

SCRIPT = """
import json
from keras_reference import backend
backend.start("cpu", "float32", "tensorflow")
import keras
import numpy as np
from keras import layers
from parity.adapters.keras import augment, chance, tensors

X = np.random.default_rng(0).random((16, 4, 4, 2)).astype("float32")
inner = keras.Sequential([keras.Input((4, 4, 2)), layers.RandomFlip("horizontal"), layers.RandomRotation(0.4)])
normalize = layers.Normalization()
normalize.adapt(3 * X + 1)
model = keras.Sequential([
    keras.Input((4, 4, 2)), normalize, inner, layers.Rescaling(2.0), layers.Flatten(), layers.Dense(2)])


def gap(training):
    return float(abs(np.asarray(model(X, training=training)) - np.asarray(model(X, training=False))).max())


answers = {"names": augment.names_of(model), "before": gap(True), "dropping": len(chance.random_layers(model))}
augment.silence(model)
answers["silent"] = gap(True)
augment.restore(model)
answers["after"] = gap(True)
copy = keras.models.clone_model(model)
copy.set_weights([np.ones_like(one) for one in copy.get_weights()])
augment.copy_constants(model, copy)
ours, theirs = (np.asarray(one.layers[0](X)) for one in (model, copy))
answers["constants"] = [float(abs(ours - theirs).max()), float(abs(ours.mean()))]
answers["table"] = [tensor.path for tensor in tensors.table_of(model)]
print(json.dumps(answers))
"""


def test_augmentation_is_silenced_and_comes_back_and_constants_are_copied():
    ended = run_python("-c", SCRIPT)
    assert ended.status == 0, ended.err
    answers = json.loads(ended.out.splitlines()[-1])
    assert answers["names"] == ["RandomFlip", "RandomRotation"] and answers["dropping"] == 0
    assert answers["before"] > 0.01 and answers["silent"] == 0 and answers["after"] > 0.01
    gap, mean = answers["constants"]
    assert gap == 0 and mean > 0.1  # adapted to other numbers than these rows have
    assert [path.partition("/")[0] for path in answers["table"]] == ["dense", "dense"]  # constants are no weights
