"""How `parity convert` judges what it wrote: a pair that agrees, and planted faults."""

import numpy as np
import pytest

from mlp_spec.experiment import PRESETS
from mlp_spec.runs.folder import CURVES, Results
from mlp_spec.runs.resume import Stamp
from parity import convert
from parity.protocol import contents as exchange
from parity.protocol import start as canonical
from parity.protocol.contents import Contents
from parity.protocol.recording import Recording


def recordings():
    """What two sound sides record: weights, moments, a run, and probabilities one rounding apart."""
    experiment = PRESETS["small"]
    weights = canonical.initial_weights(experiment.model, seed=0)
    moments = {f"{name}/velocity": np.ones_like(array) for name, array in weights.items()}
    results = Results()
    results.add_epoch(dict.fromkeys(CURVES, 0.5), 1.0)
    contents = Contents(experiment, Stamp(experiment, results), weights, moments, 125, "a.keras")
    draw = np.random.default_rng(0)
    found = {name: draw.dirichlet(np.ones(10), 50).astype(np.float32) for name in (exchange.IMAGES, exchange.EXTREMES)}
    arrays, metadata = contents.to_recording()
    sides = []
    for prefixes in (("", "variant_0/", "variant_1/"), ("",)):
        own = {f"{one}probabilities/{name}": apart(array, draw) for one in prefixes for name, array in found.items()}
        sides.append(Recording({**{key: value.copy() for key, value in arrays.items()}, **own}, dict(metadata)))
    return sides


def apart(array, draw):
    return array + (draw.integers(-1, 2, array.shape) * np.float32(6e-8)).astype(np.float32)


def failed(source, target):
    checks = convert.judge(source, target)
    assert len(checks) == 8
    return [check.name for check in checks if check.status != "pass"]


def test_two_sound_sides_pass():
    assert failed(*recordings()) == []


def change(name, make):
    def changed(target):
        target.arrays[name] = make(target.arrays[name])

    return changed


def later(target):
    target.metadata["step"] = 126


def elsewhere(target):
    target.metadata["run"] = {**target.metadata["run"], "epoch_seconds": [2.0]}


IMAGES = f"probabilities/{exchange.IMAGES}"
FAULTS = {
    "one ulp": (change("weights/dense_0/kernel", lambda w: np.nextafter(w, np.float32(1))), "weights, to the bit"),
    "transposed": (change("weights/dense_1/kernel", lambda w: w.T), "weights, to the bit"),
    "precision": (change("weights/dense_1/bias", lambda w: w.astype(np.float64)), "weights, to the bit"),
    "moments": (change("moments/dense_0/bias/velocity", lambda m: m * 2), "the optimizer's moments, to the bit"),
    "step": (later, "updates of the optimizer"),
    "run": (elsewhere, "run: experiment and history"),
    "probabilities": (change(IMAGES, lambda p: p + np.float32(2e-5)), "probabilities, test images"),
    "no number": (change(IMAGES, lambda p: np.where(p == p.max(), np.nan, p)), "probabilities, test images"),
    "fewer": (change(IMAGES, lambda p: p[:-1]), "probabilities, test images"),
    "classes": (change(IMAGES, lambda p: p[:, ::-1]), "classes, test images"),
    "extremes": (
        change(f"probabilities/{exchange.EXTREMES}", lambda p: p * np.float32(1.0001)),
        "probabilities, saturated and extreme inputs",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_caught(fault):
    source, target = recordings()
    plant, name = FAULTS[fault]
    plant(target)
    assert name in failed(source, target)


def test_a_missing_array_is_caught():
    source, target = recordings()
    del target.arrays["weights/dense_1/bias"]
    assert failed(source, target) == ["weights, to the bit"]
