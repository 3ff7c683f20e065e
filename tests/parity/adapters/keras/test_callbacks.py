"""Keras's own callbacks on a carrier: what they decide is what they decide in `fit`; nothing of a user's is touched."""

import json

from conftest import run_python

SCRIPT = """
import json, os, sys
from types import SimpleNamespace
from keras_reference import backend
backend.start("cpu", "float32", "tensorflow")
import keras
import numpy as np
from keras import callbacks as C
from mlp_spec.support.errors import UserError
from parity.adapters.keras import callbacks
from parity.protocol.inputs import Plan

os.chdir(sys.argv[1])
train, test = (np.ones((77, columns)) for columns in (2, 1)), (np.ones((9, columns)) for columns in (2, 1))
rows = SimpleNamespace(**dict(zip(("x_train", "y_train", "x_test", "y_test"), (*train, *test))))
model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
model.compile("sgd", "binary_crossentropy", metrics=["accuracy", "mae"])


def reference(given=(), rate=0.01):
    model.optimizer = keras.optimizers.SGD(rate)
    return SimpleNamespace(
        fit_options={"callbacks": given}, first=model, recorder=model, arrays=rows, batch_size=8,
        experiment=SimpleNamespace(training=SimpleNamespace(epochs=3)), file=SimpleNamespace(where=lambda name: name),
        own_rate=None, rows_for_fit=lambda x, y: {"x": x, "y": y}, plan=Plan(16, 77),
    )


answers = {}
try:
    callbacks.answer_callbacks(reference([3]))
except UserError as error:
    answers["refused"] = str(error)
found = callbacks.answer_callbacks(reference([C.EarlyStopping("val_acc", mode="max"), C.LearningRateScheduler(float)]))
answers["logged"] = [found.logged, found.callbacks[0].lacks_metric, found.stops.any().item()]


class Values(C.Callback):
    def on_epoch_end(self, epoch, logs=None):
        logs["val_loss"] = float(values[epoch])


stop = C.EarlyStopping(patience=2, restore_best_weights=True)
plateau = C.ReduceLROnPlateau(patience=2, cooldown=1, factor=0.5)
found = callbacks.answer_callbacks(reference([stop, plateau]))
answers["rate"] = callbacks.rate_of(model.optimizer)
same = []
def fitted(callback):
    return model.fit(
        rows.x_train, rows.y_train, epochs=len(values), verbose=0, batch_size=77, callbacks=[Values(), callback]
    ).history


for number, values in enumerate(found.lists.values()):
    if number in (0, 2, 9, 16, 17):
        model.optimizer.learning_rate = 0.01
        fitted(stop)
        stopped = stop.stopped_epoch and stop.stopped_epoch + 1
        same.append([
            stopped == found.stops[number], stop.best_epoch + 1 == found.weights[number],
            np.allclose(fitted(plateau)["learning_rate"], found.rates[number]), stopped > 0,
        ])
answers["same"] = [[bool(one) for one in row] for row in same]
one = C.ModelCheckpoint("/never/{epoch}/of-{val_loss:.2f}.keras", save_best_only=True)
found = callbacks.answer_callbacks(reference([one]))
answers["files"] = [found.kept[0, 0].all().item(), found.kept[0, 1].sum().item(), one.filepath, one.best]
answers["none"] = callbacks.answer_callbacks(reference(None)).callbacks
decay = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)
answers["trained"] = len(callbacks.answer_callbacks(reference(rate=decay)).step_rates)
answers["plans"] = []
for every in (None, 2, 4, 5):
    one = reference()
    one.first = SimpleNamespace(optimizer=keras.optimizers.SGD(gradient_accumulation_steps=every))
    answers["plans"].append(callbacks.whole_updates(Plan(2, 50), one).samples)
begun = reference([C.LearningRateScheduler(lambda epoch, rate: rate * 0.5)], 0.5)
for _ in range(2):
    callbacks.begin(model, begun)
answers["begun"] = [callbacks.rate_of(model.optimizer), callbacks.answer_callbacks(begun).step_rates[::10].tolist()]
answers["begun"].append(callbacks.rate_of(model.optimizer))
answers["left"] = os.listdir()
print(json.dumps(answers))
"""


def test_callbacks_decide_as_in_fit_and_leave_nothing(tmp_path):
    ended = run_python("-c", SCRIPT, tmp_path)
    assert ended.status == 0, ended.err
    found = json.loads(ended.out.splitlines()[-1])
    assert found["trained"] == 16 * 10  # a short training has more epochs at the quick level than the user's
    assert "callbacks holds int, which is no keras.callbacks.Callback" in found["refused"]
    names, lacks, stops = found["logged"]
    assert sorted(names) == ["accuracy", "learning_rate", "loss", "mae", "val_accuracy", "val_loss", "val_mae"]
    assert lacks and not stops  # `fit` logs no val_acc, warns, and goes on
    assert all(all(row[:3]) for row in found["same"]), found["same"]
    assert {row[3] for row in found["same"]} == {True, False} and round(found["rate"], 8) == 0.01
    assert found["files"] == [True, 1, "/never/{epoch}/of-{val_loss:.2f}.keras", None] and found["left"] == []
    assert found["none"] == []
    assert found["begun"] == [
        0.25,
        [0.25, 0.125, 0.0625],
        0.25,
    ]  # the first epoch's rate, though the optimizer's is 0.5
    # of 10 batches an epoch, 7 planned: to the last update, unless the training's epochs end elsewhere
    assert found["plans"] == [50, 44, 50, 36]
