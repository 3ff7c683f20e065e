"""Run folders: the configuration before training, results after every epoch, pictures at the end."""

from __future__ import annotations

import csv
import io
import os
import sys
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from mlp_spec.runs import fitting, pictures
from mlp_spec.support.errors import UserError
from mlp_spec.support.files import write_json, write_text

if TYPE_CHECKING:  # numpy waits: `--help` must answer at once
    from mlp_spec.digits.load import Digits
    from mlp_spec.experiment import Experiment

CURVES = ("loss", "acc", "val_loss", "val_acc")


@dataclass
class Results:
    """The results of the finished epochs."""

    # the four curves of `CURVES`, one number per epoch
    history: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in CURVES})
    epoch_seconds: list[float] = field(default_factory=list)  # wall seconds of each epoch, training and validation
    startup_seconds: float = 0.0  # wall seconds from the start of the command to the first epoch
    # wall seconds of compiling, before the first epoch; None if nothing was compiled
    compile_seconds: float | None = None

    @property
    def epochs(self) -> int:
        """The number of finished epochs."""
        return len(self.history["loss"])

    def add_epoch(self, metrics: dict[str, float], seconds: float) -> None:
        """Appends one epoch's four numbers and its wall seconds."""
        for name in CURVES:
            self.history[name].append(float(metrics[name]))
        self.epoch_seconds.append(seconds)


def check_free(path: str | Path | None) -> None:
    """Checks that `path` can become a run folder, without creating it; None always can.

    Raises:
        UserError: the folder is not empty, or a parent is not a folder or not writable.
    """
    if path is None:
        return
    path = Path(path)
    try:
        if path.is_dir() and any(path.iterdir()):
            raise UserError(f"output folder {path} is not empty; give a new --output-dir or empty it")
    except OSError as error:
        raise _unwritable(path, error.strerror or error) from error
    for ancestor in (path, *path.parents):
        if ancestor.exists():
            if not ancestor.is_dir():
                raise _unwritable(path, f"{ancestor} is not a folder")
            if not os.access(ancestor, os.W_OK | os.X_OK):
                raise _unwritable(path, f"no permission in {ancestor}")
            return


def _unwritable(path: Path, reason: object) -> UserError:
    return UserError(f"output folder {path} cannot be written ({reason}); give another --output-dir")


class RunFolder:
    """A folder that holds one training run.

    Args:
        path: a new or empty folder; it is created.

    Raises:
        UserError: the folder is not empty, or cannot be created or written.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        check_free(self.path)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            (self.path / ".writable").touch()
            (self.path / ".writable").unlink()
        except OSError as error:
            raise _unwritable(self.path, error.strerror or error) from error

    @classmethod
    def create(cls, output_dir: str | None, name: str) -> RunFolder:
        """Creates `output_dir`, or a new `runs/<time>-<name>` if it is None."""
        if output_dir is not None:
            return cls(output_dir)
        stem = f"{datetime.now():%Y%m%d-%H%M%S}-{name}"
        path, count = Path("runs") / stem, 1
        while path.exists():
            count += 1
            path = Path("runs") / f"{stem}-{count}"
        return cls(path)

    def write_configuration(
        self, experiment: Experiment, source: str, device: str, environment: dict, engine: dict | None = None
    ) -> None:
        """Writes the experiment, the device and the environment; call it before training.

        Args:
            experiment: what is trained.
            source: where the data came from.
            device: `cpu` or `gpu`.
            environment: versions and machine.
            engine: further settings of the run.
        """
        configuration = {
            "name": experiment.name,
            "experiment": experiment.to_dict(),
            "experiment_hash": experiment.hash,
            "run_id": experiment.run_id,
            "seed": experiment.training.seed,
            "dataset": experiment.data.dataset,
            "data_source": source,
            "device": device,
            "engine": engine or {},
            "command": sys.argv,
            "started": datetime.now().astimezone().isoformat(timespec="seconds"),
        }
        write_json(self.path / "config.json", configuration)
        write_json(self.path / "environment.json", environment)

    def write_results(self, results: Results) -> None:
        """Writes history and timing; call it after every epoch, so that an interruption loses nothing."""
        write_json(self.path / "history.json", results.history)
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["epoch", *CURVES])
        for epoch, row in enumerate(zip(*(results.history[name] for name in CURVES), strict=True), start=1):
            writer.writerow([epoch, *row])
        write_text(self.path / "history.csv", text.getvalue())
        timing = {"epoch_seconds": results.epoch_seconds, "startup_seconds": results.startup_seconds}
        if results.compile_seconds is not None:
            timing["compile_seconds"] = results.compile_seconds
        write_json(self.path / "timing.json", timing)

    def finish(self, results: Results, digits: Digits, experiment: Experiment, framework: str) -> str:
        """Writes the lab's two pictures and answers its question; returns the lines for the terminal."""
        subtitle = f"{framework}, {experiment.name}, {digits.dataset}, seed {experiment.training.seed}"
        pictures.first_image(digits.train_images[0], int(digits.train_labels[0]), self.path / "first_image.png")
        pictures.accuracy_by_epoch(results.history, subtitle, self.path / "accuracy.png")
        answer = fitting.answer(results.history)
        write_json(self.path / "fitting.json", answer)
        last = "  ".join(f"{name} {results.history[name][-1]:.4f}" for name in CURVES)
        seconds = sum(results.epoch_seconds)
        return (
            f"\n{framework} trained {experiment.name} on {digits.dataset} for {results.epochs} epochs "
            f"in {seconds:.1f} s:\n{last}\n{answer['sentence']}\nResults: {self.path}"
        )
