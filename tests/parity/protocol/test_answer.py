"""What both probes leave: fingerprints that see every bit, events, and a whole recording."""

import hashlib
import json

import numpy as np
import pytest

from mlp_spec.experiment import PRESETS
from mlp_spec.runs.folder import CURVES, Results
from mlp_spec.support.errors import UserError
from parity.protocol import recording
from parity.protocol import task as job
from parity.protocol.answer import batch_sums, fingerprint, go_through, replayed, report_epoch

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


class Probe:
    """A probe of three parts, of which the second fails."""

    def __init__(self, folder):
        self.task = job.Job(PRESETS["small"], "auto", None, "cpu", str(folder), ("facts", "initial", "cases"))

    def facts(self):
        return {"a": np.ones(2)}, {"first": True}

    def initial(self):
        raise ValueError("no weights today")

    def cases(self):
        raise UserError("a sentence for people")


def test_a_part_that_fails_is_told_and_the_others_go_on(tmp_path, capsys):
    go_through(Probe(tmp_path))
    events = [job.received(line) for line in capsys.readouterr().out.splitlines()]
    assert [(event["event"], event["part"]) for event in events] == [
        ("begin", "facts"), ("part", "facts"), ("begin", "initial"), ("failed", "initial"),
        ("begin", "cases"), ("failed", "cases"),
    ]  # fmt: skip
    assert "ValueError: no weights today (test_probing.py, line" in events[3]["message"]
    assert events[5]["message"] == "a sentence for people"
    left = recording.read(job.recording_path(tmp_path, "facts"))
    assert left.metadata["first"] and left.metadata["run_id"] == PRESETS["small"].run_id


def test_batches_are_described_by_rows_and_their_order():
    sums = batch_sums(IMAGES[:7], LABELS[:7], 3)
    assert sums.shape == (3, 4) and sums[:, 0].tolist() == [3, 3, 1]
    swapped = IMAGES[[1, 0, 2, 3, 4, 5, 6]]
    changed = batch_sums(swapped, LABELS[[1, 0, 2, 3, 4, 5, 6]], 3)
    assert (changed[0, :3] == sums[0, :3]).all() and changed[0, 3] != sums[0, 3]
    assert (changed[1:] == sums[1:]).all()


def test_a_replay_keeps_first_values_and_the_sum():
    kept = replayed({"x": np.arange(2000, dtype=np.float32)})["x"]
    assert kept[:3].tolist() == [0, 1, 2] and kept[-1] == 1999 * 1000 and len(kept) == 998
