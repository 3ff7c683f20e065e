"""The rung metrics: an epoch's loss and accuracy are the same averages, to the noise floor and to the image."""

from dataclasses import replace

import numpy as np
import pytest
from sample_records import make_context, make_means

from parity.rungs.metrics import check_images, judge

REFERENCE, CANDIDATE = make_means()
COUNTS = np.array([1000, 1000])


def judge_curve(name, curve):
    """Judges a candidate with another curve; returns the checks by subject."""
    checks = judge(REFERENCE, replace(CANDIDATE, curves={**CANDIDATE.curves, name: curve}), make_context())
    return {check.subject: check for check in checks}


def test_the_same_means_pass():
    checks = judge(REFERENCE, CANDIDATE, make_context())
    assert [(check.id, check.status) for check in checks] == [
        (f"metrics/mean-{name}", "pass") for name in ("loss", "acc", "val_loss", "val_acc")
    ]


@pytest.mark.parametrize("name", ["loss", "acc", "val_loss", "val_acc"])
@pytest.mark.parametrize(
    "change",
    [
        lambda curve: curve * 1.01,
        lambda curve: curve[:1],
        lambda curve: np.empty(0),
        lambda curve: curve * np.nan,
        lambda curve: curve[None],
    ],
)
def test_another_mean_fails_alone(name, change):
    failed = [subject for subject, check in judge_curve(name, change(CANDIDATE.curves[name])).items()
              if check.status != "pass"]  # fmt: skip
    assert failed == [f"mean-{name}"]


def test_a_mean_of_batch_means_fails():
    losses = CANDIDATE.losses.reshape(2, -1)
    assert judge_curve("loss", losses.mean(axis=1))["mean-loss"].status == "fail"


def test_a_curve_that_is_missing_fails():
    checks = judge(REFERENCE, replace(CANDIDATE, curves={}), make_context())
    assert {check.status for check in checks} == {"fail"}


@pytest.mark.parametrize(
    ("theirs", "variants", "status"),
    [
        ([0.9, 0.8], [], "pass"),
        ([0.901, 0.8], [], "pass"),  # one image
        ([0.902, 0.8], [], "fail"),  # two
        ([0.902, 0.8], [[0.901, 0.8]], "pass"),  # the reference differs from itself by one: ten may
        ([0.911, 0.8], [[0.901, 0.8]], "fail"),
        ([0.9004, 0.8], [], "fail"),  # .4 of an image is another mean, not another answer
        ([0.9, np.nan], [], "fail"),
        ([0.9], [], "fail"),
    ],
)
def test_accuracies_are_judged_as_numbers_of_images(theirs, variants, status):
    variants = [np.array(variant) for variant in variants]
    check = check_images("mean-acc", "metrics", np.array([0.9, 0.8]), np.array(theirs), variants, COUNTS)
    assert check.status == status, check
