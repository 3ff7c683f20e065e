"""What Keras's callbacks are: every class that Keras has is known, or named as one that is not compared."""

import json

from conftest import run_python

SCRIPT = """
import inspect, json
import keras
from keras import callbacks as C
from mlp_spec.support.errors import UserError
from parity.adapters.keras import callback_kinds as kinds

model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
model.compile("sgd", "binary_crossentropy", metrics=["accuracy", "mae"])
model.fit(keras.ops.ones((2, 2)), keras.ops.ones((2, 1)), verbose=0)
classes = [one for _, one in inspect.getmembers(C, inspect.isclass) if issubclass(one, C.Callback)]
answers = {"others": [one.__name__ for one in classes if not set(one.__mro__) & set(kinds.ROLES)]}
given = [C.EarlyStopping("val_accuracy"), C.EarlyStopping("mae"), C.EarlyStopping("x", mode="max"), C.History()]
answers["ways"] = [kinds.direct(one, model) for one in given]
try:
    kinds.direct(C.EarlyStopping("val_own"), model)
except UserError as error:
    answers["refused"] = str(error)
best = C.ModelCheckpoint("a.keras", "val_loss", save_best_only=True, save_freq=5)
for name, one in {"own": type("Own", (C.EarlyStopping,), {})("loss", patience=2, min_delta=-0.5), "best": best,
                  "nan": C.TerminateOnNaN(), "lambda": C.LambdaCallback()}.items():
    described = kinds.describe_callback(one, "min", ["loss"])
    answers[name] = [described.role, described.monitor, described.settings]
print(json.dumps(answers))
"""


def test_callbacks_are_described(tmp_path):
    ended = run_python("-c", SCRIPT, tmp_path)
    assert ended.status == 0, ended.err
    found = json.loads(ended.out.splitlines()[-1])
    # a new one of Keras's: say in ROLES what it decides
    assert set(found["others"]) <= {"Callback", "CallbackList", "LambdaCallback", "OrbaxCheckpoint"}
    assert found["ways"] == ["max", "min", "max", ""]
    assert found["refused"].startswith("keras_fit(): EarlyStopping callback received monitor=val_own, but Keras isn't")
    role, monitor, settings = found["own"]
    assert (role, monitor, settings["min_delta"], settings["logged"]) == ("stops the training", "loss", 0.5, True)
    role, _, settings = found["best"]
    assert (role, settings["by_batches"], settings["save_freq"], settings["logged"]) == ("saves files", True, 5, False)
    assert found["nan"][2] == {"terminates_on_nan": True} and found["lambda"][:2] == ["does anything", ""]
