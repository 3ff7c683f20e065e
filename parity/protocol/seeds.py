"""A study of many seeds: what a framework's process is asked, and the one small file it leaves for each seed.

The store of a study:

    study.json              which experiment, which candidate
    keras/seed-7.json       one finished training: the four curves, and how long it took
    lightning/seed-7.json

A seed's file appears whole or not at all, and a seed that has one is not trained again: a study can be interrupted,
raised, or go on elsewhere, and nothing is lost or counted twice.
"""

import json
import math
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from mlp_spec.experiment import Experiment
from mlp_spec.runs.folder import CURVES, Results
from mlp_spec.support import files
from mlp_spec.support.errors import UserError
from parity.protocol import task as job

SCHEMA = 1
SIDES = ("keras", "lightning")


@dataclass(frozen=True)
class StudyJob:
    """What a framework's process is asked: `python -m <package>.study <job as JSON>`.

    Attributes:
        side: `keras` or `lightning`.
        experiment: what to train; its seed does not count.
        seeds: which ones; none asks only which data set there is.
        dataset: `auto`, `mnist` or `mnist-sample`.
        data_dir: folder with MNIST's files, or None.
        store: the store's folder.
        threads: how many threads it may use.
        cores: the processor cores it is pinned to; none leaves it where it is.
        target: what is put in place of our module, or None.
        datamodule: what is put in place of our data module, or None.
        compiled: whether Lightning's whole steps are compiled.
    """

    side: str
    experiment: Experiment
    seeds: tuple[int, ...]
    dataset: str
    data_dir: str | None
    store: str
    threads: int = 1
    cores: tuple[int, ...] = ()
    target: str | None = None
    datamodule: str | None = None
    compiled: bool = False

    def to_text(self) -> str:
        """Returns the job as JSON; `from_text` is its inverse."""
        return json.dumps({**vars(self), "experiment": self.experiment.to_dict()})

    @classmethod
    def from_text(cls, text: str) -> "StudyJob":
        """Reads a job written by `to_text`."""
        fields = json.loads(text)
        fields |= {"seeds": tuple(fields["seeds"]), "cores": tuple(fields["cores"])}
        return cls(**{**fields, "experiment": Experiment.from_dict(fields["experiment"])})


@dataclass(frozen=True)
class SeedResult:
    """One finished training.

    Attributes:
        seed: of initialisation and shuffle.
        history: the four curves, one number an epoch; NaN where training left the numbers.
        epoch_seconds: wall seconds of each epoch.
        seconds: wall seconds of the whole training, with building and compiling.
        environment: versions and machine.
    """

    seed: int
    history: dict[str, list[float]]
    epoch_seconds: list[float]
    seconds: float
    environment: dict


def path_of(store: str | Path, side: str, seed: int) -> Path:
    """Returns where a seed's result lies."""
    return Path(store) / side / f"seed-{seed}.json"


def stored_seeds(store: str | Path, side: str) -> set[int]:
    """Returns the seeds that have a result."""
    names = (path.stem.removeprefix("seed-") for path in Path(store, side).glob("seed-*.json"))
    return {int(name) for name in names if name.isdecimal()}


def write(store: str | Path, side: str, experiment: Experiment, result: SeedResult) -> None:
    """Stores a seed's result, whole or not at all.

    Raises:
        UserError: it cannot be written, for example because the disk is full.
    """
    path = path_of(store, side, result.seed)
    stamp = {"schema": SCHEMA, "experiment_hash": experiment.hash, "side": side}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_json(path, {**stamp, **vars(result)})
    except OSError as error:
        raise UserError(
            f"the result of seed {result.seed} cannot be stored in {store} ({error.strerror or error}); "
            "make room there; the seeds that were finished before are kept"
        ) from error


def read(store: str | Path, side: str, experiment: Experiment, seed: int) -> SeedResult:
    """Reads a seed's result.

    Raises:
        UserError: the file is damaged, or belongs to another experiment, side or seed; says what to do.
    """
    path = path_of(store, side, seed)
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        belongs = [fields.pop(key) for key in ("schema", "experiment_hash", "side")]
        result = SeedResult(**fields)
        history = curves(result.history, experiment.training.epochs)
        if not isinstance(result.environment, dict):
            raise ValueError("its environment is no table")
        result = replace(result, history=history, epoch_seconds=[float(value) for value in result.epoch_seconds])
        seconds = float(result.seconds)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror or error})") from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{path} is damaged ({type(error).__name__}: {error}); remove it, and the seed is trained again"
        ) from error
    if belongs != [SCHEMA, experiment.hash, side] or result.seed != seed:
        raise UserError(
            f"{path} is of experiment {belongs[1]}, side {belongs[2]}, seed {result.seed} (schema {belongs[0]}), and "
            f"this is {experiment.hash}, {side}, seed {seed} (schema {SCHEMA}); give another --store"
        )
    return replace(result, seconds=seconds)


def curves(history: dict, epochs: int) -> dict[str, list[float]]:
    """Checks four curves as JSON has them, and returns them; null is no number.

    Raises:
        KeyError, TypeError, ValueError: they are none.
    """
    found = {name: [math.nan if value is None else float(value) for value in history[name]] for name in CURVES}
    if any(len(curve) != epochs for curve in found.values()):
        raise ValueError(f"its curves have {sorted({len(curve) for curve in found.values()})} epochs, not {epochs}")
    if any(not 0 <= value <= 1 for name in ("acc", "val_acc") for value in found[name] if not math.isnan(value)):
        raise ValueError("an accuracy lies outside 0 to 1")
    return found


def settle(task: StudyJob) -> None:
    """Takes the process's share of the machine, before any framework is imported; ends it with its parent."""
    if task.cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, task.cores)
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
    os.environ |= dict.fromkeys((*names, "TORCHINDUCTOR_COMPILE_THREADS"), str(task.threads))
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()


def _end_with_parent(parent: int) -> None:
    # A worker of a cluster can be killed; another one then does its seeds, and this process would do them, too.
    while os.getppid() == parent:
        time.sleep(0.3)
    os._exit(1)


def train_all(task: StudyJob, environment: dict, train_one: Callable[[Experiment, Callable], Results]) -> None:
    """Trains every seed that has no result yet, and stores each as it is finished.

    Args:
        task: what is asked; its experiment's data set is the one that is used.
        environment: versions and machine, for the results.
        train_one: trains an experiment from its seed; calls its second argument after every epoch.
    """
    job.send("start", dataset=task.experiment.data.dataset)
    for seed in task.seeds:
        if path_of(task.store, task.side, seed).exists():
            continue
        experiment = replace(task.experiment, training=replace(task.experiment.training, seed=seed))
        started = time.monotonic()
        results = train_one(experiment, lambda: job.send("alive"))
        seconds = time.monotonic() - started
        if results.epochs != experiment.training.epochs:
            raise UserError(f"seed {seed} trained {results.epochs} epochs, and not {experiment.training.epochs}")
        result = SeedResult(seed, results.history, results.epoch_seconds, seconds, environment)
        write(task.store, task.side, experiment, result)
        job.send("seed", seed=seed)


def started_with(argv: list[str] | None) -> StudyJob:
    """Returns the job that a process was started with."""
    return StudyJob.from_text((sys.argv[1:] if argv is None else argv)[0])
