"""The rung interchange: weights trained in one framework predict the same in the other."""

from dataclasses import replace

import numpy as np
import pytest
from sample_records import make_context, make_facts, make_sides

from parity.pair import Settings
from parity.protocol.records import Floor
from parity.rungs.check import Context
from parity.rungs.interchange import check_classes, judge

REFERENCE, CANDIDATE = (side.parts["interchange"] for side in make_sides())
CONTEXT = make_context(floor=Floor(variants=[], horizon_reached=False))


def judge_changed(context=CONTEXT, **changes):
    checks = judge(REFERENCE, replace(CANDIDATE, **changes), context)
    return {check.subject: check for check in checks}


def failed(checks):
    return [subject for subject, check in checks.items() if check.status in ("fail", "error")]


def test_the_same_predictions_pass():
    checks = judge_changed()
    assert [(check.id, check.status) for check in checks.values()] == [
        ("interchange/probabilities-keras-weights", "pass"),
        ("interchange/classes-keras-weights", "pass"),
        ("interchange/classes-own-weights", "pass"),
    ]
    assert [check.name for check in checks.values()] == [
        "probabilities, Keras's weights", "classes, Keras's weights", "classes, each its own weights",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "subjects"),
    [
        (lambda p: p + np.float32(1e-4), ["probabilities-keras-weights"]),
        (lambda p: p[:, ::-1], ["probabilities-keras-weights", "classes-keras-weights"]),
        (lambda p: p[:-1], ["probabilities-keras-weights", "classes-keras-weights"]),
        (lambda p: p * np.nan, ["probabilities-keras-weights", "classes-keras-weights"]),
        (lambda p: p[:, :-1], ["probabilities-keras-weights", "classes-keras-weights"]),
    ],
)
def test_other_predictions_fail(change, subjects):
    assert failed(judge_changed(probabilities=change(CANDIDATE.probabilities))) == subjects


@pytest.mark.parametrize("change", [lambda p: p[:, ::-1], lambda p: p * np.nan, lambda p: p[:5]])
def test_other_classes_with_its_own_weights_fail(change):
    checks = judge_changed(own_probabilities=change(CANDIDATE.probabilities))
    assert failed(checks) == ["classes-own-weights"]


def test_without_trained_weights_of_its_own_it_is_an_error():
    check = judge_changed(own_probabilities=None)["classes-own-weights"]
    assert check.status == "error" and "no trained weights" in check.detail


def test_beyond_the_horizon_own_weights_inform():
    context = replace(CONTEXT, floor=Floor(variants=[], horizon_reached=True))
    check = judge_changed(context, own_probabilities=CANDIDATE.probabilities[:, ::-1])["classes-own-weights"]
    assert (check.status, check.limit) == ("info", None) and "passed the horizon" in check.detail


def test_equally_likely_classes_are_a_tie():
    ours = np.array([[0.5, 0.5 - 1e-6, 0.0], [0.9, 0.1, 0.0]])
    theirs = ours[:, [1, 0, 2]]
    tied = check_classes("x", ours[:1], theirs[:1], 1e-6)
    assert tied.status == "pass" and "0 of 1 images get the same class; 1 of the others are ties" in tied.detail
    both = check_classes("x", ours, theirs, 1e-6)
    assert (both.status, both.measured) == ("fail", 1)
    assert check_classes("x", ours[:1], theirs[:1], None).status == "fail"


def test_a_pairs_outputs_are_judged_and_need_be_no_classes():
    facts = make_facts(experiment=Settings("mine", "0" * 64))
    (check,) = judge_changed(Context(facts)).values()
    assert (check.id, check.status) == ("interchange/probabilities-keras-weights", "pass")
    other = CANDIDATE.probabilities + np.float32(1e-4)
    assert failed(judge_changed(Context(facts), probabilities=other)) == ["probabilities-keras-weights"]
