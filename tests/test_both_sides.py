"""Whatever an experiment can name exists on both sides; a test names the side that is missing."""

import json

import pytest
import torch
from conftest import run_python

from lightning_mlp import train
from mlp_spec import optimizers
from mlp_spec.experiment import ACTIVATIONS, PRESETS, Experiment, ModelSpec, TrainingSpec

KERAS_SIDE = """
import json, sys
from keras_reference import backend
backend.start("cpu", "float32")
from keras_reference import train
from mlp_spec.experiment import Experiment
sides = []
for fields in json.loads(sys.argv[1]):
    model = train.build(Experiment.from_dict(fields))
    config = model.optimizer.get_config().items()
    config = {key: float(value) for key, value in config if isinstance(value, int | float)}
    sides.append({
        "layers": [[*layer.kernel.shape, layer.activation.__name__] for layer in model.layers],
        "parameters": model.count_params(),
        "optimizer": type(model.optimizer).__name__, "numbers": config, "loss": model.loss,
        "weight_decay": model.optimizer.weight_decay, "clipnorm": model.optimizer.clipnorm,
    })
print(json.dumps(sides))
"""

EXPERIMENTS = [
    *PRESETS.values(),
    *(Experiment(ModelSpec((6, 5), activation)) for activation in ACTIVATIONS),
    *(Experiment(training=TrainingSpec(cls())) for name, cls in optimizers.OPTIMIZERS.items()
      if name not in optimizers.LIGHTNING_ONLY),
    Experiment(training=TrainingSpec(optimizers.SGD(0.1, 0.9, True))),
    Experiment(training=TrainingSpec(optimizers.Adam(0.1, 0.8, 0.9, 1e-3))),
    Experiment(training=TrainingSpec(optimizers.RMSprop(0.1, 0.8, 0.5, 1e-3))),
]  # fmt: skip


@pytest.fixture(scope="module")
def keras_side():
    ended = run_python("-c", KERAS_SIDE, json.dumps([experiment.to_dict() for experiment in EXPERIMENTS]))
    assert ended.status == 0, ended.err
    return json.loads(ended.out.strip().splitlines()[-1])


def test_both_sides_build_the_same_layers(keras_side):
    for experiment, keras in zip(EXPERIMENTS, keras_side, strict=True):
        model = train.build(experiment)
        # the softmax is part of Keras's model and of PyTorch's loss
        pairs = zip(model.layers[::2], [*model.layers[1::2], torch.nn.Softmax()], strict=True)
        ours = [[linear.in_features, linear.out_features, type(act).__name__.lower()] for linear, act in pairs]
        assert ours == keras["layers"], experiment.name
        assert keras["parameters"] == sum(parameter.numel() for parameter in model.parameters())


def test_both_sides_get_every_number_of_the_optimizer(keras_side):
    names = {"lr": "learning_rate", "eps": "epsilon"}
    for experiment, keras in zip(EXPERIMENTS, keras_side, strict=True):
        group = dict(train.build(experiment).configure_optimizers().param_groups[0])
        if "betas" in group:
            group["beta_1"], group["beta_2"] = group.pop("betas")
        ours = {names.get(key, key): value for key, value in group.items()}
        for name, value in optimizers.to_dict(experiment.training.optimizer).items():
            if name == "name":
                assert keras["optimizer"].lower() == value
            else:
                assert ours[name] == value == pytest.approx(keras["numbers"][name], rel=1e-7), (experiment.name, name)
        assert keras["loss"] == "categorical_crossentropy"
        decay = getattr(experiment.training.optimizer, "weight_decay", None)
        assert keras["weight_decay"] == decay and (ours.get("weight_decay") or None) == decay
        assert keras["clipnorm"] is None


def test_lightning_has_every_optimizer():
    for cls in optimizers.OPTIMIZERS.values():
        assert train.build(Experiment(training=TrainingSpec(cls()))).configure_optimizers()


SHUFFLES = """
import os
from keras_reference import backend
backend.start("cpu", "float32")
import keras, numpy as np
keras.utils.set_random_seed(0)
seen = []
class Rows(keras.layers.Layer):
    def call(self, x):
        import tensorflow as tf
        tf.py_function(lambda v: seen.append(v.numpy().ravel().tolist()), [x], [])
        return x
model = keras.Sequential([keras.Input((1,)), Rows(), keras.layers.Dense(1)])
model.compile(optimizer=keras.optimizers.SGD(0.0), loss="mse", run_eagerly=True)
x = np.arange(64, dtype="float32")[:, None]
model.fit(x, x, batch_size=64, epochs=2, verbose=0)
print("SAME" if seen[-1] == seen[-2] else "DIFFERENT", len(seen))
"""


def test_keras_repeats_one_shuffle_in_every_epoch_of_a_seeded_fit():
    """Why `keras_reference.train` calls `fit` once an epoch; when this fails, Keras has changed: simplify."""
    ended = run_python("-c", SHUFFLES)
    assert ended.status == 0, ended.err
    assert ended.out.split()[-2] == "SAME", ended.out
