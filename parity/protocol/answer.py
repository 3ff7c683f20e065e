"""What both frameworks' probes do alike: fingerprint the data, report epochs, go through their parts."""

import hashlib
import time
import traceback
from pathlib import Path

import numpy as np

from mlp_spec.runs.folder import Results
from mlp_spec.support.errors import UserError
from parity.protocol import inputs as trials
from parity.protocol import task as job


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


def report_epoch(results: Results) -> None:
    """Tells the parity process that an epoch is finished."""
    metrics = {name: values[-1] for name, values in results.history.items()}
    job.send("epoch", epoch=results.epochs, seconds=results.epoch_seconds[-1], metrics=metrics)


def replayed(weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Shortens weights to what a replay keeps of a step: the first values of each tensor, and its sum.

    Gradients repeat along a tensor, so that the first values say what happens; the sum says that it happens
    everywhere.
    """
    return {
        name: np.append(array.ravel()[: trials.REPLAY_PERIOD], array.sum(dtype=np.float64).astype(array.dtype))
        for name, array in weights.items()
    }


def stacked(draws: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Stacks equal arrays of several draws: (draws, ...) by name."""
    return {name: np.stack([draw[name] for draw in draws]) for name in draws[0]}


def batch_sums(images: np.ndarray, labels: np.ndarray, batch_size: int) -> np.ndarray:
    """Describes an epoch's batches in order: (batches, 4), see `batch_sum`."""
    places = range(0, len(images), batch_size)
    return np.array([batch_sum(images[at : at + batch_size], labels[at : at + batch_size]) for at in places])


def batch_sum(images: np.ndarray, labels: np.ndarray) -> list[float]:
    """Describes one batch by four numbers: rows, sums of labels and pixels, and one that knows the rows' order.

    Sums are taken over rounded pixels, so that they do not depend on the order of summation.
    """
    pixels = np.rint(images.reshape(len(images), -1).astype(np.float64) * 2**24).sum(axis=1)  # exact in float64
    place = np.arange(1, len(images) + 1)
    return [len(images), float(labels.sum()), float(pixels.sum()), float((place * (pixels % 65_521 + labels)).sum())]


def go_through(probe) -> None:
    """Goes through a job's parts in their order; one that fails is told, and the next ones go on.

    Args:
        probe: has `task`, and for every part a method that returns its arrays and metadata.
    """
    for part in probe.task.parts:
        job.send("begin", part=part)
        started = time.monotonic()
        try:
            arrays, metadata = getattr(probe, part)()
            probe.task.leave(part, arrays, {"seconds": time.monotonic() - started, **metadata})
        except Exception as error:  # a user's own code may fail in any way; every rung that can run still does
            job.send("failed", part=part, message=explained(error))


def explained(error: Exception) -> str:
    """Returns an error in a few lines: what was raised, and where in the user's or our code."""
    if isinstance(error, UserError):
        return str(error)
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "site-packages" not in frame.filename]
    where = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno}, in {frames[-1].name})" if frames else ""
    return f"{type(error).__name__}: {str(error).strip()[:600]}{where}"
