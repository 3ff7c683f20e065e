"""What crosses when a checkpoint is turned into the other framework's: the task, and the checkpoint's contents.

`python -m parity convert` starts a process a framework, as `python -m <package>.exchange task.json`. One reads the
source, the other writes the target and reads it again; each leaves a recording of what it found, with the
probabilities of the same inputs.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mlp_spec.digits.load import Digits
from mlp_spec.experiment import PRECISIONS, Experiment
from mlp_spec.runs.resume import Stamp
from mlp_spec.support import files
from mlp_spec.support.errors import UserError
from parity.protocol import answer as probing
from parity.protocol import inputs as trials
from parity.protocol import recording
from parity.protocol.recording import Recording
from parity.protocol.task import send

Arrays = dict[str, np.ndarray]
Predictor = Callable[[Arrays, np.ndarray], np.ndarray]  # from weights and inputs (N, 784) to probabilities (N, 10)
ADVICE = "--weights-only converts the weights alone, for predicting"
NUDGES = 3  # how often the source's weights are moved by one unit in the last place, for the noise floor
IMAGES, EXTREMES = "test images", "saturated and extreme inputs"
EXTREME_IMAGES = 32


@dataclass(frozen=True)
class Task:
    """What a framework's process is asked.

    Attributes:
        path: the checkpoint that is read or written.
        output: the recording that is left.
        contents: the recording of what is to be written; None to read.
        dataset, data_dir: where the test images come from.
        weights_only: whether the optimizer and the run are left behind.
    """

    path: str
    output: str
    contents: str | None = None
    dataset: str = "auto"
    data_dir: str | None = None
    weights_only: bool = False

    def write(self, path: Path) -> None:
        """Writes the task as JSON."""
        files.write_json(path, vars(self))

    @classmethod
    def read(cls, path: str | Path) -> "Task":
        """Reads a task written by `write`."""
        return cls(**json.loads(Path(path).read_text(encoding="utf-8")))


@dataclass(frozen=True)
class Contents:
    """What a checkpoint holds, in neither framework's form.

    Attributes:
        experiment: the model, its optimizer and precision; the rest counts only if there is a stamp.
        stamp: the run it belongs to, None if it belongs to none.
        weights: canonical arrays.
        moments: of the optimizer, by names such as `dense_0/kernel/velocity`; Keras's, in both directions.
        step: how many updates the optimizer has made.
        source: the file's name.
        weights_only: why there are weights only, None if the run can go on.
    """

    experiment: Experiment
    stamp: Stamp | None
    weights: Arrays
    moments: Arrays
    step: int
    source: str
    weights_only: str | None = None

    def with_optimizer(self, moments: Arrays, step: int) -> "Contents":
        """Returns the contents with an optimizer's state.

        Raises:
            UserError: it has made no update, and the run has finished epochs: Keras only warns where it finds no state.
        """
        if self.stamp and self.stamp.results.epochs and not step:
            raise UserError(f"{self.source} holds no state of its optimizer. {ADVICE}")
        return replace(self, moments=moments, step=step)

    def to_recording(self) -> tuple[Arrays, dict]:
        """Returns arrays and metadata; `from_recording` is its inverse."""
        arrays = {f"weights/{name}": array for name, array in self.weights.items()}
        arrays |= {f"moments/{name}": array for name, array in self.moments.items()}
        return arrays, {
            "experiment": self.experiment.to_dict(),
            "run": self.stamp and self.stamp.to_dict(),
            "step": self.step,
            "source": self.source,
            "weights_only": self.weights_only,
        }

    @classmethod
    def from_recording(cls, found: Recording) -> "Contents":
        """Takes the contents out of a recording."""
        run = found.metadata["run"]
        return cls(
            Experiment.from_dict(found.metadata["experiment"]),
            run and Stamp.from_dict(run, found.metadata["source"]),
            under(found.arrays, "weights/"),
            under(found.arrays, "moments/"),
            found.metadata["step"],
            found.metadata["source"],
            found.metadata["weights_only"],
        )


def under(arrays: Arrays, prefix: str) -> Arrays:
    """Takes the arrays whose names start with a prefix, without it."""
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def inputs(images: np.ndarray) -> Arrays:
    """Returns what both sides predict: the test images (N, 784) in [0, 1], and inputs as no image is; float32.

    Args:
        images: (N, 28, 28) uint8.
    """
    images = images.reshape(len(images), -1).astype(np.float32) / 255
    some = images[:EXTREME_IMAGES]
    noise = np.random.default_rng(trials.STREAMS["cases"]).standard_normal(some.shape).astype(np.float32)
    ramp = np.linspace(-1, 1, some.size, dtype=np.float32).reshape(some.shape)
    uniform = np.array([[0], [1], [-1], [1e-30], [255]], np.float32) * np.ones_like(images[:1])
    # scaled up, pixels that were never divided by 255 among them, hidden units and the softmax saturate
    return {IMAGES: images, EXTREMES: np.concatenate([uniform, some * 255, -some, ramp * 4 + noise, noise * 1e3])}


def precision(weights: Arrays, path: str) -> str:
    """Returns the precision of weights.

    Raises:
        UserError: it is one that an experiment cannot name, or there are several.
    """
    found = sorted({str(array.dtype) for array in weights.values()})
    if len(found) != 1 or found[0] not in PRECISIONS:
        raise UserError(f"{path} holds {' and '.join(found)} weights; all must be {' or all '.join(PRECISIONS)}")
    return found[0]


def why_weights_only(stamp: Stamp | None, note: dict | None, task: Task) -> str | None:
    """Returns why nothing but weights crosses, or None if the whole run does.

    Args:
        stamp: the run that the source belongs to, None if it belongs to none.
        note: what the source says of its own conversion, see `resume.converted`.
        task: what was asked.
    """
    if note and note.get("weights_only"):
        return note["weights_only"]
    if stamp is None:
        return "no training command of this project wrote it"
    return "asked for by --weights-only" if task.weights_only else None


def asked(contents: Contents, digits: Digits, predict: Predictor) -> Recording:
    """Predicts with the source's weights as they are, and moved by one unit in the last place.

    Args:
        contents: of the source.
        digits: the data set whose test images are predicted.
        predict: by the source.
    """
    arrays, metadata = contents.to_recording()
    given = inputs(digits.test_images)
    arrays |= {f"inputs/{name}": array for name, array in given.items()}
    starts = {f"variant_{number}/": trials.Variant("nudged", number) for number in range(NUDGES)}
    weights = {"": contents.weights} | {name: one.weights(contents.weights, seed=0) for name, one in starts.items()}
    for prefix, moved in weights.items():
        arrays |= {f"{prefix}probabilities/{name}": predict(moved, array) for name, array in given.items()}
    return Recording(arrays, {**metadata, "dataset": digits.dataset, "data_source": digits.source})


def answered(contents: Contents, source: Recording, predict: Predictor) -> Recording:
    """Predicts the source's inputs with the weights of the target.

    Args:
        contents: of the target, read again.
        source: what `asked` returned for the source.
        predict: by the target, read again.
    """
    arrays, metadata = contents.to_recording()
    given = under(source.arrays, "inputs/")
    arrays |= {f"probabilities/{name}": predict(contents.weights, array) for name, array in given.items()}
    return Recording(arrays, metadata)


def answer(path: str, read: Callable[[Task], Recording], write: Callable[[Task, Recording], Recording]) -> None:
    """Does a task; what goes wrong is told to the process that asked.

    Args:
        path: of the task.
        read: reads a checkpoint.
        write: writes a checkpoint from the recording that `read` left, and reads it again.
    """
    task = Task.read(path)
    try:
        found = read(task) if task.contents is None else write(task, recording.read(task.contents))
        recording.write(task.output, found.arrays, found.metadata)
        send("done")
    except Exception as error:  # a stranger's file may fail in any way
        send("failed", message=probing.explained(error))
