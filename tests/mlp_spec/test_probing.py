"""What both probes leave: fingerprints that see every bit, events, and a whole recording."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest

from mlp_spec import job, recording
from mlp_spec.experiment import PRESETS, Experiment, TrainingSpec
from mlp_spec.probing import fingerprint, leave_recording, report_epoch
from mlp_spec.runs import CURVES, Results, RunFolder
from mlp_spec.summary import Layer

IMAGES = np.random.default_rng(0).random((50, 784), np.float32)
LABELS = np.arange(50) % 7


def results_of(epochs):
    results = Results(startup_seconds=2.5)
    for epoch in range(epochs):
        results.add_epoch(dict.fromkeys(CURVES, 1 / (epoch + 3)), seconds=epoch + 0.25)
    return results


def differing(first, second):
    return {key for key in first if first[key] != second[key]}


def test_a_fingerprint_describes_the_arrays():
    images = np.array([[0, 0.5], [0.25, 1]], np.float32)
    assert fingerprint(images, np.array([3, 9])) == {
        "samples": 2,
        "image_shape": [2],
        "image_dtype": "float32",
        "image_range": [0.0, 1.0],
        "image_mean": 0.4375,
        "image_sha256": hashlib.sha256(images.tobytes()).hexdigest(),
        "label_counts": [0, 0, 0, 1, 0, 0, 0, 0, 0, 1],
        "label_sha256": hashlib.sha256(np.array([3, 9], np.int64).tobytes()).hexdigest(),
    }


def test_a_fingerprint_is_plain_json():
    described = fingerprint(IMAGES, LABELS)
    assert json.loads(json.dumps(described)) == described


@pytest.mark.parametrize("place", [(0, 0), (17, 300), (49, 783)])
def test_a_fingerprint_sees_the_last_bit_of_one_pixel(place):
    changed = IMAGES.copy()
    changed[place] = np.nextafter(changed[place], np.float32(2))
    assert "image_sha256" in differing(fingerprint(IMAGES, LABELS), fingerprint(changed, LABELS))


@pytest.mark.parametrize("place", [0, 17, 49])
def test_a_fingerprint_sees_one_changed_label(place):
    changed = LABELS.copy()
    changed[place] = 9
    differences = differing(fingerprint(IMAGES, LABELS), fingerprint(IMAGES, changed))
    assert differences == {"label_sha256", "label_counts"}


def test_a_fingerprint_sees_an_exchanged_pair_of_samples():
    order = np.arange(50)
    order[[3, 4]] = order[[4, 3]]
    differences = differing(fingerprint(IMAGES, LABELS), fingerprint(IMAGES[order], LABELS[order]))
    assert differences >= {"image_sha256", "label_sha256"}
    assert not differences & {"label_counts", "image_range", "samples"}


def test_a_fingerprint_sees_the_precision():
    differences = differing(fingerprint(IMAGES, LABELS), fingerprint(IMAGES.astype(np.float64), LABELS))
    assert differences == {"image_dtype", "image_sha256"}


def test_a_fingerprint_does_not_depend_on_the_layout_in_memory():
    assert fingerprint(np.asfortranarray(IMAGES), LABELS) == fingerprint(IMAGES, LABELS)
    assert fingerprint(IMAGES, np.repeat(LABELS, 2)[::2]) == fingerprint(IMAGES, LABELS)
    assert fingerprint(IMAGES, LABELS.astype(np.int32)) == fingerprint(IMAGES, LABELS)


def test_a_finished_epoch_is_told(capsys):
    report_epoch(results_of(2))
    (line,) = capsys.readouterr().out.splitlines()
    metrics = dict.fromkeys(CURVES, 0.25)
    assert job.received(line) == {"event": "epoch", "epoch": 2, "seconds": 1.25, "metrics": metrics}


@pytest.fixture
def left(tmp_path):
    """The recording of a probe, with the arguments it was made of."""
    experiment = replace(PRESETS["small"], training=TrainingSpec(seed=5))
    given = {
        "framework": "keras",
        "device": "cpu",
        "packages": ("numpy", "no-such-package-anywhere"),
        "experiment": experiment,
        "data": {"train": fingerprint(IMAGES, LABELS), "test": fingerprint(IMAGES[:9], LABELS[:9])},
        "layers": [Layer("dense", "Dense", 784, 25, "sigmoid", 19_625)],
        "parameters": 19_885,
        "initial": {"dense_0/kernel": IMAGES[:2], "dense_0/bias": np.zeros(3)},
        "final": {"dense_0/kernel": IMAGES[2:4], "dense_0/bias": np.ones(3)},
        "results": results_of(3),
    }
    leave_recording(RunFolder(tmp_path / "run"), **given)
    assert [entry.name for entry in (tmp_path / "run").iterdir()] == ["recording.npz"]
    return recording.read(tmp_path / "run" / job.RECORDING), given


def test_the_recording_holds_the_weights_of_both_ends(left):
    read, given = left
    names = ["initial/dense_0/kernel", "initial/dense_0/bias", "final/dense_0/kernel", "final/dense_0/bias"]
    assert list(read.arrays) == names
    for end in ("initial", "final"):
        for name, array in given[end].items():
            assert read.arrays[f"{end}/{name}"].tobytes() == array.tobytes()


def test_the_recording_says_what_was_trained_and_how_it_went(left):
    read, given = left
    metadata, experiment, results = dict(read.metadata), given["experiment"], given["results"]
    packages = metadata.pop("environment")["packages"]
    assert packages == {"numpy": np.__version__, "no-such-package-anywhere": None}
    assert Experiment.from_dict(metadata.pop("experiment")) == experiment
    assert metadata == {
        "framework": "keras",
        "device": "cpu",
        "experiment_hash": experiment.hash,
        "run_id": experiment.run_id,
        "data": given["data"],
        "layers": [given["layers"][0].to_dict()],
        "parameters": 19_885,
        "history": results.history,
        "epoch_seconds": [0.25, 1.25, 2.25],
        "startup_seconds": 2.5,
    }
