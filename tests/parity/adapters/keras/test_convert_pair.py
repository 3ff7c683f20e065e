"""`.keras` files of a pair file's model: every tensor comes back to the bit, and what is refused."""

import json

import pytest
from conftest import run_python

PAIR = """
lightning_module = lightning_data = lambda: None
WEIGHTS = {"scale/factor": "factor"}


def keras_data():
    import numpy as np

    draw = np.random.default_rng(0)
    x, y = draw.random((40, 4)).astype("float32"), draw.random((40, 2)).astype("float32")
    return (x, y), (x, y)


def model(activation="tanh", width=3, rate=0.25, compiled=True, optimizer=None, more=False, dtype=None):
    import keras
    from keras import layers

    class Scale(layers.Layer):  # not registered: Keras alone could not load a file with it
        def build(self, shape):
            self.factor = self.add_weight(shape=(shape[-1],), name="factor", initializer="ones")

        def call(self, x):
            return x * self.factor

    x = inputs = keras.Input((4,), dtype=dtype)
    x = layers.BatchNormalization(dtype=dtype)(layers.Dense(width, activation=activation, dtype=dtype)(x))
    x = layers.Dropout(rate, dtype=dtype)(Scale(name="scale", dtype=dtype)(x))
    x = layers.Dense(2, dtype=dtype)(x) if more else x
    one = keras.Model(inputs, layers.Dense(2, dtype=dtype)(x))
    if compiled:
        one.compile(optimizer or OPTIMIZER, "mse", run_eagerly=True)
    return one


def keras_model():
    return model()
"""

