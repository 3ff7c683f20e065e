"""Shared fixtures. This process never imports TensorFlow or Keras: they run as commands, as users run them.

A command is started warm (`tests/warm/`): forked from a process that has imported its framework, which saves the
seconds of every import. `--cold` starts every command as usual. What the session's fixtures make is made once for
all workers of `pytest -n`.
"""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import pytest
from filelock import FileLock
from schedule import schedule
from warm import session as warm

ROOT = Path(__file__).parent.parent
PYTHON = warm.PYTHON
QUICK = ("--dataset", "mnist-sample", "--epochs", "2")
# Written into the environment of a process that uses torch or Lightning: this one, in a test that does.
LEFT_BEHIND = {"TORCHINDUCTOR_CACHE_DIR", "PYTORCH_NVML_BASED_CUDA_CHECK", "PL_GLOBAL_SEED", "PL_SEED_WORKERS"}
FOUND = frozenset(os.environ)  # at the start of the session


@dataclass(frozen=True)
class Ended:
    """A command that ended: exit status, standard output and standard error."""

    status: int
    out: str
    err: str


# ---- the session ---------------------------------------------------------------------------------------------------


def pytest_addoption(parser) -> None:
    """Adds the option that starts every command as a user does."""
    parser.addoption("--cold", action="store_true", help="start every command with a python of its own")


def pytest_configure(config) -> None:
    """Puts the python that starts warm in the place of `sys.executable`, in the processes that run tests."""
    if hasattr(config, "workerinput"):
        folder = config.workerinput["warm"]
    elif config.getoption("cold") or config.option.collectonly or not warm.can_start_warm():
        folder = None
    else:
        folder = tempfile.mkdtemp(prefix="warm-")
        warm.write(Path(folder), surroundings())
    config.stash[WARM] = folder
    if config.getoption("numprocesses", None):
        config.stash[GROUPS] = tempfile.mkstemp(prefix="groups-")[1]
    if folder and not config.getoption("numprocesses", None):
        sys.executable = str(Path(folder) / "python")


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown() -> None:
    """Takes back what a test has left in the environment: else the commands of all later tests start cold."""
    for name in os.environ.keys() - FOUND:
        if not name.startswith("PYTEST_"):
            del os.environ[name]


WARM = pytest.StashKey[str | None]()
GROUPS = pytest.StashKey[str]()  # a file: the group of every test by its id


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node) -> None:
    """Tells a worker of pytest-xdist where the session's warm processes are, and where to leave its groups."""
    node.workerinput |= {"warm": node.config.stash[WARM], "groups": node.config.stash[GROUPS]}


def pytest_unconfigure(config) -> None:
    """Removes the folder of the warm processes, which end with this one."""
    sys.executable = PYTHON
    folder = config.stash.get(WARM, None)
    if folder and not hasattr(config, "workerinput"):
        shutil.rmtree(folder, ignore_errors=True)
    if GROUPS in config.stash:
        Path(config.stash[GROUPS]).unlink(missing_ok=True)


def pytest_collection_modifyitems(config, items) -> None:
    """Puts long tests first; a worker of pytest-xdist tells which belong together."""
    groups = schedule(items)
    if hasattr(config, "workerinput"):
        Path(config.workerinput["groups"]).write_text(json.dumps(groups))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Keeps the tests that share a module's fixture on one worker, in the order of `schedule`."""
    from xdist.scheduler import LoadScopeScheduling

    class Groups(LoadScopeScheduling):
        @cached_property
        def groups(self) -> dict[str, str]:
            return json.loads(Path(config.stash[GROUPS]).read_text())  # every worker has collected by now

        def _split_scope(self, nodeid: str) -> str:
            return self.groups[nodeid]

    config.option.loadscopereorder = False
    return Groups(config, log)


# ---- commands ------------------------------------------------------------------------------------------------------


def surroundings(*without: str) -> dict[str, str]:
    """What a command started by a user finds in its environment, here without `without` too.

    Not MLP_DATA_DIR, so that no test takes the full MNIST unasked; nor what an import has left behind.
    """
    gone = {"MLP_DATA_DIR", *LEFT_BEHIND, *without}
    return {key: value for key, value in os.environ.items() if key not in gone}


