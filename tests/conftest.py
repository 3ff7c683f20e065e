"""Shared fixtures. This process never imports TensorFlow or Keras: they run as commands, as users run them."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
QUICK = ("--dataset", "mnist-sample", "--epochs", "2")


@dataclass(frozen=True)
class Ended:
    """A command that ended: exit status, standard output and standard error."""

    status: int
    out: str
    err: str


def surroundings(*without: str) -> dict[str, str]:
    """What a command started by a user finds in its environment, here without `without` too.

    Not MLP_DATA_DIR, so that no test takes the full MNIST unasked; nor the folder for compiled code, which torch
    writes into the environment of a process that imports it: this one, after the first test that does.
    """
    gone = {"MLP_DATA_DIR", "TORCHINDUCTOR_CACHE_DIR", *without}
    return {key: value for key, value in os.environ.items() if key not in gone}


def run_python(*arguments: str, env: dict[str, str] | None = None, cwd: Path = ROOT, timeout: float = 300) -> Ended:
    """Runs `python <arguments>`; without MLP_DATA_DIR unless `env` gives it."""
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**surroundings(), **(env or {})},
        cwd=cwd,
        timeout=timeout,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def interrupt_after(text: str, *arguments: str, timeout: float = 120) -> Ended:
    """Runs `python <arguments>` and sends it Ctrl-C as soon as its output holds `text`."""
    process = subprocess.Popen(
        [sys.executable, "-u", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=surroundings(),
        cwd=ROOT,
    )
    out, deadline = "", time.monotonic() + timeout
    for line in process.stdout:
        out += line
        if text in line:
            process.send_signal(signal.SIGINT)
            break
        assert time.monotonic() < deadline, out
    rest, err = process.communicate(timeout=timeout)
    return Ended(process.returncode, out + rest, err)


def assert_user_error(ended: Ended, *words: str) -> None:
    """Checks that a command refused its input: status 2, one message with these words, no traceback."""
    assert ended.status == 2, ended
    assert "Traceback" not in ended.err + ended.out, ended
    for word in words:
        assert word in ended.err, ended.err


@pytest.fixture(scope="session")
def full_mnist() -> str:
    """The folder with the full MNIST; the test is reported as not run without it."""
    folder = os.environ.get("MLP_DATA_DIR")
    if not folder:
        pytest.skip("NOT RUN: needs the full MNIST; set MLP_DATA_DIR or call make test DATA_DIR=...")
    return folder


@pytest.fixture(scope="session")
def keras_run(tmp_path_factory) -> Path:
    """The run folder of a short Keras training on the offline sample."""
    return short_run("keras_reference.train", tmp_path_factory.mktemp("keras"))


@pytest.fixture(scope="session")
def lightning_run(tmp_path_factory) -> Path:
    """The run folder of a short Lightning training on the offline sample."""
    return short_run("lightning_mlp.train", tmp_path_factory.mktemp("lightning"))


def short_run(module: str, folder: Path) -> Path:
    """Trains two epochs on the offline sample; the terminal's text is kept in `terminal.txt` beside the run."""
    ended = run_python("-m", module, *QUICK, "--output-dir", folder / "run")
    assert ended.status == 0, ended.err
    (folder / "terminal.txt").write_text(ended.out)
    (folder / "errors.txt").write_text(ended.err)
    return folder / "run"


@pytest.fixture(scope="session")
def parity_run(tmp_path_factory) -> tuple[Path, Ended]:
    """A short parity run of `small` on the offline sample: its folder and how it ended."""
    folder = tmp_path_factory.mktemp("parity") / "run"
    return folder, run_python("-m", "parity", "--dataset", "mnist-sample", "--level", "quick", "--output-dir", folder)