SCRIPT = """
import json, sys, zipfile
from dataclasses import replace
from pathlib import Path
import h5py
import numpy as np
from keras_reference import backend
backend.start("cpu", "float32", "tensorflow")
import keras
from keras.optimizers import SGD, Adam
from mlp_spec.experiment import TrainingSpec
from mlp_spec.support.errors import UserError
from parity.adapters.keras import convert_pair
from parity.adapters.keras.user import UserReference
from parity.conversion.judge import judge
from parity.pair import Pair, Settings
from parity.protocol import targets
from parity.protocol.task import CheckpointTask, Task, write_record

folder, text, answers = Path(sys.argv[1]), sys.argv[2], {}


def opened(optimizer):
    path = folder / "own_pair.py"
    path.write_text(f"from keras.optimizers import *\\n{text}".replace("OPTIMIZER", optimizer))
    targets.load_source.cache_clear()
    pair = Pair(Settings("own_pair", "0" * 64, TrainingSpec()), file=str(path))
    reference = UserReference(Task((), str(folder), pair))
    write_record(folder, "facts", convert_pair.describe(reference))
    return reference


def on(reference, name, contents=None, **options):
    path = None if contents is None else str(folder / "read.npz")
    if contents is not None:
        write_record(folder, "read", contents)
    task = replace(reference.task, checkpoint=CheckpointTask(str(folder / f"{name}.keras"), path, **options))
    reference.task = task
    return reference


def trained(reference, name, steps=2, **options):
    keras.utils.set_random_seed(0)
    model = reference.file.module.model(**options)
    x, y = reference.arrays.x_train, reference.arrays.y_train
    if model.compiled and steps:
        model.fit(x, y, batch_size=20, epochs=1, verbose=0)
    model.save(folder / f"{name}.keras")
    return model


convert_pair.pair_contents.NUDGES = 1
for optimizer in sys.argv[3:]:
    reference = opened(optimizer)
    model = trained(reference, "first")
    source = convert_pair.read(on(reference, "first"))
    target = convert_pair.write(on(reference, "second", source))
    again = reference.file.module.model()
    again.optimizer.build(again.trainable_variables)
    again.load_weights(folder / "second.keras")
    variables = [(*one.weights, *one.optimizer.variables) for one in (model, again)]
    values = [list(map(keras.ops.convert_to_numpy, some)) for some in variables]
    config = json.loads(zipfile.ZipFile(folder / "second.keras").read("config.json"))
    answers[optimizer] = {
        "same": len(values[0]) == len(values[1]) and all(a.tobytes() == b.tobytes() for a, b in zip(*values)),
        "checks": [check.status for check in judge(source, target)], "step": target.step,
        "slots": sorted(target.moments), "why": target.weights_only, "kind": target.optimizer,
        "rate": [layer["config"]["rate"] for layer in config["config"]["layers"] if layer["class_name"] == "Dropout"],
        "statistics": sum(float(abs(source.weights[p] - reference.start[p]).max()) > 0 for p in source.weights),
    }

# ---- weights alone

reference = opened("Adam()")
alone = {
    "uncompiled": {"compiled": False}, "other": {"optimizer": SGD()}, "fresh": {"steps": 0},
    "amsgrad": {"optimizer": Adam(amsgrad=True)},
}
for name, options in alone.items():
    trained(reference, name, **options)
answers["alone"] = {name: convert_pair.read(on(reference, name)).weights_only for name in alone}
trained(reference, "good")
asked = convert_pair.read(on(reference, "good", weights_only=True))
answers["alone"]["asked"] = asked.weights_only
target = convert_pair.write(on(reference, "alone", asked))
answers["alone"]["written"] = [target.weights_only, [check.status for check in judge(asked, target)]]
other = replace(convert_pair.read(on(reference, "good")), optimizer="SGD", moments={})
answers["alone"]["sgd"] = convert_pair.write(on(reference, "sgd", other)).weights_only
slower = replace(convert_pair.read(on(reference, "good")), learning_rate=0.0005)
answers["rate"] = convert_pair.write(on(reference, "slower", slower)).learning_rate
answers["note"] = json.loads(zipfile.ZipFile(folder / "slower.keras").read("converted.json"))
scheduled = opened("SGD(schedules.ExponentialDecay(0.1, 10, 0.9))")
trained(scheduled, "scheduled")
held = convert_pair.read(on(scheduled, "scheduled"))
answers["scheduled"] = [held.weights_only, held.step, held.learning_rate]
for name, optimizer in (("lamb", "Lamb()"), ("averages", "Adam(use_ema=True)")):
    other = opened(optimizer)
    trained(other, name)
    answers["alone"][name] = convert_pair.read(on(other, name)).weights_only

# ---- refused


def changed(name, change, of="slower"):
    with zipfile.ZipFile(folder / f"{of}.keras") as archive:
        members = {one: archive.read(one) for one in archive.namelist()}
    change(members)
    with zipfile.ZipFile(folder / f"{name}.keras", "w") as archive:
        for one, content in members.items():
            archive.writestr(one, content)


def in_note(**values):
    def change(members):
        members["converted.json"] = json.dumps({**json.loads(members["converted.json"]), **values}).encode()
    return change


def in_weights(place, value):
    def change(members):
        path = folder / "weights.h5"
        path.write_bytes(members["model.weights.h5"])
        with h5py.File(path, "r+") as file:
            file[place][...] = value
        members["model.weights.h5"] = path.read_bytes()
    return change


reference = opened("Adam()")
(folder / "text.keras").write_text("no model")
changed("version", in_note(format=7))
changed("pair", in_note(pair="their_pair.py", tensors=["Dense's kernel (9, 9)"]))
changed("nan", in_weights("layers/batch_normalization/vars/3", np.nan))
changed("nan-moments", in_weights("optimizer/vars/2", np.inf))
changed("empty", lambda members: members.pop("model.weights.h5"))
changed("damaged", lambda members: members.update({"model.weights.h5": b"nothing"}))
trained(reference, "shape", width=5)
trained(reference, "extra", more=True)
trained(reference, "relu", activation="relu")
trained(reference, "dropout", rate=0.5)
trained(reference, "float64", dtype="float64")
answers["refused"] = {}
for name in ("text", "version", "pair", "nan", "nan-moments", "empty", "damaged", "shape", "extra", "relu", "dropout",
             "float64"):
    try:
        convert_pair.read(on(reference, name))
    except UserError as error:
        answers["refused"][name] = str(error)
print(json.dumps(answers))
"""

