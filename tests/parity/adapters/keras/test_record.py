"""Recording in Keras changes nothing: the weights after training are the same to the bit."""

import json

import pytest
from conftest import run_python

SCRIPT = """
import hashlib, json, sys, weakref
import numpy as np
from keras_reference import backend
backend.start("cpu", "float32", sys.argv[1])
import keras
from parity.adapters.keras import record, tensors
from keras_reference import train
from mlp_spec.experiment import PRESETS
from parity.protocol import inputs

draw = np.random.default_rng(0)
images = draw.random((40 * 32, 784), dtype=np.float32)
labels = np.eye(10, dtype=np.float32)[draw.integers(0, 10, len(images))]
rows, copies, held = [], [], []
images, labels = images[: 39 * 32 + 5], labels[: 39 * 32 + 5]  # the last batch is shorter
many = 1 if sys.argv[1] == "torch" else 40


def take():
    copied = images.copy()
    copies.append(weakref.ref(copied))
    return {"x": copied, "y": labels}


look = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: held.append(copies[-1]() is not None))
for recording, steps, cut in ((False, 1, False), (True, 1, False), (True, many, False), (True, many, True)):
    model = train.build(PRESETS["bigger"])
    if recording:
        model.optimizer.build(model.trainable_variables)
        record.record_losses(model, 40)
        model.steps_per_execution = steps
    if cut:
        record.cut_beforehand(model)
    test = images[:45], labels[:45]
    options = {"batch_size": 32, "shuffle": False, "verbose": 0, "validation_data": test}
    if recording:
        history = record.fit_taken(model, take, callbacks=[look], **options).history
    else:
        history = model.fit(images, labels, **options).history
    probabilities = np.asarray(model.predict(test[0], batch_size=20, verbose=0))
    weights = b"".join(array.tobytes() for array in tensors.read_weights(model, tensors.table_of(model)).values())
    mean = float(np.average(record.recorded_losses(model), weights=[32] * 39 + [5])) if recording else None
    digests = [hashlib.sha256(data).hexdigest() for data in (weights, probabilities.tobytes())]
    curves = [history[name][0] for name in ("loss", "acc", "val_loss", "val_acc")]
    rows.append([[digests, curves], curves[0], mean])

model = train.build(PRESETS["small"])
table = tensors.table_of(model)
before = tensors.read_weights(model, table)
model.compile(optimizer=record.GradientRecorder(), loss=model.loss)
model.fit(images[:32], labels[:32], batch_size=32, verbose=0)
gradients = model.optimizer.gradients()
still = all(np.array_equal(array, before[path]) for path, array in tensors.read_weights(model, table).items())

model = train.build(PRESETS["small"])
model.optimizer.build(model.trainable_variables)
replaced = np.arange(2 * inputs.REPLAY_PERIOD, dtype="float32").reshape(2, -1)
record.replace_gradients(model, replaced)
tensors.load_weights(model, table, {t.path: np.zeros(t.shape, "float32") for t in table})
steps = []
after = record.AfterBatch(lambda: steps.append(tensors.read_weights(model, table)[table[-1].path].tolist()))
model.fit(images[:4], labels[:4], batch_size=2, verbose=0, callbacks=[after])
shapes = [list(gradient.shape) for gradient in gradients]

words = keras.Sequential([keras.Input((3,)), keras.layers.Embedding(5, 1), keras.layers.Flatten()])
words.compile(record.GradientRecorder(), "mse")
words.optimizer.build(words.trainable_variables)
words.set_weights([np.ones((5, 1))])
for batch in ([[4, 4, 4], [4, 4, 4]], [[0, 1, 1], [2, 1, 3]]):
    words.fit(np.array(batch), np.zeros((2, 3)), batch_size=2, verbose=0)
occurrences = [words.optimizer.gradients()[0].ravel().tolist()]
largest = [float(np.abs(g).max()) for g in gradients]
print(json.dumps([rows, shapes, largest, still, steps, *occurrences, held, keras.backend.backend()]))
"""


@pytest.fixture(scope="module", params=["tensorflow", "jax", "torch"])
def recorded(request):
    """What one process records, a backend each."""
    ended = run_python("-c", SCRIPT, request.param)
    assert ended.status == 0, ended.err
    return json.loads(ended.out.strip().splitlines()[-1])


def test_recording_leaves_training_as_it_is(recorded):
    alone, heard, together, cut = recorded[0]
    assert alone[0] == heard[0] == together[0] == cut[0]
    for loss, mean in ((heard[1], heard[2]), (together[1], together[2]), (cut[1], cut[2])):
        assert mean == pytest.approx(loss, rel=1e-5)  # the batch losses are those that Keras averages


def test_rows_that_are_cut_are_held_once(recorded):
    *_, held, backend = recorded
    assert held == [True, True, backend != "tensorflow"]


def test_gradients_are_kept_and_the_weights_stay(recorded):
    _, shapes, largest, still, *_ = recorded
    assert shapes == [[784, 25], [25], [25, 10], [10]] and min(largest) > 0 and still


def test_the_gradient_of_a_word_is_the_sum_over_its_occurrences(recorded):
    # 2 w / 6 an occurrence, w = 1; the word 4 does not occur in the last batch
    assert recorded[5] == pytest.approx([1 / 3, 1, 1 / 3, 1 / 3, 0])


def test_an_optimizer_takes_the_gradients_that_are_put_in_place(recorded):
    # w = -.01 g; the second row begins at 997
    first, second = recorded[4]
    assert first == pytest.approx([-0.01 * value for value in range(10)], abs=1e-6)
    assert second == pytest.approx([-0.01 * (2 * value + 997) for value in range(10)], rel=1e-6)
