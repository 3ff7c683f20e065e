"""Writing and reading `.keras` files for `parity convert`: every optimizer's state comes back to the bit."""

import json

import pytest
from conftest import run_python

SCRIPT = """
import json, sys
from dataclasses import replace
import numpy as np
from keras_reference import backend
backend.start("cpu", sys.argv[1], "tensorflow")
from keras_reference import checkpoint, train
from parity.adapters.keras import convert as exchange, tensors as layers, record as listen
from mlp_spec import optimizers
from mlp_spec.support.errors import UserError
from parity.protocol.contents import Contents, Task
from mlp_spec.experiment import Experiment, ModelSpec, TrainingSpec
from parity.protocol.recording import Recording
from mlp_spec.runs.resume import Stamp
from mlp_spec.runs.folder import CURVES, Results

draw, folder, told = np.random.default_rng(0), sys.argv[2], {}
images = draw.random((64, 784), dtype=np.float32)
labels = np.eye(10, dtype=np.float32)[draw.integers(0, 10, 64)]
results = Results()
results.add_epoch(dict.fromkeys(CURVES, 0.5), 1.0)
for number, optimizer in enumerate([
    optimizers.SGD(0.1), optimizers.SGD(0.1, 0.9, True), optimizers.RMSprop(), optimizers.RMSprop(momentum=0.5),
    optimizers.Adam(), optimizers.AdamW(),
]):
    experiment = Experiment(ModelSpec((6, 5), "tanh"), TrainingSpec(optimizer, epochs=5, seed=3, precision=sys.argv[1]))
    model = train.build(experiment)
    model.fit(images, labels, batch_size=16, verbose=0)
    first, second = f"{folder}/first-{number}.keras", f"{folder}/second-{number}.keras"
    checkpoint.save(model, Stamp(experiment, results), first)
    source = exchange.contents(checkpoint.load(first), checkpoint.read_members(first), Task(first, "nowhere"))
    arrays, metadata = source.to_recording()
    given = Recording({**arrays, "inputs/some": images}, metadata)
    found = exchange.write(Task(second, "nowhere"), given)
    target = Contents.from_recording(found)
    same = all(
        ours.keys() == theirs.keys() and all(a.tobytes() == theirs[name].tobytes() for name, a in ours.items())
        for ours, theirs in ((layers.weights(model), target.weights), (listen.moments(model), target.moments))
    )
    before = [np.array(value) for value in model.optimizer.variables]
    after = [np.array(value) for value in checkpoint.load(second).optimizer.variables]
    known = model.predict(images, batch_size=1000, verbose=0)
    told[str(optimizer)] = {
        "same": same, "step": target.step, "stamp": target.stamp == source.stamp, "slots": len(target.moments),
        "state": len(before) == len(after) and all(a.tobytes() == b.tobytes() for a, b in zip(before, after)),
        "predicts": np.array_equal(found.arrays["probabilities/some"], known),
    }

arrays, metadata = replace(source, moments={}, step=0, weights_only="a stranger's").to_recording()
exchange.write(Task(f"{folder}/alone.keras", "nowhere"), Recording({**arrays, "inputs/some": images}, metadata))
try:
    checkpoint.read_stamp(f"{folder}/alone.keras")
except UserError as error:
    told["alone"] = str(error)
try:
    listen.load_moments(model, {"dense_0/kernel/velocity": images}, 3)
except ValueError as error:
    told["other moments"] = str(error)
print(json.dumps(told))
"""


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_what_is_written_is_read_again_to_the_bit(precision, tmp_path):
    ended = run_python("-c", SCRIPT, precision, tmp_path)
    assert ended.status == 0, ended.err
    told = json.loads(ended.out.strip().splitlines()[-1])
    alone, other = told.pop("alone"), told.pop("other moments")
    assert [one.pop("slots") for one in told.values()] == [0, 6, 6, 12, 12, 12]
    expected = {"same": True, "step": 4, "stamp": True, "state": True, "predicts": True}
    assert told == dict.fromkeys(told, expected)
    assert "converted from first-5.keras and holds weights only (a stranger's)" in alone
    assert "the optimizer keeps dense_0/kernel/momentum" in other
