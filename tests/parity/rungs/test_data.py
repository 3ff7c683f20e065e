"""The rung data: the same images, labels and batches, to the bit and in their order."""

from dataclasses import replace

import numpy as np
import pytest
from sample_records import LABELS, PIXELS, make_context, make_facts, make_means

from parity.pair import Settings
from parity.protocol.answer import fingerprint
from parity.rungs.check import Context
from parity.rungs.data import compare_split, judge_arrays, judge_batches

MEANS = make_means()[:2]


def test_the_same_arrays_pass():
    checks = judge_arrays(make_facts(), make_facts("lightning"), make_context())
    assert [(check.id, check.status) for check in checks] == [
        ("data/train-images-and-labels", "pass"),
        ("data/test-images-and-labels", "pass"),
    ]
    assert checks[0].detail.startswith("400 images, SHA-256 ")


@pytest.mark.parametrize(
    ("images", "labels", "words"),
    [
        (PIXELS * np.float32(255 / 256), LABELS, "image_range"),
        (PIXELS.astype(np.float64), LABELS, "image_dtype: Keras float32, Lightning float64"),
        (PIXELS, (LABELS + 1) % 3, "label_sha256"),
        (PIXELS[:-1], LABELS[:-1], "samples: Keras 400, Lightning 399"),
        (PIXELS[:, ::-1], LABELS, "image_sha256"),
    ],
)
def test_other_pixels_or_labels_fail(images, labels, words):
    theirs = make_facts("lightning", data={**make_facts().data, "train": fingerprint(images, labels)})
    checks = judge_arrays(make_facts(), theirs, make_context())
    assert [check.status for check in checks] == ["fail", "pass"] and words in checks[0].detail


def test_a_fact_that_one_side_lacks_fails():
    ours = make_facts().data["train"]
    for lacking in ({key: value for key, value in ours.items() if key != "samples"}, {**ours, "more": None}):
        assert compare_split(ours, lacking, "train").status == "fail"


def test_the_prescribed_batches_pass():
    (check,) = judge_batches(*MEANS, make_context())
    assert (check.id, check.status) == ("data/batches", "pass")


def change(column: int) -> np.ndarray:
    """Returns the batches' sums with one number of the fourth batch changed."""
    sums = MEANS[1].sums.copy()
    sums[3, column] += 1
    return sums


@pytest.mark.parametrize(
    ("sums", "words"),
    [
        (change(0), "first at batch 4: another rows"),
        (change(1), "first at batch 4: another sum of labels"),
        (change(2), "first at batch 4: another sum of pixels"),
        (change(3), "first at batch 4: another order of rows"),
        (MEANS[1].sums[:-1], "Lightning trained 63 batches in 2 epochs, Keras 64"),
        (np.empty((0, 4)), "Lightning trained 0 batches"),
        (None, "Lightning trained 0 batches"),
        (change(0) * np.nan, "first at batch 1"),
    ],
)
def test_other_batches_fail(sums, words):
    (check,) = judge_batches(MEANS[0], replace(MEANS[1], sums=sums), make_context())
    assert check.status == "fail" and words in check.detail


# ---- of a pair file


SETTINGS = Settings("mine", "0" * 64)
FOUND = {"samples": 400, "compared": 400, "different": 0, "largest": 0.0, "forms": ["flattened", "as they are"],
         "random": False, "order": "the same"}  # fmt: skip


def judge_rows(keras_random=False, augments=(), in_test=(), **found):
    """Judges a pair file's training rows."""
    ours = make_facts(experiment=SETTINGS)
    for split in ours.data.values():
        split |= {"random": keras_random, "augments": list(augments)}
    data = {"train": {**FOUND, **found}, "test": {**FOUND, "samples": 100, **dict(in_test)}}
    theirs = make_facts("lightning", experiment=SETTINGS, data=data)
    first, second = judge_arrays(ours, theirs, Context(ours, asked=SETTINGS))
    assert (second.id, second.status) == ("data/test-rows", "fail" if in_test else "pass")
    return first


def test_a_users_rows_pass_where_none_differs():
    check = judge_rows()
    assert (check.id, check.status) == ("data/train-rows", "pass") and "400 of 400 rows compared" in check.detail


@pytest.mark.parametrize(
    ("found", "status", "words"),
    [
        ({"different": 3, "largest": 0.25}, "fail", "the largest difference of a value is 0.25"),
        ({"samples": 390}, "fail", "Keras has 400 rows, the loader 390"),
        ({"random": True, "different": 400}, "fail", "a random transform), Keras's data do not"),
        ({"order": "another"}, "pass", "the rows stand in another order: they are compared by value"),
    ],
)
def test_a_users_rows_that_differ_fail_and_random_ones_too(found, status, words):
    check = judge_rows(**found)
    assert check.status == status and words in check.detail


def test_rows_that_the_model_augments_in_keras_may_be_random():
    check = judge_rows(augments=["RandomFlip"], random=True, different=400)
    assert check.status == "info" and "Keras's model augments its rows (RandomFlip)" in check.detail
    assert judge_rows(augments=["RandomFlip"], different=3).status == "fail"
    judge_rows(augments=["RandomFlip"], in_test={"random": True, "different": 100})  # Keras augments in training only


def test_rows_that_are_random_on_both_sides_are_not_compared():
    check = judge_rows(keras_random=True, random=True)
    assert check.status == "info" and "both data sets give other values each time" in check.detail
