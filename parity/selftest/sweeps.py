"""What the sweeps over many candidates or many seeds share: a reference that is recorded once, jobs side by side."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mlp_spec import flags
from mlp_spec.experiment import Experiment
from mlp_spec.support import command
from mlp_spec.support.errors import UserError
from parity.pair import Pair

if TYPE_CHECKING:  # numpy waits: `--help` must answer at once
    from parity.process import Side
    from parity.protocol.task import Task


@dataclass(frozen=True)
class JobFlags:
    """The flags of every sweep, of whatever pairs."""

    output_dir: str | None = None
    """Folder of the results, new or empty; runs/<time>-<sweep> unless given."""
    jobs: int = 2
    """Climbs at once."""
    stall_timeout: float = 300.0
    """Seconds without a sign of life after which a process is stopped."""


@dataclass(frozen=True)
class SweepFlags(JobFlags):
    """The flags of every sweep of the lab's own pair."""

    dataset: Literal["auto", "mnist", "mnist-sample"] = "auto"
    data_dir: str | None = None
    """Folder with the four MNIST files; also read from MLP_DATA_DIR."""


def check_jobs(options: JobFlags) -> None:
    """Checks the flags of every sweep.

    Raises:
        UserError: a number is out of its range, or the folder cannot be used.
    """
    from mlp_spec.support.values import positive_number, whole_number

    whole_number("jobs", options.jobs, 1, 64)
    positive_number("stall_timeout", options.stall_timeout)
    flags.check_folders(None, options.output_dir)


def check(options: SweepFlags) -> str | None:
    """Checks the flags; returns the data folder.

    Raises:
        UserError: a number is out of its range, or a folder cannot be used.
    """
    check_jobs(options)
    data_folder = flags.ExperimentFlags(dataset=options.dataset, data_dir=options.data_dir).data_folder
    flags.check_folders(data_folder, options.output_dir)
    return data_folder


def record(experiment: Experiment, data_folder: str | None, options: SweepFlags, folder: Path) -> tuple[Side, Task]:
    """Records an experiment's reference at the quick level; returns it with the candidates' task."""
    return record_pair(Pair(experiment, options.dataset, data_folder), options, folder)


def record_pair(pair: Pair, options: JobFlags, folder: Path, **of_task) -> tuple[Side, Task]:
    """Records a pair's reference, at the quick level unless told; returns it with the candidates' task.

    Args:
        pair: what is compared.
        options: of the sweep.
        folder: is made if it is not there; tasks, logs and recordings are left in it.
        of_task: what else the task says.
    """
    from parity.ladder.climb import record_reference
    from parity.protocol.task import KERAS, Task

    folder.mkdir(exist_ok=True)
    task = Task((), str(folder / KERAS), pair, **{"level": "quick", **of_task})
    return record_reference(task, folder, options.stall_timeout)


def resumed(folder: str | None) -> Path | None:
    """Returns the folder of results that are gone on with, if there are.

    Raises:
        UserError: there is no such folder.
    """
    if folder is None:
        return None
    if not Path(folder).is_dir():
        raise UserError(f"--resume {folder}: there is no such folder")
    return Path(folder)


def row_path(folder: Path, name: str) -> Path:
    """Returns where the row of an item is kept."""
    return folder / name.replace("/", "-").replace(":", "-") / "row.json"


def is_done(folder: Path, name: str) -> bool:
    """Says whether an item's row is kept from before."""
    return row_path(folder, name).exists()


def kept(folder: Path, attempt: Callable) -> Callable:
    """Returns what tries an item in a folder of its own, which keeps its row; one that is kept is not tried again.

    Args:
        folder: of the results.
        attempt: returns the row of an item, which has a name; takes the item and its folder, which is new.
    """
    from mlp_spec.support.files import write_json

    def attempt_once(item) -> dict:
        """Returns an item's row."""
        path = row_path(folder, item.name)
        if path.exists():
            return json.loads(path.read_text(encoding="utf-8"))
        shutil.rmtree(path.parent, ignore_errors=True)  # of one that was interrupted
        path.parent.mkdir()
        row = attempt(item, path.parent)
        write_json(path, row)
        return row

    return attempt_once


def run(items: list, attempt: Callable, line: Callable, jobs: int, file: Path, what: str, prepare=None) -> list[dict]:
    """Runs `attempt(item)` for every item, several at once; writes and prints the rows in their order as they come.

    Args:
        items: what is tried.
        attempt: returns an item's row.
        line: returns a row as people read it; takes the row and how many there are with it.
        jobs: how many are tried at once.
        file: of the rows.
        what: the items are called.
        prepare: is called first, with the progress.

    Raises:
        Interrupted: Ctrl-C; what runs is stopped.
    """
    from mlp_spec.support.files import write_json
    from parity import process
    from parity.ladder.progress import Progress

    rows, pool = [], ThreadPoolExecutor(jobs)
    try:
        with Progress() as progress:
            if prepare:
                prepare(progress)
            bar = progress.add_row(what, len(items))
            for row in pool.map(attempt, items):
                rows.append(row)
                bar.completed = len(rows)
                write_json(file, {"schema": 1, what: rows})
                progress.print(line(row, len(rows)))
    except BaseException as error:
        process.STOPPING.set()
        if isinstance(error, KeyboardInterrupt):
            raise command.Interrupted(f"{len(rows)} of {len(items)} {what} are in {file.parent}.") from None
        raise
    finally:
        pool.shutdown(cancel_futures=True)
        process.STOPPING.clear()
    return rows
