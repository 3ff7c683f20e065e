"""Writing and reading Lightning checkpoints for `parity convert`: every optimizer's state comes back to the bit."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from lightning_mlp import checkpoint
from lightning_mlp.model import LitMLP
from mlp_spec import optimizers
from mlp_spec.experiment import Experiment, ModelSpec, TrainingSpec
from mlp_spec.runs.folder import CURVES, Results
from mlp_spec.runs.resume import Stamp
from mlp_spec.support.errors import UserError
from parity.adapters.torch import convert as exchange
from parity.protocol import start as canonical
from parity.protocol.contents import Contents, Task
from parity.protocol.recording import Recording

SLOTS = {
    optimizers.SGD(0.1): (),
    optimizers.SGD(0.1, 0.9, True): ("momentum",),
    optimizers.RMSprop(): ("velocity",),
    optimizers.RMSprop(momentum=0.5): ("momentum", "velocity"),
    optimizers.Adam(): ("momentum", "velocity"),
    optimizers.AdamW(): ("momentum", "velocity"),
}


def contents(optimizer, precision="float32", epochs=2, weights_only=None):
    """What a run of five epochs might hold after the first two, of 8 updates each."""
    experiment = Experiment(ModelSpec((6, 5), "tanh"), TrainingSpec(optimizer, epochs=5, seed=3, precision=precision))
    draw, weights = np.random.default_rng(0), canonical.initial_weights(experiment.model, 1, precision)
    moments = {
        f"{name}/{slot}": draw.random(array.shape).astype(precision)
        for name, array in weights.items()
        for slot in SLOTS[optimizer]
    }
    results = Results()
    for epoch in range(epochs):
        results.add_epoch(dict.fromkeys(CURVES, 1 / (epoch + 3)), 0.5)
    return Contents(experiment, Stamp(experiment, results), weights, moments, 8 * epochs, "a.keras", weights_only)


def written(wanted, path):
    """Writes contents; returns what the target, read again, holds and predicts."""
    arrays, metadata = wanted.to_recording()
    images = np.random.default_rng(1).random((9, 784), dtype=np.float32)
    return exchange.write(Task(str(path), "nowhere"), Recording({**arrays, "inputs/some": images}, metadata))


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", SLOTS, ids=str)
def test_what_is_written_is_read_again_to_the_bit(optimizer, precision, tmp_path):
    wanted = contents(optimizer, precision)
    found = Contents.from_recording(written(wanted, tmp_path / "a.ckpt"))
    assert (found.step, found.stamp, found.weights_only) == (16, wanted.stamp, None)
    assert found.experiment == wanted.experiment
    for ours, theirs in ((wanted.weights, found.weights), (wanted.moments, found.moments)):
        assert ours.keys() == theirs.keys()
        assert all(array.tobytes() == theirs[name].tobytes() for name, array in ours.items())


def test_lightning_finds_its_counts_where_it_left_them(tmp_path):
    written(contents(optimizers.Adam()), tmp_path / "a.ckpt")
    held = torch.load(tmp_path / "a.ckpt", weights_only=True)
    assert (held["epoch"], held["global_step"]) == (1, 16)
    epochs = held["loops"]["fit_loop"]["epoch_progress"]["current"]
    assert epochs == {"ready": 2, "started": 2, "processed": 2, "completed": 1}
    batches = held["loops"]["fit_loop"]["epoch_loop.batch_progress"]
    assert batches["total"]["completed"] == 16 and batches["current"]["completed"] == 8 and batches["is_last_batch"]
    assert held["callbacks"]["History"]["history"]["loss"] == [1 / 3, 1 / 4]
    assert [state["step"] for state in held["optimizer_states"][0]["state"].values()] == [16] * 6


def test_the_target_predicts_by_its_own_file(tmp_path):
    found = written(contents(optimizers.Adam()), tmp_path / "a.ckpt")
    model = LitMLP.load_from_checkpoint(tmp_path / "a.ckpt", weights_only=True, map_location="cpu")
    images = torch.from_numpy(np.random.default_rng(1).random((9, 784), dtype=np.float32))
    with torch.no_grad():
        assert np.array_equal(found.arrays["probabilities/some"], model.predict_step(images).numpy())


def test_weights_alone_predict_and_are_not_resumed(tmp_path):
    wanted = replace(contents(optimizers.Adam()), moments={}, step=0, weights_only="a stranger's")
    found = Contents.from_recording(written(wanted, tmp_path / "a.ckpt"))
    assert (found.weights_only, found.moments, found.step) == ("a stranger's", {}, 0)
    assert LitMLP.load_from_checkpoint(tmp_path / "a.ckpt", weights_only=True, map_location="cpu")
    with pytest.raises(UserError, match=r"converted from a.keras and holds weights only \(a stranger's\)"):
        checkpoint.read_stamp(tmp_path / "a.ckpt")


def test_a_litmlp_of_ones_own_trainer_crosses_with_its_weights_only(tmp_path):
    model = LitMLP(hidden_sizes=(7,), activation="relu", optimizer="torch-adam", learning_rate=0.002)
    torch.save({"state_dict": model.state_dict(), "hyper_parameters": dict(model.hparams)}, tmp_path / "own.ckpt")
    held = checkpoint.read(tmp_path / "own.ckpt")
    found = exchange.contents(
        checkpoint.load_model(held, "own.ckpt"), held, Task(str(tmp_path / "own.ckpt"), "nowhere")
    )
    assert found.stamp is None and found.weights_only == "no training command of this project wrote it"
    assert found.experiment.model == ModelSpec((7,), "relu")
    assert found.experiment.training.optimizer == optimizers.Adam(0.002)  # Keras lacks PyTorch's


def test_a_run_whose_optimizer_was_never_stepped_is_refused(tmp_path):
    written(contents(optimizers.Adam()), tmp_path / "a.ckpt")
    held = torch.load(tmp_path / "a.ckpt", weights_only=True)
    held["global_step"] = 0
    with pytest.raises(UserError, match="holds no state of its optimizer"):
        exchange.contents(checkpoint.load_model(held, "a.ckpt"), held, Task("a.ckpt", "nowhere"))
