"""Stateful layers of a pair file: what is refused, how much is trained in which order, and who resets states."""

import json

import pytest
import sample_stateful_pairs
from conftest import run_python

CODE = """
import json, sys
from pathlib import Path
import keras
import numpy as np
from mlp_spec.experiment import TrainingSpec
from mlp_spec.support.errors import UserError
from parity.adapters.keras import answer, recurrent, states
from parity.adapters.keras.user import UserReference
from parity.pair import Pair, Settings
from parity.protocol.answer import open_pair
from parity.protocol.task import Task

folder, said = Path(sys.argv[1]), {}


def opened(name, text, **task):
    path = folder / f"{name}.py"
    path.write_text(text)
    pair = Pair(Settings(name, "0" * 64, TrainingSpec(epochs=1)), file=str(path))
    return open_pair(Task((), str(folder), pair, **{"level": "quick", **task}), UserReference)


for name, text in json.loads(sys.argv[2]).items():
    try:
        opened(name, text)
        said[name] = ""
    except UserError as error:
        said[name] = str(error)
texts = json.loads(sys.argv[3])
one = opened("kept", texts["stateful"])
losses = answer.answer_lockstep(one).losses
left = states.read_states(one.model)
# what Keras's own fit does, called once for all epochs
keras.utils.set_random_seed(0)
whole, rows = one.build(), slice(one.plan.samples)
one.load(whole, one.start)
history = whole.fit(one.arrays.x_train[rows], one.arrays.y_train[rows], batch_size=10, epochs=one.plan.epochs,
                    shuffle=False, verbose=0, validation_data=(one.arrays.x_test, one.arrays.y_test)).history
means = losses.reshape(one.plan.epochs, -1).mean(axis=1)
restarts = answer.restarted_losses(one, one.variants()[0])
said |= {
    "plan": vars(one.plan), "stateful": vars(one.stateful), "rows": one.plan.order(0, 1, 330).tolist()[:3],
    "kinds": sorted({variant.kind for variant in one.variants()}), "eval": one.eval_batch,
    "batch": len(one.case_batch()[0]), "means": np.abs(means / history["loss"] - 1).max().item(),
    "left": max(float(np.abs(a - b).max()) for a, b in zip(left, states.read_states(whole))),
    "val": one.free_run.curves["val_loss"].tolist() == history["val_loss"],
    "restarts": float(np.abs(restarts / losses - 1).max()),
}
shuffled = opened("shuffled", texts["stateful"].replace('{"shuffle": False}', "{}"))
said["shuffled"] = [shuffled.plan.shuffled, shuffled.stateful.resets]
tf_data = ("from tensorflow.data import Dataset\\n"
           "keras_data = lambda: [Dataset.from_tensor_slices(split).batch(10) for split in series()]\\n")
said["in order"] = opened("data", texts["stateful"].replace('{"shuffle": False}', "{}") + tf_data).plan.shuffled
reset = opened("reset", texts["reset by a callback"])
answer.answer_lockstep(reset)
said["reset"] = [reset.stateful.resets, max(float(np.abs(state).max()) for state in states.read_states(reset.model)),
                 recurrent.looks_within_epochs(reset), reset.twin.steps_per_execution > 1]
within = texts["reset by a callback"].replace("on_epoch_end(self, epoch", "on_train_batch_end(self, batch")
within = opened("within", within)
said["within"] = [recurrent.looks_within_epochs(within), within.twin.steps_per_execution]
by_hand = 'keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: [layer.reset_states() for layer in []])'
by_hand = opened("lambda", texts["reset by a callback"].replace("Reset()]", f"{by_hand}]"))
said["lambda"] = [by_hand.stateful.resets, recurrent.looks_within_epochs(by_hand)]
print(json.dumps(said))
"""
CHANGES = {
    "batch size": ("BATCH_SIZE, EPOCHS = 10, 5", "EPOCHS = 5"),
    "last batch": ("reshape(-1, 6, 3)", "reshape(-1, 6, 3)[:-3]", "reshape(-1, 2)", "reshape(-1, 2)[:-3]"),
    "validation": ('{"shuffle": False}', '{"shuffle": False, "validation_batch_size": 20}'),
}


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What was said of pair files, and of a training of theirs."""
    refused = {name: sample_stateful_pairs.planted(*changes) for name, changes in CHANGES.items()}
    given = json.dumps(refused), json.dumps(sample_stateful_pairs.PAIRS)
    ended = run_python("-c", CODE, tmp_path_factory.mktemp("pairs"), *given)
    assert ended.status == 0, ended.err
    return json.loads(ended.out.splitlines()[-1])


def test_what_cannot_be_trained_is_refused(said):
    assert "take batches of 10 rows, and are given 32; BATCH_SIZE = 10 in a pair file says so" in said["batch size"]
    assert (
        "x_train has 327 rows, which leaves 7 for the last batch; stateful layers (first, second)" in said["last batch"]
    )
    assert said["validation"].endswith(
        "validation_batch_size is 20; stateful layers (first, second) take batches of 10 rows"
    )


def test_whole_batches_are_trained_in_the_order_of_fit(said):
    assert said["plan"] == {"epochs": 5, "samples": 320, "shuffled": False} and said["rows"] == [0, 1, 2]
    assert said["stateful"] == {"layers": ["first", "second"], "rows": 10, "resets": []}
    assert (said["eval"], said["batch"], said["kinds"]) == (10, 10, ["nudged"])
    assert said["shuffled"] == [True, []] and said["in order"] is False


def test_states_go_on_as_in_one_call_of_fit(said):
    assert said["val"] and said["left"] == 0 and said["means"] < 1e-6
    assert 0 < said["restarts"] < 1e-5  # from where the run itself left them, not from zeros


def test_callbacks_that_reset_states_take_part(said):
    assert said["reset"] == [["Reset"], 0, False, True]
    assert said["within"] == [True, 1]  # between batches they are called where each is a call of its own
    assert said["lambda"] == [["LambdaCallback"], False]


@pytest.mark.parametrize(("backend", "why"), [("jax", "on JAX their states stay zeros"), ("torch", "on torch an LSTM")])
def test_a_backend_that_does_not_train_them_is_refused(backend, why, tmp_path):
    path = tmp_path / "own.py"
    path.write_text(sample_stateful_pairs.STATEFUL)
    ended = run_python("-m", "parity", "check", path, "--keras-backend", backend, "--output-dir", tmp_path / "run")
    assert ended.status == 2 and why in ended.out and "use --keras-backend tensorflow" in ended.out, ended.out
