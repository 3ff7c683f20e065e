"""The rung gradients: the same gradients from the same loss, tensor by tensor."""

from dataclasses import replace

import numpy as np
import pytest
from sample_records import SOUND, make_cases, make_context

from parity.rungs.gradients import judge

REFERENCE, CANDIDATE = make_cases(), make_cases(SOUND)


def judge_changed(change):
    """Judges a candidate whose gradients of one case are changed."""
    answers = dict(CANDIDATE.answers)
    gradients = dict(answers["the start"].gradients)
    change(gradients)
    answers["the start"] = replace(answers["the start"], gradients=gradients)
    (check,) = judge(REFERENCE, replace(CANDIDATE, answers=answers), make_context())
    return check


def test_the_same_gradients_pass():
    (check,) = judge(REFERENCE, CANDIDATE, make_context())
    assert (check.id, check.status) == ("gradients/gradients", "pass")
    assert len(check.more["all"]) == 6 * 6  # every tensor of every case


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda g: g.update({"dense/bias": g["dense/bias"] * np.float32(1.001)}), "the start: gradient of dense/bias["),
        (lambda g: g.pop("dense_1/kernel"), "the start: gradient of dense_1/kernel is missing"),
        (lambda g: g.update({"dense_9/bias": np.zeros(2)}), "the start: gradient of dense_9/bias is extra"),
        (lambda g: g.update({"dense/kernel": g["dense/kernel"].T}), "has the shape (6, 12), not (12, 6)"),
        (lambda g: g.update({"dense/kernel": g["dense/kernel"] * np.nan}), "worst at the start"),
    ],
)
def test_other_gradients_fail(change, words):
    check = judge_changed(change)
    assert check.status == "fail" and words in check.detail


def test_a_layer_without_gradients_fails():
    (check,) = judge(REFERENCE, make_cases(replace(SOUND, detached=1)), make_context())
    assert check.status == "fail" and "dense/" in check.detail


def test_a_case_that_was_not_answered_fails():
    (check,) = judge(REFERENCE, replace(CANDIDATE, answers={}), make_context())
    assert check.status == "fail" and "the start is missing" in check.detail
