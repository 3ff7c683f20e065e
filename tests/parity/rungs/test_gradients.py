"""The rung gradients: the same gradients from the same loss, tensor by tensor."""

from dataclasses import replace

import numpy as np
import pytest
from sample_records import SOUND, make_cases, make_context, make_facts

from parity.pair import Settings
from parity.rungs.check import Context, Gap
from parity.rungs.gradients import judge, with_floors_of_layers

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


# ---- of a pair file


def test_a_gradient_that_is_rounding_alone_is_judged_by_its_layer():
    # of a bias before a batch normalisation: 0 in theory, 1e-9 and -3e-8 in practice, and its own floor is 4e-16
    gaps = {
        "conv/bias": Gap("conv/bias", 3e-8, 4e-16),
        "conv/kernel": Gap("conv/kernel", 1e-7, 1e-7),
        "dense/bias": Gap("dense/bias", 3e-8, 4e-16),
        "dense/kernel": "dense/kernel has the shape (1,), not (2,)",
    }
    ratios = [gap if isinstance(gap, str) else gap.ratio for gap in with_floors_of_layers(gaps)]
    assert ratios[0] == pytest.approx(0.03) and ratios[1] == pytest.approx(0.1) and ratios[2] > 1e6
    assert ratios[3] == gaps["dense/kernel"]


def test_the_labs_gradients_are_judged_each_by_its_own_floor():
    (lab,) = judge(REFERENCE, CANDIDATE, make_context())
    facts = make_facts(experiment=Settings("mine", "0" * 64))
    (pair,) = judge(REFERENCE, CANDIDATE, Context(facts))
    limits = [{gap["where"]: gap["limit"] for gap in check.more["all"]} for check in (lab, pair)]
    assert pair.status == "pass" and limits[0].keys() == limits[1].keys()
    assert all(limits[1][where] >= limit for where, limit in limits[0].items()) and limits[0] != limits[1]
