"""Writing and reading `.keras` files for `parity convert`: every optimizer's state comes back to the bit."""

import json

import pytest
from conftest import run_python

SCRIPT = """
import json, sys
from dataclasses import replace
from pathlib import Path
import numpy as np
from keras_reference import backend
backend.start("cpu", sys.argv[1], "tensorflow")
from keras_reference import checkpoint, train
from mlp_spec import optimizers
from mlp_spec.experiment import Experiment, ModelSpec, TrainingSpec
from mlp_spec.runs.folder import CURVES, Results
from mlp_spec.runs.resume import Stamp
from mlp_spec.support.errors import UserError
from parity.adapters.keras import convert, tensors
from parity.protocol.task import CheckpointTask, Task, write_record

draw, folder, answers = np.random.default_rng(0), sys.argv[2], {}
images = draw.random((64, 784), dtype=np.float32)
labels = np.eye(10, dtype=np.float32)[draw.integers(0, 10, 64)]
results = Results()
results.add_epoch(dict.fromkeys(CURVES, 0.5), 1.0)

def write(source, path):
    write_record(folder, "read", replace(source, inputs={"some": images}))
    return convert.write(Task(("write",), folder, checkpoint=CheckpointTask(path, f"{folder}/read.npz")))

def same(ours, theirs):
    return ours.keys() == theirs.keys() and all(a.tobytes() == theirs[name].tobytes() for name, a in ours.items())

for number, optimizer in enumerate([
    optimizers.SGD(0.1), optimizers.SGD(0.1, 0.9, True), optimizers.RMSprop(), optimizers.RMSprop(momentum=0.5),
    optimizers.Adam(), optimizers.AdamW(),
]):
    experiment = Experiment(ModelSpec((6, 5), "tanh"), TrainingSpec(optimizer, epochs=5, seed=3, precision=sys.argv[1]))
    model = train.build(experiment)
    model.fit(images, labels, batch_size=16, verbose=0)
    first, second = f"{folder}/first-{number}.keras", f"{folder}/second-{number}.keras"
    checkpoint.save(model, Stamp(experiment, results), first)
    source = convert.contents_of(checkpoint.load(first), checkpoint.read_members(first), CheckpointTask(first))
    target = write(source, second)
    weights, moments = tensors.read_weights(model, source.tensors), tensors.read_moments(model, source.tensors)
    before = [np.array(value) for value in model.optimizer.variables]
    after = [np.array(value) for value in checkpoint.load(second).optimizer.variables]
    known = model.predict(images, batch_size=1000, verbose=0)
    answers[str(optimizer)] = {
        "same": same(weights, target.weights) and moments.keys() == target.moments.keys()
        and all(same(moments[slot], target.moments[slot]) for slot in moments),
        "step": target.step, "run": target.run == source.run, "slots": sum(map(len, target.moments.values())),
        "state": len(before) == len(after) and all(a.tobytes() == b.tobytes() for a, b in zip(before, after)),
        "predicts": np.array_equal(target.probabilities["some"], known),
    }

write(replace(source, moments={}, step=0, weights_only="a stranger's"), f"{folder}/alone.keras")
try:
    checkpoint.read_stamp(f"{folder}/alone.keras")
except UserError as error:
    answers["alone"] = str(error)
try:
    tensors.load_moments(model, source.tensors, {"velocity": {"dense/kernel": images}}, 3)
except ValueError as error:
    answers["other moments"] = str(error)
print(json.dumps(answers))
"""


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_what_is_written_is_read_again_to_the_bit(precision, tmp_path):
    ended = run_python("-c", SCRIPT, precision, tmp_path)
    assert ended.status == 0, ended.err
    answers = json.loads(ended.out.strip().splitlines()[-1])
    alone, other = answers.pop("alone"), answers.pop("other moments")
    assert [answer.pop("slots") for answer in answers.values()] == [0, 6, 6, 12, 12, 12]
    expected = {"same": True, "step": 4, "run": True, "state": True, "predicts": True}
    assert answers == dict.fromkeys(answers, expected)
    assert "converted from first-5.keras and holds weights only (a stranger's)" in alone
    assert "the optimizer keeps momentum, velocity, got velocity" in other
