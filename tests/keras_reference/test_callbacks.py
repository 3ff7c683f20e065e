"""The callbacks of Keras's `fit`: the seconds of an epoch, a bar with the epochs of the whole run, and Ctrl-C."""

import json

import pytest
from conftest import run_python

CODE = """
import io, json, os, signal, threading, time
from contextlib import redirect_stdout
from keras_reference import backend
backend.start("cpu", "float32")
import keras, numpy as np
from keras_reference.callbacks import CtrlC, EpochTimer, Progress

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

def interrupted(batches, at, times=1):
    # trains with Ctrl-C sent `times` times where a batch begins; returns the batches that began, and what followed
    ended = []
    def send(batch, logs):
        ended.append(batch)
        if batch == at:
            for _ in range(times):
                os.kill(os.getpid(), signal.SIGINT)
                ended.append("sent")
    try:
        with CtrlC() as ctrl_c:
            sender = keras.callbacks.LambdaCallback(on_train_batch_begin=send)
            model.fit(np.ones((batches, 1)), np.ones((batches, 1)), batch_size=1, verbose=0, callbacks=[ctrl_c, sender])
            ended.append("trained")
    except KeyboardInterrupt:
        ended.append("interrupted")
    ended.append(signal.getsignal(signal.SIGINT) is signal.default_int_handler)
    return ended

signal.signal(signal.SIGINT, signal.default_int_handler)
stops = {"between": interrupted(3, 1), "last": interrupted(2, 1), "twice": interrupted(3, 0, times=2)}
signal.signal(signal.SIGINT, signal.SIG_IGN)
stops["ignored"] = interrupted(2, 0)
signal.signal(signal.SIGINT, signal.default_int_handler)
thread = threading.Thread(target=lambda: stops.update(thread=CtrlC().__enter__() is not None))
thread.start()
thread.join()
stops["kept"] = signal.getsignal(signal.SIGINT) is signal.default_int_handler
print(json.dumps({**texts, "before": before, "measured": measured, "seconds": timer.seconds, "stops": stops}))
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


def test_ctrl_c_waits_for_the_next_batch(keras):
    assert keras["stops"]["between"] == [0, 1, "sent", "interrupted", True]


def test_ctrl_c_behind_the_last_batch_is_not_lost(keras):
    assert keras["stops"]["last"] == [0, 1, "sent", "trained", "interrupted", True]


def test_a_second_ctrl_c_is_raised_at_once(keras):
    assert keras["stops"]["twice"] == [0, "sent", "interrupted", True]


def test_another_handler_and_another_thread_are_left_alone(keras):
    assert keras["stops"]["ignored"] == [0, "sent", 1, "trained", False]
    assert keras["stops"]["thread"] and keras["stops"]["kept"]
