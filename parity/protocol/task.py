"""The task that a framework's process is given, and the events that the process sends back.

The process is started as `python -m parity.adapters.keras TASK.json` (or `.torch`). It answers the task's parts, or
those that are named behind the file, one after the other; after each it leaves a recording `<part>.npz` in its folder
and says so in an event line.
"""

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from parity.pair import Pair
from parity.protocol import recording
from parity.protocol.recording import from_document, to_document
from parity.protocol.records import PARTS, Record

EVENT = "@parity "

KERAS, LIGHTNING = "keras", "lightning"
ADAPTERS = {KERAS: "parity.adapters.keras", LIGHTNING: "parity.adapters.torch"}
NAMES = {KERAS: "Keras", LIGHTNING: "Lightning"}

# What a candidate is asked, from cause to effect.
CANDIDATE_PARTS = (
    "facts", "initial_weights", "cases", "layers", "random_layers", "callbacks", "optimizer", "metrics", "lockstep",
    "restarts", "interchange",
)  # fmt: skip
# The reference trains the runs of its noise floor last: what the candidate reads is recorded before, so that it need
# not wait.
REFERENCE_PARTS = (
    "facts", "initial_weights", "cases", "layers", "random_layers", "callbacks", "optimizer", "metrics", "lockstep",
    "interchange", "floor", "restarts",
)  # fmt: skip
# What a candidate answers from what the reference recorded for the same part: it waits for that.
FOLLOWING_PARTS = tuple(part for part in CANDIDATE_PARTS if part not in ("facts", "restarts"))

TRIALS = ("trials",)  # what a candidate is asked whose `explained` parts fail

# How often a candidate looks whether the reference has answered, and says that it waits; seconds.
LOOK, SAY = 0.02, 1.0

# What is left out where one side cannot be trained.
TRAINING_PARTS = ("callbacks", "optimizer", "metrics", "lockstep", "floor", "restarts")


def parts_of(pair: Pair, parts: tuple[str, ...]) -> tuple[str, ...]:
    """Returns the parts that a pair is asked, of all.

    The means of a user's own metrics are not compared; layers one by one, random ones and callbacks are those of a
    user's pair alone.
    """
    left_out = ("layers", "random_layers", "callbacks") if pair.is_lab else ("metrics",)
    return tuple(part for part in parts if part not in left_out)


@dataclass(frozen=True)
class SeedsTask:
    """Which seeds are trained, and where their results go."""

    seeds: tuple[int, ...]  # which ones; none asks only which data set there is
    store: str  # the store's folder
    threads: int = 1  # how many threads the process may use
    cores: tuple[int, ...] = ()  # the processor cores it is pinned to; none leaves it where it is


@dataclass(frozen=True)
class CheckpointTask:
    """Which checkpoint is read or written."""

    path: str  # of the checkpoint
    contents: str | None = None  # the recording of what is to be written; None to read
    weights_only: bool = False  # whether the optimizer and the run are left behind


@dataclass(frozen=True)
class SnippetsTask:
    """Which pieces of code are evaluated: `imports` come first, the pieces stand by name."""

    imports: str
    snippets: dict[str, str]


@dataclass(frozen=True)
class Task:
    """What a framework's process is asked."""

    # which, in their order: of `CANDIDATE_PARTS` or `REFERENCE_PARTS`; or `seeds`, `read`, `write`, `snippets`, each
    # with its own section below
    parts: tuple[str, ...]
    output_dir: str  # the process's folder: its recordings go there
    pair: Pair | None = None  # what is compared; None for snippets
    accelerator: str = "cpu"  # `auto`, `cpu` or `gpu`
    level: str = "full"  # `quick` or `full`
    backend: str = "tensorflow"  # Keras's backend; empty where Keras has no part
    reference_dir: str | None = None  # folder of the reference's recordings, for the process that answers second
    together: bool = False  # whether the reference is still at work, so that its recordings are waited for
    # of a candidate: differences that are undone throughout, by their ids; and parts that fail, of which it is tried
    # which differences fail them (`adapters.torch.undo`)
    undone: tuple[str, ...] = ()
    explained: tuple[str, ...] = ()
    left_alone: tuple[str, ...] = ()  # differences: each is left alone in turn, the others undone
    away: int = 1  # how many times as far as rounding the reference's runs start from it; of further runs alone
    exact: bool = False  # whether the reference is asked for what is exact: all in float64, and no run beside it
    seeds: SeedsTask | None = None
    checkpoint: CheckpointTask | None = None
    snippets: SnippetsTask | None = None

    def write(self, path: Path) -> Path:
        """Writes the task as JSON; returns the path."""
        path.write_text(json.dumps(to_document(self, {}), indent=1), encoding="utf-8")
        return path

    @classmethod
    def read(cls, path: str | Path) -> "Task":
        """Reads a task written by `write`."""
        return from_document(cls, json.loads(Path(path).read_text(encoding="utf-8")), {})

    def reference(self, part: str) -> Record:
        """Reads what the reference recorded for a part; waits for it."""
        self.wait_for_reference(part)
        return read_record(self.reference_dir, part)

    def wait_for_reference(self, part: str) -> None:
        """Waits until the reference has answered a part, or it is known that it will not."""
        if not self.together:
            return
        said, found = (
            time.monotonic(),
            (recording_path(self.reference_dir, part), missing_path(self.reference_dir, part)),
        )
        while not any(path.exists() for path in found):
            time.sleep(LOOK)
            if time.monotonic() > said + SAY:
                said = time.monotonic()
                send("alive", what=f"waiting for Keras: {part.replace('_', ' ')}")


def recording_path(folder: str | Path, part: str) -> Path:
    """Returns where a part's recording lies."""
    return Path(folder) / f"{part}.npz"


def missing_path(folder: str | Path, part: str) -> Path:
    """Returns where an empty file says that a part will not be answered."""
    return Path(folder) / f"{part}.missing"


def read_record(folder: str | Path, part: str) -> Record:
    """Reads the record of a part.

    Raises:
        BadRecordingError: it is missing, damaged or another one.
    """
    return PARTS[part].from_recording(recording.read(recording_path(folder, part)))


def write_record(folder: str | Path, part: str, record: Record) -> None:
    """Writes the record of a part; the file appears whole or not at all."""
    parts = record.to_recording()
    recording.write(recording_path(folder, part), parts.arrays, parts.metadata)


def send(event: str, **fields) -> None:
    """Prints one event for the process that asked, on a line of its own: a user's code may have left one open."""
    sys.stdout.write(f"\n{EVENT}{json.dumps({'event': event, **fields})}\n")
    sys.stdout.flush()


def received(line: str) -> dict | None:
    """Returns the event in a line, or None if the line is anything else."""
    if not line.startswith(EVENT):
        return None
    try:
        event = json.loads(line[len(EVENT) :])
    except ValueError:
        return None
    return event if isinstance(event, dict) and "event" in event else None
