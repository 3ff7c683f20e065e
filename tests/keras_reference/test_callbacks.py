"""The callbacks of Keras's `fit`: the seconds of an epoch, and a bar with the epochs of the whole run."""

import json

import pytest
from conftest import run_python

CODE = """
import io, json, time
from contextlib import redirect_stdout
from keras_reference import backend
backend.start("cpu", "float32")
import keras, numpy as np
from keras_reference.callbacks import EpochTimer, Progress

model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
model.compile(loss="mse")
ones = np.ones((4, 1))

def printed(*callbacks, **options):
    text = io.StringIO()
    with redirect_stdout(text):
        model.fit(ones, ones, initial_epoch=2, epochs=3, callbacks=list(callbacks), **options)
    return text.getvalue()

texts = {
    "ours": printed(Progress(7, 2), verbose=0),
    "silent": printed(Progress(7, 0), verbose=2),
    "keras": printed(verbose=2),
}
timer = EpochTimer()
before = timer.seconds
printed(timer, verbose=0)
measured, clock = timer.seconds, iter([5.0, 8.5])
time.monotonic = lambda: next(clock)
timer.on_epoch_begin(0)
timer.on_epoch_end(0)
print(json.dumps({**texts, "before": before, "measured": measured, "seconds": timer.seconds}))
"""


@pytest.fixture(scope="module")
def keras():
    ended = run_python("-c", CODE)
    assert ended.status == 0, ended.err
    return json.loads(ended.out.splitlines()[-1])


def test_progress_counts_the_epochs_of_the_run(keras):
    assert "Epoch 3/7" in keras["ours"] and "loss" in keras["ours"]


def test_keras_itself_would_count_those_of_the_call(keras):
    assert "Epoch 3/3" in keras["keras"]


def test_the_runs_verbosity_decides(keras):
    assert keras["silent"] == ""


def test_the_timer_measures_an_epoch(keras):
    assert keras["before"] == 0 < keras["measured"]
    assert keras["seconds"] == 3.5  # from 5 to 8.5
