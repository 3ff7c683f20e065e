"""What both adapters do alike: go through a task's parts, describe data and batches, report epochs."""

import faulthandler
import hashlib
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np

from mlp_spec.experiment import Experiment
from mlp_spec.runs.folder import Results
from mlp_spec.support import command
from mlp_spec.support.errors import UserError
from parity.protocol import inputs
from parity.protocol.records import stamped
from parity.protocol.task import (
    CANDIDATE_PARTS,
    FOLLOWING_PARTS,
    REFERENCE_PARTS,
    TRAINING_PARTS,
    TRIALS,
    SeedsTask,
    Task,
    send,
    write_record,
)
from parity.protocol.tensors import Arrays


class Session:
    """One side of the ladder, in its framework's process.

    Args:
        task: what is asked.

    Attributes:
        pair: what is compared, with the data set that was found.
        untrained: why nothing is trained; empty where all is.
    """

    untrained = ""

    def __init__(self, task: Task):
        self.task, self.pair = task, task.pair

    def release(self) -> None:
        """Gives memory back that was needed for a part alone: nothing; the lab's data and models are small."""

    @property
    def experiment(self) -> Experiment:
        """What is trained."""
        return self.pair.experiment

    @property
    def seed(self) -> int:
        """Of initialisation and order."""
        return self.experiment.training.seed

    @property
    def batch_size(self) -> int:
        """Rows of a training batch."""
        return self.experiment.training.batch_size


def main(package: str, open_session: Callable[[Task], Session]) -> int:
    """Answers the task that the process was started with; returns the exit status.

    Args:
        package: the framework's adapter.
        open_session: starts the framework for the ladder's parts.
    """

    # a process that is silent for too long is asked where it is (`parity.process.frames_of`)
    faulthandler.register(signal.SIGUSR1, file=2)
    end_with_parent()

    def answer() -> None:
        """Answers all parts."""
        path, *parts = sys.argv[1:]
        task = Task.read(path)
        task = replace(task, parts=tuple(parts) or task.parts)
        if task.seeds:
            take_share(task.seeds)
        is_of_pair = task.checkpoint and task.pair and not task.pair.is_lab
        if is_of_pair or (not task.checkpoint and set(task.parts) <= {*REFERENCE_PARTS, *CANDIDATE_PARTS, *TRIALS}):
            sys.argv[1:] = []  # a user's code may read its own flags; our task's path is none of them
            session = open_pair(task, open_session)
            room = "convert_pair" if is_of_pair else "undo.trials" if task.explained else "answer"
            parts = import_module(f"{package}.{room}").PARTS
            return answer_parts(task, parts, session, session.experiment)
        module = "parity.traps.evaluate" if task.snippets else f"{package}.{'seeds' if task.seeds else 'convert'}"
        return answer_parts(task, import_module(module).PARTS, task, None)

    return command.run(answer)


def open_pair(task: Task, open_session: Callable[[Task], Session]) -> Session:
    """Opens a session; what a user's own code raises meanwhile is the user's to mend, and told in one line.

    Raises:
        UserError: a pair file or a target cannot be used.
        Exception: whatever the lab's own code raises.
    """
    try:
        return open_session(task)
    except Exception as error:
        if task.pair.is_lab:
            raise
        raise UserError(explain_error(error)) from error


def answer_parts(task: Task, parts: dict[str, Callable], subject: object, experiment: Experiment | None) -> None:
    """Answers a task's parts in their order; one that fails is reported, and the next ones go on, but for `facts`.

    Args:
        task: what is asked.
        parts: what answers each part: it returns the part's record, None if it leaves its results elsewhere.
        subject: what is passed on to it.
        experiment: that is trained, with the data set that was found; None where nothing is.
    """
    for part in task.parts:
        if part in TRAINING_PARTS and subject.untrained:
            send("skipped", part=part)
            continue
        send("begin", part=part)
        if part in FOLLOWING_PARTS:
            task.wait_for_reference(part)
        started = time.monotonic()
        try:
            record = parts[part](subject)
            if record is not None:
                write_record(task.output_dir, part, stamped(record, experiment, time.monotonic() - started))
            del record
            send("part", part=part)
        except Exception as error:  # a user's own code may fail in any way; every rung that can run still does
            send("failed", part=part, message=explain_error(error))
            if part == "facts":  # what cannot be built or bound cannot do anything else
                return
        if isinstance(subject, Session):
            subject.release()


