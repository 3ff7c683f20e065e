"""The job a parity run hands to a framework's process, and the events that process sends back.

The process is started as `python -m <package>.probe job.json`. It goes through the job's parts, one after
the other; after each it leaves a recording `<part>.npz` in its folder and says so in an event line.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlp_spec.experiment import Experiment
from mlp_spec.support import files
from parity.protocol import recording

EVENT = "@parity "

# What a process is asked, from cause to effect; each part answers one or more rungs of the ladder.
PARTS = ("facts", "initial", "cases", "optimizer", "metrics", "lockstep", "restarts", "interchange")
# The reference's own: after its free run `floor` trains the runs that differ in rounding only. What the candidate
# reads is recorded before, so that it need not wait for the rest.
REFERENCE_PARTS = (*PARTS[: PARTS.index("lockstep") + 1], "interchange", "floor", "restarts")
LEVELS = ("quick", "full")
BACKENDS = ("tensorflow", "jax", "torch")


@dataclass(frozen=True)
class Job:
    """What a framework's process is asked.

    Attributes:
        experiment: what to train; its data set may still be `auto`'s to choose, see `dataset`.
        dataset: `auto`, `mnist` or `mnist-sample`.
        data_dir: folder with MNIST's files, or None.
        accelerator: `auto`, `cpu` or `gpu`.
        output_dir: the process's folder: its recordings go there.
        parts: which of `PARTS`, or of `REFERENCE_PARTS`, in their order.
        level: `quick` or `full`.
        backend: Keras's backend.
        reference_dir: folder of the reference's recordings, for the process that answers second.
        target: what is put in place of our model: `package.module:Name` or `file.py:Name`, or None.
        datamodule: what is put in place of our data module, or None.
    """

    experiment: Experiment
    dataset: str
    data_dir: str | None
    accelerator: str
    output_dir: str
    parts: tuple[str, ...] = PARTS
    level: str = "full"
    backend: str = "tensorflow"
    reference_dir: str | None = None
    target: str | None = None
    datamodule: str | None = None
    steps_per_execution: int | None = None
    compiled: bool = False

    def write(self, path: Path) -> None:
        """Writes the job as JSON."""
        files.write_json(path, {**vars(self), "experiment": self.experiment.to_dict()})

    @classmethod
    def read(cls, path: str | Path) -> "Job":
        """Reads a job written by `write`."""
        fields = json.loads(Path(path).read_text(encoding="utf-8"))
        fields["parts"] = tuple(fields["parts"])
        return cls(**{**fields, "experiment": Experiment.from_dict(fields["experiment"])})

    def reference(self, part: str) -> recording.Recording:
        """Reads what the reference recorded for a part."""
        return recording.read(recording_path(self.reference_dir, part))

    def leave(self, part: str, arrays: dict[str, np.ndarray], metadata: dict) -> None:
        """Writes a part's recording, stamped with the experiment, and says so."""
        stamp = {"part": part, "experiment_hash": self.experiment.hash, "run_id": self.experiment.run_id}
        recording.write(recording_path(self.output_dir, part), arrays, {**stamp, **metadata})
        send("part", part=part)


def recording_path(folder: str | Path, part: str) -> Path:
    """Returns where a part's recording lies."""
    return Path(folder) / f"{part}.npz"


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
