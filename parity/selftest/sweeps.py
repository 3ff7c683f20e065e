"""What the sweeps over many candidates or many seeds share: a reference that is recorded once, jobs side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mlp_spec import flags
from mlp_spec.experiment import Experiment
from parity.pair import Pair

if TYPE_CHECKING:  # numpy waits: `--help` must answer at once
    from parity.process import Side
    from parity.protocol.task import Task


@dataclass(frozen=True)
class SweepFlags:
    """The flags of every sweep."""

    dataset: Literal["auto", "mnist", "mnist-sample"] = "auto"
    data_dir: str | None = None
    """Folder with the four MNIST files; also read from MLP_DATA_DIR."""
    output_dir: str | None = None
    """Folder of the results, new or empty; runs/<time>-<sweep> unless given."""
    jobs: int = 2
    """Climbs at once."""
    stall_timeout: float = 300.0
    """Seconds without a sign of life after which a process is stopped."""


def check(options: SweepFlags) -> str | None:
    """Checks the flags; returns the data folder.

    Raises:
        UserError: a number is out of its range, or a folder cannot be used.
    """
    from mlp_spec.support.values import positive_number, whole_number

    whole_number("jobs", options.jobs, 1, 64)
    positive_number("stall_timeout", options.stall_timeout)
    data_folder = flags.ExperimentFlags(dataset=options.dataset, data_dir=options.data_dir).data_folder
    flags.check_folders(data_folder, options.output_dir)
    return data_folder


def record(experiment: Experiment, data_folder: str | None, options: SweepFlags, folder: Path) -> tuple[Side, Task]:
    """Records an experiment's reference at the quick level; returns it with the candidates' task."""
    from parity.ladder.climb import record_reference
    from parity.protocol.task import KERAS, Task

    folder.mkdir()
    pair = Pair(experiment, options.dataset, data_folder)
    task = Task((), str(folder / KERAS), pair, level="quick")
    return record_reference(task, folder, options.stall_timeout)


def run_side_by_side(jobs: int, work: Callable, items: list) -> Iterator:
    """Yields `work(item)` in the order of the items, several at once; stops them all if the caller ends early."""
    from parity import process

    pool = ThreadPoolExecutor(jobs)
    try:
        yield from pool.map(work, items)
    except BaseException:
        process.STOPPING.set()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
        process.STOPPING.clear()
