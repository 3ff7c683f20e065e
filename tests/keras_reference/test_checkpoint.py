"""Keras checkpoints: what was saved comes back, and what cannot be resumed or loaded is refused."""

import json
import zipfile

import pytest
from conftest import run_python

from keras_reference.checkpoint import read_members, read_stamp
from mlp_spec.experiment import PRESETS
from mlp_spec.runs.folder import CURVES, Results
from mlp_spec.runs.resume import Stamp, converted
from mlp_spec.support.errors import UserError

CODE = """
import json, sys, zipfile
from pathlib import Path
folder = Path(sys.argv[1])
from keras_reference import backend
backend.start("cpu", "float32")
import keras, numpy as np
from keras_reference import checkpoint
from keras_reference.model import build_model, compile_model
from mlp_spec.runs.resume import Stamp
from mlp_spec.support.errors import UserError

model = compile_model(build_model(hidden_sizes=(3,)), "adam")
x, y = np.random.default_rng(0).random((6, 784), "float32"), np.eye(10)[[3, 1, 4, 1, 5, 9]]
model.fit(x, y, batch_size=2, verbose=0)
stamp, note = json.loads(sys.argv[2])
checkpoint.save(model, Stamp.from_dict(stamp, "given"), folder / "run.keras")
checkpoint.save(model, None, folder / "converted.keras", note)
model.save(folder / "foreign.keras")
again = checkpoint.load(folder / "run.keras")
same = all((a == b).all() for a, b in zip(model.get_weights(), again.get_weights(), strict=True))
steps = int(again.optimizer.iterations)
model.fit(x, y, shuffle=False, verbose=0), again.fit(x, y, shuffle=False, verbose=0)
goes_on = all((a == b).all() for a, b in zip(model.get_weights(), again.get_weights(), strict=True))

keras.Sequential([keras.Input((1,)), keras.layers.Lambda(lambda x: x + 1)]).save(folder / "lambda.keras")
with zipfile.ZipFile(folder / "empty.keras", "w") as archive:
    archive.writestr("config.json", "{}")
refusals = []
for name in ("lambda", "empty"):
    try:
        checkpoint.load(folder / f"{name}.keras")
    except UserError as error:
        refusals.append(str(error))
files = sorted(path.name for path in folder.iterdir())
print(json.dumps({"same": same, "steps": steps, "goes_on": goes_on, "refusals": refusals, "files": files}))
"""
RESULTS = Results({name: [0.5, 0.25] for name in CURVES}, [1.5, 2.5], 3.5)
STAMP = Stamp(PRESETS["bigger"], RESULTS)
NOTE = converted("model.ckpt", "trained by PyTorch's own Adam")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("checkpoints")


@pytest.fixture(scope="module")
def keras(folder):
    ended = run_python("-c", CODE, folder, json.dumps([STAMP.to_dict(), NOTE]))
    assert ended.status == 0, ended.err
    return json.loads(ended.out.splitlines()[-1])


def test_weights_and_optimizer_come_back_and_training_goes_on_the_same(keras):
    assert keras["same"] and keras["steps"] == 3 and keras["goes_on"]


def test_the_stamp_comes_back_without_keras(keras, folder):
    assert read_stamp(folder / "run.keras") == STAMP


def test_the_note_of_a_converted_checkpoint_comes_back(keras, folder):
    assert read_members(folder / "converted.keras")["converted.json"] == NOTE


def test_saving_leaves_no_temporary_file(keras):
    assert keras["files"] == ["converted.keras", "empty.keras", "foreign.keras", "lambda.keras", "run.keras"]


@pytest.mark.parametrize(
    ("name", "words"),
    [("foreign", "was not written by this command"), ("converted", "holds weights only"), ("none", "cannot be read")],
)
def test_a_checkpoint_that_cannot_be_resumed_is_refused(keras, folder, name, words):
    with pytest.raises(UserError, match=words):
        read_stamp(folder / f"{name}.keras")


def test_code_in_a_file_and_a_file_without_a_model_are_refused(keras):
    assert [words in text for words, text in zip(("lambda.keras", "empty.keras"), keras["refusals"], strict=True)] == [
        True,
        True,
    ]
    assert all("cannot be loaded" in text for text in keras["refusals"])


def test_a_damaged_file_is_refused(tmp_path):
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("run.json", json.dumps(STAMP.to_dict()))
    assert read_stamp(path) == STAMP
    content = path.read_bytes()
    path.write_bytes(content.replace(b"mnist", b"tsinm", 1))
    with pytest.raises(UserError, match=r"is damaged \(in run\.json\)"):
        read_members(path)
    path.write_bytes(content[:100])
    with pytest.raises(UserError, match=r"damaged or not a \.keras file"):
        read_members(path)
