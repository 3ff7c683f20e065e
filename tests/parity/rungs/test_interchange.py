"""The rung interchange: weights trained in one framework predict the same in the other."""

from dataclasses import replace

import numpy as np
import pytest
from sample_records import make_context, make_facts, make_sides

from parity.pair import Settings
from parity.protocol.records import Floor, Run
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


# ---- of a pair file

FACTS = make_facts(experiment=Settings("mine", "0" * 64))
RUNS = [Run(np.ones(3), {}, probabilities=variant) for variant in REFERENCE.variants]
OF_PAIR = Context(FACTS, Floor(variants=RUNS, horizon_reached=False))


def test_a_pairs_outputs_are_judged_and_need_be_no_classes():
    checks = judge_changed(OF_PAIR)
    assert [(check.id, check.status) for check in checks.values()] == [
        ("interchange/probabilities-keras-weights", "pass"),
        ("interchange/evaluation-mode-after-training", "pass"),
    ]
    other = CANDIDATE.probabilities + np.float32(1e-4)
    assert failed(judge_changed(OF_PAIR, probabilities=other)) == ["probabilities-keras-weights"]


@pytest.mark.parametrize("change", [lambda p: p + np.float32(1e-4), lambda p: p * np.nan, lambda p: p[:5]])
def test_other_outputs_with_its_own_weights_fail(change):
    checks = judge_changed(OF_PAIR, own_probabilities=change(CANDIDATE.probabilities))
    assert failed(checks) == ["evaluation-mode-after-training"]


def test_its_own_weights_are_judged_by_the_departure_of_the_references_own_runs():
    far = [replace(run, probabilities=run.probabilities + np.float32(1e-4)) for run in RUNS]
    context = replace(OF_PAIR, floor=Floor(variants=far, horizon_reached=False))
    check = judge_changed(context)["evaluation-mode-after-training"]
    assert check.status == "pass" and check.limit == pytest.approx(1e-3, rel=0.01)


def test_of_a_pair_own_weights_inform_beyond_the_horizon_and_must_be_numbers_there_too():
    context = replace(OF_PAIR, floor=Floor(variants=RUNS, horizon_reached=True))
    other = CANDIDATE.probabilities[:, ::-1]
    check = judge_changed(context, own_probabilities=other)["evaluation-mode-after-training"]
    assert (check.status, check.limit) == ("info", None) and "departed from each other" in check.detail
    assert failed(judge_changed(context, own_probabilities=other * np.nan)) == ["evaluation-mode-after-training"]


def test_of_a_pair_without_trained_weights_of_its_own_it_is_an_error():
    assert judge_changed(OF_PAIR, own_probabilities=None)["evaluation-mode-after-training"].status == "error"
