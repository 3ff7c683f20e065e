"""What layers and the optimizer of a model are set to, those inside of other models too."""

import json

import pytest
from conftest import run_python

from parity.protocol.curves import POINTS

SCRIPT = """
import json
from keras_reference import backend
backend.start("cpu", "float32", "tensorflow")
import keras
from keras import layers
from parity.adapters.keras import settings

inner = keras.Sequential([keras.Input((4,)), layers.BatchNormalization(momentum=0.5, name="norm")], name="inner")


class Own(layers.Layer):
    def get_config(self):
        raise NotImplementedError

    def call(self, x):
        return x


model = keras.Sequential([keras.Input((4,)), inner, Own(name="own"), layers.LeakyReLU(0.25, name="leaky"),
    layers.Dense(3, "relu", name="activated"), layers.Activation("softmax", name="mixed"),
    layers.Dense(2, name="linear", kernel_constraint=keras.constraints.MaxNorm(0.5))])
none = settings.of_optimizer(model)
model.compile(keras.optimizers.Adam(0.5, clipnorm=1.0), "mse")
print(json.dumps([settings.of_layers(model), settings.of_optimizer(model), none]))
"""


def test_numbers_and_words_of_layers_and_of_the_optimizer_are_read():
    ended = run_python("-c", SCRIPT)
    assert ended.status == 0, ended.err
    layers, optimizer, none = json.loads(ended.out.splitlines()[-1])
    assert {"inner", "inner/norm", "own", "leaky"} <= set(layers) and none == {}
    norm = layers["inner/norm"]
    assert (norm["class_name"], norm["momentum"], norm["epsilon"]) == ("BatchNormalization", 0.5, 1e-3)
    assert layers["leaky"]["negative_slope"] == 0.25 and layers["own"]["class_name"] == "Own"
    assert layers["leaky"]["fed_by"] == ["own"] and layers["activated"]["units"] == 3
    assert layers["leaky"]["curve"] == pytest.approx([0.25 * x if x < 0 else x for x in POINTS])
    assert layers["activated"]["curve"] == pytest.approx([max(x, 0.0) for x in POINTS])
    assert "curve" not in layers["mixed"] and "curve" not in layers["linear"]
    assert layers["linear"]["constraints"] == {"kernel": {"class_name": "MaxNorm", "max_value": 0.5, "axis": 0}}
    assert "constraints" not in layers["activated"] and "constraints" not in layers["inner"]
    assert optimizer["class_name"] == "Adam" and (optimizer["learning_rate"], optimizer["clipnorm"]) == (0.5, 1.0)