OPTIMIZERS = ("SGD(0.1)", "SGD(0.1, 0.9)", "Nadam()", "RMSprop(momentum=0.5)", "Adamax()", "Adadelta()", "Lion()")
REFUSED = {
    "text": "damaged or not a .keras file",
    "version": "was converted by another version (format 7, this version reads 1); convert good.keras again",
    "pair": "was converted for another pair, their_pair.py: its tensors differ from",
    "nan": "holds what is not a number (NaN or infinite): batch_normalization",
    "nan-moments": "holds what is not a number (NaN or infinite): momentum of dense",
    "empty": "is not a .keras file",
    "damaged": "is not a .keras file",
    "shape": "does not fit keras_model() of own_pair.py: of another shape: layers/batch_normalization/vars/0 is (5,)",
    "extra": "extra: layers/dense_2/vars/0 (2, 2)",
    "relu": 'is of another model than keras_model() of own_pair.py: config.layers[1].config.activation is "relu", not',
    "dropout": "config.layers[4].config.rate is 0.5, not 0.25",
    "float64": "float64 weights (layers/batch_normalization/vars/0), the models are float32; add --precision float64",
}


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """What one process of Keras reads, writes and refuses."""
    ended = run_python("-c", SCRIPT, tmp_path_factory.mktemp("files"), PAIR, *OPTIMIZERS)
    assert ended.status == 0, ended.err[-3000:]
    return json.loads(ended.out.strip().splitlines()[-1])


def test_what_is_written_is_read_again_to_the_bit(answers):
    slots = {
        "SGD(0.1)": [], "SGD(0.1, 0.9)": ["momentum"], "Lion()": ["momentum"], "Adamax()": ["momentum", "norm"],
        "Adadelta()": ["accumulator", "delta"],
    }  # fmt: skip
    for optimizer in OPTIMIZERS:
        found = answers[optimizer]
        assert found.pop("slots") == slots.get(optimizer, ["momentum", "velocity"]), optimizer
        assert found.pop("kind") == optimizer.partition("(")[0]
        assert found.pop("statistics") == 9  # the kernels are of other draws, biases and statistics have moved
        assert found == {"same": True, "checks": ["pass"] * 5, "step": 2, "why": None, "rate": [0.25]}, optimizer


def test_weights_alone_cross_where_the_moments_cannot(answers):
    alone = answers["alone"]
    assert alone["uncompiled"] == "uncompiled.keras is not compiled: it has no optimizer"
    assert alone["other"] == "the optimizer in other.keras is SGD, keras_model()'s is Adam"
    assert alone["fresh"] == "the optimizer in fresh.keras has made no update"
    assert alone["amsgrad"] == "the Adam in amsgrad.keras keeps other moments than keras_model()'s"
    assert alone["asked"] == "asked for by --weights-only"
    assert alone["written"] == ["asked for by --weights-only", ["pass"] * 3]
    assert alone["sgd"] == "the optimizer in good.keras is SGD, keras_model()'s is Adam"
    assert alone["averages"] == "Keras's Adam, as it is set, keeps what no known optimizer of PyTorch's does"
    assert alone["lamb"] == "Keras's Lamb, as it is set, keeps what no known optimizer of PyTorch's does"


def test_the_rate_and_a_note_cross_too(answers):
    assert answers["rate"] == pytest.approx(0.0005)
    assert answers["scheduled"] == [None, 2, None]
    note = answers["note"]
    assert (note["format"], note["pair"], note["from"], note["weights_only"]) == (1, "own_pair.py", "good.keras", None)
    assert note["tensors"][6] == "Scale's factor (3,)"


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_does_not_fit_is_refused(name, answers):
    assert REFUSED[name] in answers["refused"][name] and f"{name}.keras" in answers["refused"][name]
