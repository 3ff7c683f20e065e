"""The job a parity run hands to a framework's process, and the events that process sends back.

The process is started as `python -m <package>.probe job.json`. It trains through the package's shipped
code, from the job's weights and in the canonical order, prints an event line after every epoch, and leaves
a run folder with a recording.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlp_spec import files, recording
from mlp_spec.experiment import Experiment

EVENT = "@parity "
RECORDING = "recording.npz"


@dataclass(frozen=True)
class Job:
    """What a framework's process is asked to train.

    Attributes:
        experiment: what to train; its data set may still be `auto`'s to choose, see `dataset`.
        dataset: `auto`, `mnist` or `mnist-sample`.
        data_dir: folder with MNIST's files, or None.
        accelerator: `auto`, `cpu` or `gpu`.
        weights: recording with the canonical start.
        output_dir: run folder to make; the recording goes there too.
    """

    experiment: Experiment
    dataset: str
    data_dir: str | None
    accelerator: str
    weights: str
    output_dir: str

    def write(self, path: Path) -> None:
        """Writes the job as JSON."""
        files.write_json(path, {**vars(self), "experiment": self.experiment.to_dict()})

    @classmethod
    def read(cls, path: str | Path) -> "Job":
        """Reads a job written by `write`."""
        fields = json.loads(Path(path).read_text(encoding="utf-8"))
        return cls(**{**fields, "experiment": Experiment.from_dict(fields["experiment"])})

    def start_weights(self) -> dict[str, np.ndarray]:
        """Reads the canonical weights."""
        return recording.read(self.weights).arrays


def send(event: str, **fields) -> None:
    """Prints one event for the parity process."""
    print(EVENT + json.dumps({"event": event, **fields}), flush=True)


def received(line: str) -> dict | None:
    """Returns the event in a line, or None if the line is anything else."""
    if not line.startswith(EVENT):
        return None
    try:
        event = json.loads(line[len(EVENT) :])
    except ValueError:
        return None
    return event if isinstance(event, dict) and "event" in event else None
