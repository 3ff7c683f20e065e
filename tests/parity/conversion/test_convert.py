"""Converting files of a pair's models: the examples there and back, runs that go on, and what cannot be converted."""

import os
import sys

import lightning
import numpy as np
import pytest
import torch
from conftest import ROOT, assert_user_error, interrupt_after, run_python

import parity
from mlp_spec.experiment import TrainingSpec
from mlp_spec.support.errors import UserError
from parity.adapters.torch import convert_pair
from parity.adapters.torch.user import UserCandidate
from parity.conversion import command, convert
from parity.conversion.command import ConvertFlags
from parity.conversion.judge import judge
from parity.pair import Pair, Settings
from parity.protocol import targets
from parity.protocol.task import CheckpointTask, Task, read_record, write_record

# Lightning's word on the epoch of one batch in which a checkpoint is made; a command does not show it
pytestmark = pytest.mark.filterwarnings("ignore:You defined a .validation_step. but have no .val_dataloader.")
EXAMPLES = {"digits_cnn": 32, "digits_batch_norm": 32, "diabetes": 16}  # rows of a batch
ROWS = 160  # of an epoch
START = """
import json, sys
from pathlib import Path
import numpy as np
from keras_reference import backend
backend.start("cpu", "float32", "tensorflow")
import keras
from mlp_spec.experiment import TrainingSpec
from parity.adapters.keras import convert_pair
from parity.adapters.keras.record import record_losses, recorded_losses
from parity.adapters.keras.user import UserReference
from parity.pair import Pair, Settings
from parity.protocol.task import CheckpointTask, Task, write_record

folder = Path(sys.argv[1])
for name in sys.argv[2:]:
    for module in ("data", "keras_model", "pair_right"):
        sys.modules.pop(module, None)
    here = folder / name
    here.mkdir(exist_ok=True)
    pair = Pair(Settings(name, "0" * 64, TrainingSpec()), file=f"examples/{name}/pair_right.py")

    def opened(file, contents=None):
        checkpoint = CheckpointTask(str(here / file), contents)
        return UserReference(Task((), str(here), pair, checkpoint=checkpoint))
"""
READS = (
    START
    + """
    reference = opened("trained.keras")
    keras.utils.set_random_seed(0)
    model, size = reference.file.call("keras_model"), reference.batch_size
    rows = {"x": reference.arrays.x_train[:160], "y": reference.arrays.y_train[:160], "batch_size": size,
            "shuffle": False, "verbose": 0}
    model.fit(**rows)
    model.save(here / "trained.keras")
    write_record(here, "facts", convert_pair.describe(reference))
    write_record(here, "read", convert_pair.read(reference))
    again = reference.file.call("keras_model")
    again.optimizer.build(again.trainable_variables)
    again.load_weights(here / "trained.keras")
    record_losses(again, 160 // size)
    again.fit(**rows)
    np.save(here / "losses.npy", recorded_losses(again))
"""
)
WRITES = (
    START
    + """
    convert_pair.describe(reference := opened("back.keras", str(here / "lightning" / "read.npz")))
    write_record(here, "write", convert_pair.write(reference))
    models = [keras.models.load_model(here / f"{one}.keras", safe_mode=True) for one in ("trained", "back")]
    values = [[*map(keras.ops.convert_to_numpy, (*m.weights, *m.optimizer.variables))] for m in models]
    same = len(values[0]) == len(values[1]) and all(a.tobytes() == b.tobytes() for a, b in zip(*values))
    (here / "same").write_text(str(same))
"""
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder for each example, with what Keras has trained, read, and gone on with."""
    folder = tmp_path_factory.mktemp("examples")
    ended = run_python("-c", READS, folder, *EXAMPLES)
    assert ended.status == 0, ended.err[-3000:]
    return folder


def opened(folder, name, file, contents=None) -> UserCandidate:
    """Opens an example's right port, to read or to write a file."""
    for module in ("data", "right_port", "pair_right"):
        sys.modules.pop(module, None)
    targets.load_source.cache_clear()
    checkpoint = CheckpointTask(str(folder / file), contents)
    (folder / "lightning").mkdir(exist_ok=True)
    pair = Pair(Settings(name, "0" * 64, TrainingSpec(batch_size=EXAMPLES[name])))
    pair = Pair(pair.experiment, file=str(ROOT / "examples" / name / "pair_right.py"))
    task = Task((), str(folder / "lightning"), pair, reference_dir=str(folder), checkpoint=checkpoint)
    return UserCandidate(task)


class Losses(lightning.Callback):
    """Keeps the losses of a run that goes on."""

    def __init__(self):
        self.losses = []

    def on_train_start(self, trainer, pl_module):
        """Keeps dropout from drawing."""
        for part in pl_module.modules():
            if isinstance(part, torch.nn.Dropout):
                part.p = 0.0

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        """Keeps one."""
        self.losses.append(float(outputs["loss"]))


def go_on(candidate: UserCandidate, name: str) -> list[float]:
    """Goes on by the user's own Trainer for the second epoch, with the rows that Keras is given; returns the losses."""
    losses, size = Losses(), EXAMPLES[name]
    x, y = (candidate.arrays[key][:ROWS] for key in ("x_train", "y_train"))
    batches = [candidate.batch_of(x[at : at + size], y[at : at + size]) for at in range(0, ROWS, size)]
    trainer = lightning.Trainer(
        max_epochs=2, accelerator="cpu", callbacks=[losses], logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, log_every_n_steps=1, limit_val_batches=0,
    )  # fmt: skip
    loader = torch.utils.data.DataLoader(batches, batch_size=None)
    trainer.fit(candidate.build(), loader, loader, ckpt_path=candidate.task.checkpoint.path, weights_only=True)
    return losses.losses


def cross(folder, name: str) -> dict:
    """Writes and reads again in Lightning what Keras has read; returns the checks, and the losses of going on."""
    target = convert_pair.write(opened(folder, name, "port.ckpt", str(folder / "read.npz")))
    candidate = opened(folder, name, "port.ckpt")
    source = convert_pair.read(candidate)
    write_record(folder / "lightning", "read", source)
    sides = read_record(folder, "read"), target
    return {"checks": judge(*sides), "losses": go_on(candidate, name), "step": source.step}


@pytest.fixture(scope="module")
def crossed(trained):
    """What each example's checkpoint held; and Keras has written it back."""
    threads = torch.get_num_threads()
    try:
        found = {name: cross(trained / name, name) for name in EXAMPLES}
    finally:
        torch.set_flush_denormal(False)
        torch.set_num_threads(threads)
    ended = run_python("-c", WRITES, trained, *EXAMPLES)
    assert ended.status == 0, ended.err[-3000:]
    return found


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_comes_back_to_the_bit(name, crossed, trained):
    assert [check.status for check in crossed[name]["checks"]] == ["pass"] * 5, crossed[name]["checks"]
    assert crossed[name]["step"] == ROWS // EXAMPLES[name]
    back = judge(read_record(trained / name / "lightning", "read"), read_record(trained / name, "write"))
    assert [check.status for check in back] == ["pass"] * 5, back
    assert (trained / name / "same").read_text() == "True"  # weights, moments, updates and rate of both .keras files


@pytest.mark.parametrize("name", ["digits_cnn", "diabetes"])
def test_lightning_goes_on_as_keras_does(name, crossed, trained):
    ours, theirs = np.load(trained / name / "losses.npy"), np.array(crossed[name]["losses"])
    assert len(theirs) == ROWS // EXAMPLES[name]
    assert np.allclose(theirs, ours, rtol=5e-6, atol=0), np.abs(theirs / ours - 1).max()


PAIR = ROOT / "examples" / "diabetes" / "pair_right.py"


def test_the_command_writes_and_says_what_it_checked(trained, tmp_path):
    source, target = trained / "diabetes" / "trained.keras", tmp_path / "port.ckpt"
    ended = run_python("-m", "parity", "convert", "--pair", PAIR, source, target)
    assert ended.status == 0, ended
    assert f"{source}: of {PAIR}, 8 tensors of 961 values, RMSprop after 10 updates\n" in ended.out
    assert "checked on keras_data():\n  pass  weights, to the bit " in ended.out
    assert "pass  outputs, validation rows" in ended.out and "pass  outputs, negative and large inputs" in ended.out
    assert (
        f"Written: {target}. It holds the weights, and RMSprop after 10 updates: fit(ckpt_path=...) goes on."
        in ended.out
    )
    assert os.listdir(tmp_path) == ["port.ckpt"]


def test_a_file_of_another_pair_ends_the_command(trained, tmp_path):
    source = trained / "digits_cnn" / "trained.keras"
    ended = run_python("-m", "parity", "convert", "--pair", PAIR, source, tmp_path / "port.ckpt")
    assert_user_error(
        ended, "trained.keras does not fit keras_model() of pair_right.py: missing: layers/dense_2/vars/0"
    )
    assert ended.err.count("\n") == 1 and os.listdir(tmp_path) == []


def test_ctrl_c_leaves_nothing(trained, tmp_path):
    source = trained / "diabetes" / "trained.keras"
    ended = interrupt_after("Keras reads", "-m", "parity", "convert", "--pair", PAIR, source, tmp_path / "port.ckpt")
    assert ended.status == 130 and "Traceback" not in ended.err and os.listdir(tmp_path) == []


# ---- what needs no framework


def refused(capsys, *flags) -> str:
    """Returns the message with which the command refuses flags."""
    assert command.main([str(flag) for flag in flags]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error: ") and err.count("\n") == 1
    return err


def test_wrong_flags_end_the_command_before_anything_starts(tmp_path, capsys):
    source, target = tmp_path / "a.keras", tmp_path / "a.ckpt"
    source.touch()
    assert "there is no pair file none.py" in refused(capsys, "--pair", "none.py", source, target)
    lab = ("--pair", PAIR, "--dataset", "mnist-sample", source, target)
    assert "--pair has data of its own; leave out --dataset" in refused(capsys, *lab)
    assert "one must end in .keras" in refused(capsys, "--pair", PAIR, source, tmp_path / "b.keras")
    assert "there is no file" in refused(capsys, "--pair", PAIR, tmp_path / "b.keras", target)
    target.write_text("precious")
    assert "exists already" in refused(capsys, "--pair", PAIR, source, target)
    assert target.read_text() == "precious"


def test_python_says_the_same(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(convert, "convert", asked.append)
    parity.convert("a.keras", tmp_path / "a.ckpt", PAIR, precision="float64")
    assert asked == [ConvertFlags("a.keras", str(tmp_path / "a.ckpt"), str(PAIR), precision="float64")]
    monkeypatch.undo()
    with pytest.raises(UserError, match=r"there is no file a\.keras"):
        parity.convert("a.keras", tmp_path / "a.ckpt", pair=PAIR)
    assert os.listdir(tmp_path) == []


HEADS = """
def keras_data():
    import numpy as np

    draw = np.random.default_rng(0)
    x, (a, b) = draw.random((64, 4)).astype("float32"), draw.random((2, 64, 1)).astype("float32")
    return (x, (a, b)), (x, (a, b))


def keras_model():
    import keras
    from keras import layers

    inputs = keras.Input((4,))
    second = layers.Dense(1)(inputs)
    first = layers.Dense(1)(inputs)
    model = keras.Model(inputs, [first, second])
    model.compile("sgd", ["mse", "mae"])
    return model


def lightning_module():
    import lightning
    import torch
    from torch import nn

    class Port(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.second, self.first = nn.Linear(4, 1), nn.Linear(4, 1)

        def forward(self, x):
            return self.first(x), self.second(x)

        def training_step(self, batch, batch_idx):
            x, a, b = batch
            first, second = self(x)
            return (first - a).square().mean() + (second - b).abs().mean()

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), 0.01)

    return Port()


def lightning_data():
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    (x, targets), _ = keras_data()
    rows = TensorDataset(*map(torch.from_numpy, (x, *targets)))
    return DataLoader(rows, batch_size=32), DataLoader(rows, batch_size=32)
"""


def test_two_heads_of_a_kind_cross_each_to_its_own(tmp_path):
    """Keras lists the first output's layer first; both sides write the second's first."""
    pair, source, target = tmp_path / "pair.py", tmp_path / "port.ckpt", tmp_path / "model.keras"
    pair.write_text(HEADS)
    weights = {"first.weight": torch.ones(1, 4), "second.weight": torch.full((1, 4), 2.0)}
    biases = {"first.bias": torch.zeros(1), "second.bias": torch.full((1,), 3.0)}
    torch.save({"state_dict": weights | biases}, source)
    ended = run_python("-m", "parity", "convert", "--pair", pair, source, target)
    assert ended.status == 0, ended
    code = "import keras, sys; print([float(v.numpy().mean()) for v in keras.models.load_model(sys.argv[1]).weights])"
    assert run_python("-c", code, target).out.splitlines()[-1] == "[1.0, 0.0, 2.0, 3.0]"
