"""Listening to Keras changes nothing: the weights after training are the same to the bit."""

import json

import pytest
from conftest import run_python

SCRIPT = """
import hashlib, json, sys
import numpy as np
from keras_reference import backend
backend.start("cpu", "float32", sys.argv[1])
from parity.adapters.keras import tensors as layers, record as listen
from keras_reference import train
from mlp_spec.experiment import PRESETS

draw = np.random.default_rng(0)
images = draw.random((40 * 32, 784), dtype=np.float32)
labels = np.eye(10, dtype=np.float32)[draw.integers(0, 10, len(images))]
found = []
for listening, steps in ((False, 1), (True, 1), (True, 1 if sys.argv[1] == "torch" else 40)):
    model = train.build(PRESETS["bigger"])
    if listening:
        model.optimizer.build(model.trainable_variables)
        listen.listen(model, 40)
        model.steps_per_execution = steps
    history = model.fit(images, labels, batch_size=32, shuffle=False, verbose=0).history
    weights = b"".join(array.tobytes() for array in layers.weights(model).values())
    mean = float(listen.losses(model).astype("float64").mean()) if listening else None
    found.append([hashlib.sha256(weights).hexdigest(), history["loss"][0], mean])
print(json.dumps(found))
"""


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_listening_leaves_training_as_it_is(backend):
    ended = run_python("-c", SCRIPT, backend)
    assert ended.status == 0, ended.err
    alone, heard, together = json.loads(ended.out.strip().splitlines()[-1])
    assert alone[0] == heard[0] == together[0]
    for loss, mean in ((heard[1], heard[2]), (together[1], together[2])):
        assert mean == pytest.approx(loss, rel=1e-5)  # the batch losses are those that Keras averages
