"""Spreads the seeds of a study over processes: on this machine's cores, or over a cluster by joblib's backends."""

import contextlib
import os
import signal
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from mlp_spec.support.errors import UserError
from parity import process as children
from parity.protocol.seeds import StudyJob, path_of

PACKAGES = {"keras": "parity.adapters.keras", "lightning": "parity.adapters.torch"}
NAMES = {"keras": "Keras", "lightning": "Lightning"}
BACKENDS = ("loky", "dask", "ray")


def cores_here() -> list[int]:
    """Returns the processor cores this process may use."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))


def run_all(tasks: list[StudyJob], jobs: int | None, backend: str, scheduler: str | None, stall: float) -> list[str]:
    """Trains all seeds of the tasks that have no result; returns what went wrong, a message a process.

    Args:
        tasks: one a side, with all of its seeds.
        jobs: processes at once; every core of the machine, or every slot of the cluster, unless given.
        backend: joblib's: `loky`, `dask` or `ray`.
        scheduler: address of the cluster.
        stall: seconds without a sign of life (an epoch) after which a process is stopped.

    Raises:
        UserError: the cluster cannot be used, or lost its processes.
    """
    import joblib

    with engine(backend, scheduler):
        jobs = jobs or (len(cores_here()) if backend == "loky" else joblib.effective_n_jobs(-1))
        threads = max(1, len(cores_here()) // jobs) if backend == "loky" else 1
        parts = [replace(part, threads=threads) for task in tasks for part in shared(task, jobs)]
        call = joblib.delayed(run_part)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="A worker stopped while some jobs")
            try:
                found = joblib.Parallel(n_jobs=min(jobs, len(parts)) or 1, batch_size=1, pre_dispatch="all")(
                    call(part, stall, os.getpid()) for part in parts
                )
            except (UserError, KeyboardInterrupt):
                raise
            except Exception as error:  # an engine can lose its processes in many ways
                raise UserError(
                    f"the {backend} workers were lost ({type(error).__name__}: {first_line(error)})"
                ) from error
    return [message for message in found if message]


def shared(task: StudyJob, jobs: int) -> list[StudyJob]:
    """Shares the seeds that have no result among processes; one process trains several, and loads its data once."""
    waiting = [seed for seed in task.seeds if not path_of(task.store, task.side, seed).exists()]
    return [replace(task, seeds=tuple(waiting[start::jobs])) for start in range(min(jobs, len(waiting)))]


def run_part(task: StudyJob, stall: float, parent: int) -> str | None:
    """Runs one framework's process on its seeds, on its share of the cores; returns None, or what went wrong.

    It runs in a worker of the engine, perhaps for the second time, after another worker was lost: seeds that have a
    result are not trained again.
    """
    if os.getpid() != parent:
        with contextlib.suppress(ValueError):  # raised in a thread of a cluster's worker
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, which stops us
    with share_of_cores(task.threads) as cores:
        return ask(replace(task, cores=tuple(cores)), stall, lambda event: None)


def ask(task: StudyJob, stall: float, on_event) -> str | None:
    """Starts a framework's process on a job; returns None, or what went wrong."""
    package = PACKAGES[task.side]
    status, lines = children.watch([sys.executable, "-m", f"{package}.seeds", task.to_text()], stall, on_event)
    name = NAMES[task.side]
    if status is None:
        return children.with_last_lines(f"{name} was silent for {stall:g} s and was stopped", lines)
    if status == 0:
        return None
    told = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    if status == 2 and told:
        return f"{name}: {told[-1]}"
    ending = f"ended with exit status {status}" if status > 0 else f"was killed by signal {-status}"
    return children.with_last_lines(f"{name} {ending}", lines)


@contextmanager
def share_of_cores(count: int) -> Iterator[list[int]]:
    """Yields cores of this machine that no other process of a study has; all of them if none are left."""
    from filelock import FileLock, Timeout

    cores = cores_here()
    folder = Path(tempfile.gettempdir()) / f"keras-lightning-parity-{os.getuid() if hasattr(os, 'getuid') else 0}"
    folder.mkdir(exist_ok=True)
    for start in range(0, len(cores) - count + 1, count):
        lock = FileLock(folder / f"core-{cores[start]}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            continue
        try:
            yield cores[start : start + count]
        finally:
            lock.release()
        return
    yield cores


@contextmanager
def engine(backend: str, scheduler: str | None) -> Iterator[None]:
    """Makes joblib use a backend.

    Raises:
        UserError: it is not installed, or its scheduler does not answer.
    """
    import joblib

    try:
        with connected(backend, scheduler), joblib.parallel_config(backend=backend):
            yield
    except ModuleNotFoundError as error:
        raise UserError(
            f"--backend {backend}: there is no module {error.name}; "
            f"install it with: pip install 'keras-lightning-parity[{backend}]'"
        ) from error


@contextmanager
def connected(backend: str, scheduler: str | None) -> Iterator[None]:
    """Connects to a cluster; loky needs none."""
    if backend == "dask":
        from distributed import Client

        try:
            client = Client(scheduler, timeout=10)
        except (OSError, ValueError) as error:
            raise UserError(f"--scheduler {scheduler}: no Dask scheduler answers ({first_line(error)})") from error
        with client:
            yield
    elif backend == "ray":
        import ray
        from ray.util.joblib import register_ray

        try:
            ray.init(address=scheduler, log_to_driver=False)
        except (ConnectionError, ValueError) as error:
            raise UserError(f"--scheduler {scheduler}: no Ray cluster answers ({first_line(error)})") from error
        register_ray()
        try:
            yield
        finally:
            ray.shutdown()
    else:
        yield


def first_line(error: BaseException) -> str:
    """Returns an error's first line."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
