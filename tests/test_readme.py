"""The README: its commands run, its files exist, its tables are the measured ones."""

import json
import re
import shlex
import shutil

import pytest
from conftest import README_RUNS, ROOT, readme_run, run_python
from PIL import Image

from benchmarks import tables
from mlp_spec.digits.load import load_sample
from mlp_spec.experiment import PRESETS
from mlp_spec.flags import TrainFlags, parse

README = (ROOT / "README.md").read_text()
COMMANDS = [line.split("#")[0].strip() for line in re.findall(r"^(?:python -m|make) .*$", README, re.MULTILINE)]


PORT = """
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class MyModule(pl.LightningModule):
    def __init__(self, width=25, lr=0.01):
        super().__init__()
        self.lr = lr
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(784, width), nn.Sigmoid(), nn.Linear(width, 10))
        for layer in (self.net[1], self.net[3]):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, images):
        return self.net(images)

    def training_step(self, batch, batch_idx):
        images, labels = batch
        loss = F.cross_entropy(self(images), labels)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch, batch_idx):
        images, labels = batch
        self.log("val_loss", F.cross_entropy(self(images), labels))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), self.lr)


class MyData(pl.LightningDataModule):
    def setup(self, stage=None):
        from mlp_spec.digits.load import load_sample

        digits = load_sample()
        splits = [(digits.train_images, digits.train_labels), (digits.test_images, digits.test_labels)]
        images, labels = ([torch.from_numpy(one) for one in both] for both in zip(*splits))
        self.sets = [TensorDataset(x[:, None] / 255, y.long()) for x, y in zip(images, labels)]

    def train_dataloader(self):
        return DataLoader(self.sets[0], batch_size=32, shuffle=True)

    def val_dataloader(self):
        return DataLoader(self.sets[1], batch_size=500)
"""
KERAS_MODEL = """
import keras


def build():
    sizes = [keras.layers.Dense(30, activation="relu"), keras.layers.Dense(10, activation="softmax")]
    model = keras.Sequential([keras.Input((784,)), *sizes])
    model.compile(optimizer=keras.optimizers.RMSprop(0.002), loss="sparse_categorical_crossentropy", metrics=["acc"])
    return model
"""


def test_there_are_commands_to_test():
    assert len([line for line in COMMANDS if line.startswith("python")]) == 23
    assert {"make run", "make test"} <= set(COMMANDS)


# What makes a command short; of the two that need a trained model, where their results are.
SHORTER = {
    "parity faults": ["--only", "InitScale"],
    "parity seeds": "--seeds 3 --epochs 5 --no-compile --margin 90 --margin-loss 9 --margin-area 90".split(),
}
WITH_A_MODEL = {
    "lightning_mlp.predict": ([], "digit.png"),
    "parity convert checkpoint": (["--dataset", "mnist-sample"], "model.ckpt"),
}


ALONE = [
    line
    for line in COMMANDS
    if line.startswith("python")
    and not re.search("gpu|my_pair", line)
    and not any(command in line for command in WITH_A_MODEL)
]


@pytest.mark.parametrize("line", README_RUNS)
def test_a_command_that_another_test_looks_at_runs(line, tmp_path_factory):
    assert line in COMMANDS
    folder, ended = readme_run(tmp_path_factory, line)
    assert ended.status == (1 if "torch-adam" in line else 0), ended
    assert any(folder.iterdir())


@pytest.mark.parametrize("line", [line for line in ALONE if line not in README_RUNS])
def test_a_command_of_the_readme_runs(line, tmp_path):
    """Word for word, but for one epoch on the offline sample instead of all on the full MNIST."""
    (tmp_path / "port.py").write_text(PORT)
    (tmp_path / "keras_model.py").write_text(KERAS_MODEL)
    quick = ["--output-dir", str(tmp_path / "run"), "--dataset", "mnist-sample"]
    shorter = [flags for command, flags in SHORTER.items() if command in line]
    short = "--epochs" in line or "--level quick" in line  # as it is: another test's recording serves it, too
    quick += shorter[0] if shorter else [] if short else ["--epochs", "1"]
    ended = run_python(*shlex.split(line)[1:], *quick, cwd=tmp_path)
    assert ended.status == 0, ended
    assert any((tmp_path / "run").iterdir())


def test_the_template_of_a_pair_file_passes_as_it_is(tmp_path):
    new, check, _ = (line for line in COMMANDS if "my_pair" in line)
    assert run_python(*shlex.split(new)[1:], cwd=tmp_path).status == 0
    ended = run_python(*shlex.split(check)[1:], cwd=tmp_path)
    assert ended.status == 0 and "PARITY: Keras and Lightning agree on my_pair" in ended.out, ended.out
    assert any((tmp_path / "runs").iterdir())


@pytest.mark.parametrize("command", WITH_A_MODEL)
def test_a_command_that_needs_a_model_runs(command, tmp_path, keras_run, lightning_run):
    (line,) = [line for line in COMMANDS if command in line]
    shutil.copy(keras_run / "checkpoint.keras", tmp_path)
    shutil.copy(lightning_run / "checkpoint.ckpt", tmp_path)
    Image.fromarray(255 - load_sample().test_images[0]).save(tmp_path / "digit.png")
    flags, result = WITH_A_MODEL[command]
    ended = run_python(*shlex.split(line)[1:], *flags, cwd=tmp_path)
    assert ended.status == 0, ended
    assert ended.out and (tmp_path / result).exists()


def test_the_gpu_command_is_a_command():
    (line,) = [line for line in COMMANDS if "gpu" in line]
    words = shlex.split(line)
    assert words[:3] == ["python", "-m", "lightning_mlp.train"]
    assert parse(TrainFlags, "test", "A test.", words[3:]).experiment() == PRESETS["bigger"]


def test_make_knows_every_target_of_the_readme():
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"`?make ([a-z-]+)", README)) - {"their"}
    assert {"run", "test", "measure"} <= targets
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_the_file_tree_is_the_real_one():
    tree = README.split("## Where things are")[1].split("```")[1]
    folder, listed = None, {}
    for line in tree.strip().splitlines():
        name, purpose = line.split(maxsplit=1)
        assert purpose
        if line.startswith(" "):
            listed[folder].append(name)
        else:
            folder = name.rstrip("/")
            listed[folder] = []
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert packages | {"tests", "examples", "notebooks", "docs"} == set(listed)
    for folder, names in listed.items():
        assert (ROOT / folder).is_dir()
        for name in names:
            assert (ROOT / folder / name).exists(), f"{folder}/{name}"


def test_files_that_are_named_exist():
    for name in re.findall(
        r"`((?:mlp_spec|keras_reference|lightning_mlp|parity|tests|benchmarks|notebooks|docs)/[\w./]+)`", README
    ):
        assert (ROOT / name).exists(), name


def test_the_tables_are_the_measured_ones():
    measured = json.loads((ROOT / "benchmarks" / "measured.json").read_text())
    assert set(measured["presets"]) == set(PRESETS)
    assert tables.insert_tables(README, tables.render(measured)) == README, "run make measure"
    # ...and of the experiments as they are now
    for preset, found in measured["presets"].items():
        assert found["parity"]["run_id"] == PRESETS[preset].run_id