def run_python(
    *arguments: str, env: dict[str, str] | None = None, cwd: Path = ROOT, timeout: float = 300, cold: bool = False
) -> Ended:
    """Runs `python <arguments>`; without MLP_DATA_DIR unless `env` gives it.

    Args:
        arguments: behind `python`.
        env: is added to the environment.
        cwd: the folder it runs in.
        timeout: seconds after which it is stopped.
        cold: whether it needs a python of its own, because the test is about starting or importing.
    """
    done = subprocess.run(
        [PYTHON if cold else sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**surroundings(), **(env or {})},
        cwd=cwd,
        timeout=timeout,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def interrupt_after(text: str, *arguments: str, timeout: float = 120, cold: bool = True) -> Ended:
    """Runs `python <arguments>` and sends it Ctrl-C as soon as its output holds `text`; see `run_python`."""
    process = subprocess.Popen(
        [PYTHON if cold else sys.executable, "-u", *map(str, arguments)],
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


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """Returns a folder that the first worker to ask for it has filled; the others wait for it.

    Args:
        factory: of the worker's folders.
        name: of the folder.
        make: fills it.
    """
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "made-once" / name
    folder.parent.mkdir(exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if not (folder / "made").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            (folder / "made").touch()
    return folder


@pytest.fixture(scope="session")
def keras_run(tmp_path_factory) -> Path:
    """The run folder of a short Keras training on the offline sample."""
    return short_run("keras_reference.train", tmp_path_factory)


@pytest.fixture(scope="session")
def lightning_run(tmp_path_factory) -> Path:
    """The run folder of a short Lightning training on the offline sample."""
    return short_run("lightning_mlp.train", tmp_path_factory)


def short_run(module: str, factory: pytest.TempPathFactory) -> Path:
    """Trains two epochs on the offline sample; the terminal's text is kept in `terminal.txt` beside the run."""

    def make(folder: Path) -> None:
        ended = run_python("-m", module, *QUICK, "--output-dir", folder / "run")
        assert ended.status == 0, ended.err
        (folder / "terminal.txt").write_text(ended.out)
        (folder / "errors.txt").write_text(ended.err)

    return made_once(factory, module, make) / "run"


@pytest.fixture(scope="session")
def parity_run(tmp_path_factory) -> tuple[Path, Ended]:
    """A short parity run of `small` on the offline sample: its folder and how it ended."""
    return run_once(tmp_path_factory, "parity", "-m", "parity", "--dataset", "mnist-sample", "--level", "quick")


def run_once(factory: pytest.TempPathFactory, name: str, *arguments: str, **options) -> tuple[Path, Ended]:
    """Runs a command once for all workers, with an `--output-dir`; returns that folder and how it ended.

    Args:
        factory: of the worker's folders.
        name: of the run.
        arguments, options: as for `run_python`.
    """  # fmt: skip

    def make(folder: Path) -> None:
        ended = run_python(*arguments, "--output-dir", folder / "run", **options)
        (folder / "ended.json").write_text(json.dumps(asdict(ended)))

    folder = made_once(factory, name, make)
    return folder / "run", Ended(**json.loads((folder / "ended.json").read_text()))


# Commands of the README that another test looks at closely, and what makes them short: all take the same run.
README_RUNS = {
    "python -m parity honest --runs 60": ["--runs", "1", "--first-seed", "2"],
    # an own model, in float64
    "python -m parity alarms --runs 100": ["--runs", "1", "--first-seed", "5", "--dataset", "mnist-sample"],
    "python -m parity --preset bigger --optimizer torch-adam": ["--level", "quick", "--dataset", "mnist-sample"],
}


def readme_run(factory: pytest.TempPathFactory, line: str) -> tuple[Path, Ended]:
    """Runs a command of the README once for all workers, made short; returns its folder and how it ended."""
    return run_once(factory, re.sub(r"\W+", "-", line), *shlex.split(line)[1:], *README_RUNS[line])
