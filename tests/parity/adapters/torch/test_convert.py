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
from parity.adapters.torch import convert
from parity.protocol.records import Contents
from parity.protocol.start import initial_weights
from parity.protocol.task import CheckpointTask, Task, write_record
from parity.protocol.tensors import dense_table

SLOTS = {
    optimizers.SGD(0.1): (),
    optimizers.SGD(0.1, 0.9, True): ("momentum",),
    optimizers.RMSprop(): ("velocity",),
    optimizers.RMSprop(momentum=0.5): ("momentum", "velocity"),
    optimizers.Adam(): ("momentum", "velocity"),
    optimizers.AdamW(): ("momentum", "velocity"),
}


IMAGES = np.random.default_rng(1).random((9, 784), dtype=np.float32)


def make_contents(optimizer, precision="float32", epochs=2, **changes) -> Contents:
    """What a run of five epochs might hold after the first two, of 8 updates each."""
    experiment = Experiment(ModelSpec((6, 5), "tanh"), TrainingSpec(optimizer, epochs=5, seed=3, precision=precision))
    draw, table = np.random.default_rng(0), dense_table(list(experiment.model.layer_sizes))
    weights = initial_weights(table, 1, precision)
    results = Results()
    for epoch in range(epochs):
        results.add_epoch(dict.fromkeys(CURVES, 1 / (epoch + 3)), 0.5)
    contents = Contents(
        experiment=experiment.to_dict(),
        run=Stamp(experiment, results).to_dict(),
        tensors=table,
        weights=weights,
        moments={
            slot: {path: draw.random(array.shape).astype(precision) for path, array in weights.items()}
            for slot in SLOTS[optimizer]
        },
        step=8 * epochs,
        source="a.keras",
        inputs={"some": IMAGES},
    )
    return replace(contents, **changes)


def write(contents: Contents, path) -> Contents:
    """Writes contents; returns what the target, read again, holds and predicts."""
    write_record(path.parent, "read", contents)
    checkpoint = CheckpointTask(str(path), str(path.parent / "read.npz"))
    return convert.write(Task(("write",), str(path.parent), checkpoint=checkpoint))


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", SLOTS, ids=str)
def test_what_is_written_is_read_again_to_the_bit(optimizer, precision, tmp_path):
    wanted = make_contents(optimizer, precision)
    target = write(wanted, tmp_path / "a.ckpt")
    assert (target.step, target.run, target.weights_only) == (16, wanted.run, None)
    assert target.experiment == wanted.experiment and target.moments.keys() == wanted.moments.keys()
    pairs = [(wanted.weights, target.weights), *((wanted.moments[s], target.moments[s]) for s in wanted.moments)]
    for ours, theirs in pairs:
        assert ours.keys() == theirs.keys()
        assert all(array.tobytes() == theirs[name].tobytes() for name, array in ours.items())


def test_lightning_finds_its_counts_where_it_left_them(tmp_path):
    write(make_contents(optimizers.Adam()), tmp_path / "a.ckpt")
    held = torch.load(tmp_path / "a.ckpt", weights_only=True)
    assert (held["epoch"], held["global_step"]) == (1, 16)
    epochs = held["loops"]["fit_loop"]["epoch_progress"]["current"]
    assert epochs == {"ready": 2, "started": 2, "processed": 2, "completed": 1}
    batches = held["loops"]["fit_loop"]["epoch_loop.batch_progress"]
    assert batches["total"]["completed"] == 16 and batches["current"]["completed"] == 8 and batches["is_last_batch"]
    assert held["callbacks"]["History"]["history"]["loss"] == [1 / 3, 1 / 4]
    assert [state["step"] for state in held["optimizer_states"][0]["state"].values()] == [16] * 6


def test_the_target_predicts_by_its_own_file(tmp_path):
    target = write(make_contents(optimizers.Adam()), tmp_path / "a.ckpt")
    model = LitMLP.load_from_checkpoint(tmp_path / "a.ckpt", weights_only=True, map_location="cpu")
    with torch.no_grad():
        known = model.predict_step(torch.from_numpy(IMAGES)).numpy()
    assert np.array_equal(target.probabilities["some"], known)


def test_weights_alone_predict_and_are_not_resumed(tmp_path):
    wanted = make_contents(optimizers.Adam(), moments={}, step=0, weights_only="a stranger's")
    target = write(wanted, tmp_path / "a.ckpt")
    assert (target.weights_only, target.moments, target.step) == ("a stranger's", {}, 0)
    assert LitMLP.load_from_checkpoint(tmp_path / "a.ckpt", weights_only=True, map_location="cpu")
    with pytest.raises(UserError, match=r"converted from a.keras and holds weights only \(a stranger's\)"):
        checkpoint.read_stamp(tmp_path / "a.ckpt")


def test_a_litmlp_of_ones_own_trainer_crosses_with_its_weights_only(tmp_path):
    model = LitMLP(hidden_sizes=(7,), activation="relu", optimizer="torch-adam", learning_rate=0.002)
    torch.save({"state_dict": model.state_dict(), "hyper_parameters": dict(model.hparams)}, tmp_path / "own.ckpt")
    contents, _ = convert.contents_of(CheckpointTask(str(tmp_path / "own.ckpt")))
    assert contents.run is None and contents.weights_only == "no training command of this project wrote it"
    experiment = Experiment.from_dict(contents.experiment)
    assert experiment.model == ModelSpec((7,), "relu")
    assert experiment.training.optimizer == optimizers.Adam(0.002)  # Keras lacks PyTorch's
    assert [tensor.torch_name for tensor in contents.tensors] == [
        "layers.0.weight", "layers.0.bias", "layers.2.weight", "layers.2.bias",
    ]  # fmt: skip


def test_a_run_whose_optimizer_was_never_stepped_is_refused(tmp_path):
    write(make_contents(optimizers.Adam()), tmp_path / "a.ckpt")
    held = torch.load(tmp_path / "a.ckpt", weights_only=True)
    held["global_step"] = 0
    torch.save(held, tmp_path / "a.ckpt")
    with pytest.raises(UserError, match="holds no state of its optimizer"):
        convert.contents_of(CheckpointTask(str(tmp_path / "a.ckpt")))
