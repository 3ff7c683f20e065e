"""What both frameworks' probes do alike: fingerprint the data, report epochs, leave a recording."""

import hashlib

import numpy as np

from mlp_spec import environment, job, recording
from mlp_spec.experiment import Experiment
from mlp_spec.runs import Results, RunFolder
from mlp_spec.summary import Layer


def fingerprint(images: np.ndarray, labels: np.ndarray) -> dict:
    """Describes the arrays a framework trains on, so that two pipelines can be compared to the bit.

    Args:
        images: (N, 784) as the framework is given them.
        labels: (N,) int64 class indices.
    """
    images, labels = np.ascontiguousarray(images), np.ascontiguousarray(labels)
    return {
        "samples": len(images),
        "image_shape": list(images.shape[1:]),
        "image_dtype": str(images.dtype),
        "image_range": [float(images.min()), float(images.max())],
        "image_mean": float(images.mean(dtype=np.float64)),
        "image_sha256": hashlib.sha256(images).hexdigest(),
        "label_counts": np.bincount(labels, minlength=10).tolist(),
        "label_sha256": hashlib.sha256(labels.astype(np.int64)).hexdigest(),
    }


def report_epoch(results: Results) -> None:
    """Tells the parity process that an epoch is finished."""
    metrics = {name: values[-1] for name, values in results.history.items()}
    job.send("epoch", epoch=results.epochs, seconds=results.epoch_seconds[-1], metrics=metrics)


def leave_recording(
    run: RunFolder,
    framework: str,
    device: str,
    packages: tuple[str, ...],
    experiment: Experiment,
    data: dict[str, dict],
    layers: list[Layer],
    parameters: int,
    initial: dict[str, np.ndarray],
    final: dict[str, np.ndarray],
    results: Results,
) -> None:
    """Writes what the parity process compares.

    Args:
        run: the process's run folder.
        framework: `keras` or `lightning`.
        device: `cpu` or `gpu`.
        packages: distributions whose versions matter.
        experiment: what was trained.
        data: fingerprints of `train` and `test`.
        layers: the model's layers.
        parameters: the framework's own count of trainable values.
        initial: weights when training began, by canonical name.
        final: weights when it ended.
        results: the curves.
    """
    metadata = {
        "framework": framework,
        "device": device,
        "environment": environment.describe(*packages),
        "experiment": experiment.to_dict(),
        "experiment_hash": experiment.hash,
        "run_id": experiment.run_id,
        "data": data,
        "layers": [layer.to_dict() for layer in layers],
        "parameters": parameters,
        "history": results.history,
        "epoch_seconds": results.epoch_seconds,
        "startup_seconds": results.startup_seconds,
    }
    arrays = {f"initial/{name}": array for name, array in initial.items()}
    arrays |= {f"final/{name}": array for name, array in final.items()}
    recording.write(run.path / job.RECORDING, arrays, metadata)
