"""What the sweeps over many candidates or many seeds share: a reference that is recorded once, jobs side by side."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from mlp_spec import flags
from mlp_spec.experiment import Experiment
from parity import process as children


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


def check(given: SweepFlags) -> str | None:
    """Checks the flags; returns the data folder.

    Raises:
        UserError: a number is out of its range, or a folder cannot be used.
    """
    from mlp_spec.support.values import positive_number, whole_number

    whole_number("jobs", given.jobs, 1, 64)
    positive_number("stall_timeout", given.stall_timeout)
    data_folder = flags.ExperimentFlags(dataset=given.dataset, data_dir=given.data_dir).data_folder
    flags.check_folders(data_folder, given.output_dir)
    return data_folder


def record(experiment: Experiment, data_folder: str | None, given: SweepFlags, folder: Path) -> tuple:
    """Records an experiment's reference at the quick level; returns it with the candidates' job."""
    from parity.ladder import climb as ladder
    from parity.protocol.task import PARTS, REFERENCE_PARTS, Job

    folder.mkdir()
    task = Job(experiment, given.dataset, data_folder, "cpu", str(folder / "keras"), REFERENCE_PARTS, "quick")
    keras = ladder.ask("keras", task, folder, given.stall_timeout, lambda event: None)
    if "facts" in keras.parts:
        found = Experiment.from_dict(keras.parts["facts"].metadata["experiment"])
        task = replace(task, experiment=found, dataset=found.data.dataset, reference_dir=task.output_dir, parts=PARTS)
    return keras, task


def side_by_side(jobs: int, work: Callable, items: list) -> Iterator:
    """Yields `work(item)` in the order of the items, several at once; stops them all if the caller ends early."""
    pool = ThreadPoolExecutor(jobs)
    try:
        yield from pool.map(work, items)
    except BaseException:
        children.STOPPING.set()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
        children.STOPPING.clear()