def explain_error(error: Exception) -> str:
    """Returns an error in a few lines: what was raised, and where in the user's or our code."""
    if isinstance(error, UserError):
        return str(error)
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "site-packages" not in frame.filename]
    where = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno}, in {frames[-1].name})" if frames else ""
    return f"{type(error).__name__}: {str(error).strip()[:600]}{where}"


def take_share(task: SeedsTask) -> None:
    """Pins cores and thread counts; call before importing a framework."""
    if task.cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, task.cores)
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
    os.environ |= dict.fromkeys((*names, "TORCHINDUCTOR_COMPILE_THREADS"), str(task.threads))


def end_with_parent() -> None:
    """Has the process end when the one that started it does, whatever ended that: nobody would read the answers."""
    parent = os.getppid()

    def watch() -> None:
        """Waits until the parent is another one."""
        while os.getppid() == parent:
            time.sleep(0.3)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def report_epoch(results: Results) -> None:
    """Reports a finished epoch to the process that asked."""
    metrics = {name: values[-1] for name, values in results.history.items()}
    send("epoch", epoch=results.epochs, seconds=results.epoch_seconds[-1], metrics=metrics)


def fingerprint(images: np.ndarray, labels: np.ndarray) -> dict:
    """Describes the arrays a framework trains on, so that two pipelines can be compared to the bit.

    Args:
        images: (N, 784) as the framework is given them.
        labels: (N,) class indices.
    """
    images, labels = np.ascontiguousarray(images), np.ascontiguousarray(labels)
    return {
        "samples": len(images),
        "image_shape": list(images.shape[1:]),
        "image_dtype": str(images.dtype),
        "image_range": [float(images.min()), float(images.max())],
        "image_mean": float(images.mean(dtype=np.float64)),
        "image_sha256": hashlib.sha256(images).hexdigest(),
        "label_counts": np.bincount(labels.astype(np.int64), minlength=10).tolist(),
        "label_sha256": hashlib.sha256(labels.astype(np.int64)).hexdigest(),
    }


def shorten(weights: Arrays) -> Arrays:
    """Shortens weights to what a replay keeps of a step: the first values of each tensor, and its sum.

    Gradients repeat along a tensor, so that the first values say what happens; the sum says that it happens
    everywhere.
    """
    return {
        path: np.append(array.ravel()[: inputs.REPLAY_PERIOD], array.sum(dtype=np.float64).astype(array.dtype))
        for path, array in weights.items()
    }


def stack(steps: list[Arrays]) -> Arrays:
    """Stacks equal arrays of several draws or steps: (steps, ...) by path."""
    return {path: np.stack([step[path] for step in steps]) for path in steps[0]}


def describe_batches(images: np.ndarray, labels: np.ndarray, batch_size: int) -> np.ndarray:
    """Describes an epoch's batches in order: (batches, 4), see `describe_batch`."""
    starts = range(0, len(images), batch_size)
    parts = [slice(start, start + batch_size) for start in starts]
    return np.array([describe_batch(images[part], labels[part]) for part in parts])


def describe_batch(images: np.ndarray, labels: np.ndarray) -> list[float]:
    """Describes one batch by four numbers: rows, sums of labels and pixels, and one that knows the rows' order.

    Sums are taken over rounded pixels, so that they do not depend on the order of summation.
    """
    pixels = np.rint(images.reshape(len(images), -1).astype(np.float64) * 2**24).sum(axis=1)  # exact in float64
    weight = np.arange(1, len(images) + 1)
    return [len(images), float(labels.sum()), float(pixels.sum()), float((weight * (pixels % 65_521 + labels)).sum())]
