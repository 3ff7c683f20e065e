"""Spreads the seeds of a study over processes: on this machine's cores, or over a cluster by joblib's backends."""

import contextlib
import os
import signal
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from mlp_spec.support.errors import UserError
from parity.process import Follow, ask
from parity.protocol.seeds import path_of
from parity.protocol.task import NAMES, Task


def cores_here() -> list[int]:
    """Returns the processor cores this process may use."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))


def run_all(tasks: dict[str, Task], jobs: int | None, backend: str, scheduler: str | None, stall: float) -> list[str]:
    """Trains all seeds of the tasks that have no result; returns what went wrong, a message a process.

    Args:
        tasks: by side, with all of its seeds.
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
        shares = [(side, share) for side, task in tasks.items() for share in share_out(side, task, jobs, threads)]
        call = joblib.delayed(train_share)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="A worker stopped while some jobs")
            try:
                parallel = joblib.Parallel(n_jobs=min(jobs, len(shares)) or 1, batch_size=1, pre_dispatch="all")
                messages = parallel(call(side, share, stall, os.getpid()) for side, share in shares)
            except (UserError, KeyboardInterrupt):
                raise
            except Exception as error:  # an engine can lose its processes in many ways
                why = f"{type(error).__name__}: {first_line(error)}"
                raise UserError(f"the {backend} workers were lost ({why})") from error
    return [message for message in messages if message]


def share_out(side: str, task: Task, jobs: int, threads: int) -> list[Task]:
    """Shares the seeds that have no result among processes; one process trains several, and loads its data once."""
    section = task.seeds
    waiting = [seed for seed in section.seeds if not path_of(section.store, side, seed).exists()]
    shares = [tuple(waiting[start::jobs]) for start in range(min(jobs, len(waiting)))]
    return [replace(task, seeds=replace(section, seeds=seeds, threads=threads)) for seeds in shares]


def train_share(side: str, task: Task, stall: float, parent: int) -> str | None:
    """Runs one framework's process on its seeds, on its share of the cores; returns None, or what went wrong.

    It runs in a worker of the engine, perhaps for the second time, after another worker was lost: seeds that have a
    result are not trained again.
    """
    if os.getpid() != parent:
        with contextlib.suppress(ValueError):  # raised in a thread of a cluster's worker
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, which stops us
    with share_of_cores(task.seeds.threads) as cores:
        return train_seeds(side, replace(task, seeds=replace(task.seeds, cores=tuple(cores))), stall)


def train_seeds(side: str, task: Task, stall: float, follow: Follow = lambda event: None) -> str | None:
    """Has a framework's process train seeds; returns None, or what went wrong."""
    with tempfile.TemporaryDirectory() as folder:
        task = replace(task, output_dir=folder)
        message = ask(side, task, task.write(Path(folder) / "seeds.json"), stall, follow).errors.get("seeds")
    if message is None or message.startswith(NAMES[side]):
        return message
    return f"{NAMES[side]}: {message}"


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

    with contextlib.ExitStack() as stack:
        try:
            if backend == "dask":
                from distributed import Client

                stack.enter_context(Client(scheduler, timeout=10))
            elif backend == "ray":
                import ray
                from ray.util.joblib import register_ray

                ray.init(address=scheduler, log_to_driver=False)
                stack.callback(ray.shutdown)
                register_ray()
        except (OSError, ValueError) as error:  # a ConnectionError is an OSError
            service = "Dask scheduler" if backend == "dask" else "Ray cluster"
            raise UserError(f"--scheduler {scheduler}: no {service} answers ({first_line(error)})") from error
        except ModuleNotFoundError as error:
            raise UserError(
                f"--backend {backend}: there is no module {error.name}; "
                f"install it with: pip install 'keras-lightning-parity[{backend}]'"
            ) from error
        with joblib.parallel_config(backend=backend):
            yield


def first_line(error: BaseException) -> str:
    """Returns an error's first line."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
