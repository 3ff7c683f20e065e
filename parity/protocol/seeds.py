"""A study of many seeds: each seed is trained by a framework's process, which leaves one small file for it.

The store of a study:

    study.json              which experiment, which candidate
    keras/seed-7.json       one finished training: the four curves, and how long it took
    lightning/seed-7.json

A seed's file appears whole or not at all, and a seed that has one is not trained again: a study can be interrupted,
raised, or go on elsewhere, and nothing is lost or counted twice.
"""

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from mlp_spec.experiment import Experiment
from mlp_spec.runs.folder import CURVES, Results
from mlp_spec.support import files
from mlp_spec.support.errors import UserError
from parity.protocol.task import Task, send

SCHEMA = 1


@dataclass(frozen=True)
class SeedResult:
    """One finished training."""

    seed: int  # of initialisation and shuffle
    history: dict[str, list[float]]  # the four curves, one number an epoch; NaN where training left the numbers
    epoch_seconds: list[float]  # wall seconds of each epoch
    seconds: float  # wall seconds of the whole training, with building and compiling
    environment: dict  # versions and machine


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
        stamp = [fields.pop(key) for key in ("schema", "experiment_hash", "side")]
        result = SeedResult(**fields)
        history = check_curves(result.history, experiment.training.epochs)
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
    if stamp != [SCHEMA, experiment.hash, side] or result.seed != seed:
        raise UserError(
            f"{path} is of experiment {stamp[1]}, side {stamp[2]}, seed {result.seed} (schema {stamp[0]}), and "
            f"this is {experiment.hash}, {side}, seed {seed} (schema {SCHEMA}); give another --store"
        )
    return replace(result, seconds=seconds)


def check_curves(history: dict, epochs: int) -> dict[str, list[float]]:
    """Checks four curves as JSON has them, and returns them; null is no number.

    Raises:
        KeyError, TypeError, ValueError: they are none.
    """
    checked = {name: [math.nan if value is None else float(value) for value in history[name]] for name in CURVES}
    if any(len(curve) != epochs for curve in checked.values()):
        raise ValueError(f"its curves have {sorted({len(curve) for curve in checked.values()})} epochs, not {epochs}")
    if any(not 0 <= value <= 1 for name in ("acc", "val_acc") for value in checked[name] if not math.isnan(value)):
        raise ValueError("an accuracy lies outside 0 to 1")
    return checked


def train_all(
    task: Task, side: str, dataset: str, environment: dict, train_one: Callable[[Experiment, Callable], Results]
) -> None:
    """Trains every seed that has no result yet, and stores each as it is finished.

    Args:
        task: what is asked.
        side: `keras` or `lightning`.
        dataset: that was found.
        environment: versions and machine, for the results.
        train_one: trains an experiment from its seed; calls its second argument after every epoch.
    """
    send("start", dataset=dataset)
    experiment = task.pair.on(dataset).experiment
    for seed in task.seeds.seeds:
        if path_of(task.seeds.store, side, seed).exists():
            continue
        seeded = replace(experiment, training=replace(experiment.training, seed=seed))
        started = time.monotonic()
        results = train_one(seeded, lambda: send("alive"))
        seconds = time.monotonic() - started
        if results.epochs != seeded.training.epochs:
            raise UserError(f"seed {seed} trained {results.epochs} epochs, and not {seeded.training.epochs}")
        result = SeedResult(seed, results.history, results.epoch_seconds, seconds, environment)
        write(task.seeds.store, side, seeded, result)
        send("seed", seed=seed)
