"""Causes of other pixels, labels and batches: each planted one is named, and nothing where the data agree."""

from dataclasses import replace

import numpy as np
import pytest
from sample_causes import best, make_evidence, named, sound_evidence
from sample_records import LABELS, PIXELS, make_facts, make_means

from parity.causes.data import search, search_batches
from parity.protocol.answer import fingerprint

MEANS = make_means()
ORDER = np.random.default_rng(3).permutation(len(PIXELS))


def facts_of(images, labels=LABELS, test=None):
    data = {"train": fingerprint(images, labels), "test": test or make_facts().data["test"]}
    return make_evidence(make_facts(), make_facts("lightning", data=data))


def test_data_that_agree_have_no_cause():
    assert named(search, sound_evidence("facts")) is None


PLANTED = {
    "pixels-256": facts_of(PIXELS * np.float32(255 / 256)),
    "pixels-unscaled": facts_of(PIXELS * 255),
    "pixels-centred": facts_of(PIXELS * 2 - 1),
    "pixels-standardised": facts_of((PIXELS - np.float32(0.1307)) / np.float32(0.3081)),
    "pixels-inverted": facts_of(1 - PIXELS),
    "pixels-reciprocal": facts_of(np.rint(PIXELS * 255).astype(np.float32) * np.float32(1 / 255)),
    "pixels-moved": facts_of(PIXELS[:, ::-1]),
    "labels-changed": facts_of(PIXELS, np.where(np.arange(len(LABELS)) == 5, (LABELS + 1) % 3, LABELS)),
    "own-order": facts_of(PIXELS[ORDER], LABELS[ORDER]),
    "validation-data": facts_of(PIXELS, test=fingerprint(PIXELS, LABELS)),
}


@pytest.mark.parametrize("cause", PLANTED)
def test_a_planted_cause_is_named(cause):
    assert named(search, PLANTED[cause]) == cause


def test_changed_labels_are_counted():
    one = best(search, PLANTED["labels-changed"])
    assert one.title == "the same images with other labels (at least 1 changed class)"


def test_pixels_of_another_kind_have_no_cause():
    assert named(search, facts_of(np.random.default_rng(5).random(PIXELS.shape, np.float32) ** 9)) is None


# ---- batches


def batches_of(sums):
    return make_evidence(MEANS[0], replace(MEANS[1], sums=sums))


def test_the_prescribed_batches_have_no_cause():
    assert list(search_batches(batches_of(MEANS[1].sums))) == []


def drop_last(sums):
    half = len(sums) // 2
    return np.concatenate([sums[: half - 1], sums[half:-1]])


def swap(sums):
    swapped = sums.copy()
    swapped[[3, 4]] = swapped[[4, 3]]
    return swapped


def relabel(sums):
    changed = sums.copy()
    changed[5, [1, 3]] += 1
    return changed


@pytest.mark.parametrize(
    ("cause", "change"), [("drop-last", drop_last), ("batch-order", swap), ("labels-changed", relabel)]
)
def test_planted_batches_are_named(cause, change):
    assert named(search_batches, batches_of(change(MEANS[1].sums))) == cause


@pytest.mark.parametrize("change", [lambda sums: sums[:-7], lambda sums: sums + 1, lambda sums: drop_last(swap(sums))])
def test_other_batches_have_no_cause(change):
    assert named(search_batches, batches_of(change(MEANS[1].sums))) is None
