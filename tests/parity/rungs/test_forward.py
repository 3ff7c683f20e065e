"""The rung forward: the same weights and images in, the same probabilities out."""

from dataclasses import replace

import numpy as np
import pytest
from sample_records import SOUND, make_cases, make_context

from parity.rungs.forward import compare_answers, judge, limit_text

REFERENCE, CANDIDATE = make_cases(), make_cases(SOUND)


def judge_changed(change):
    """Judges a candidate whose answer to one case is changed."""
    answers = dict(CANDIDATE.answers)
    answers["with biases"] = replace(answers["with biases"], probabilities=change(answers["with biases"].probabilities))
    (check,) = judge(REFERENCE, replace(CANDIDATE, answers=answers), make_context())
    return check


def test_the_same_probabilities_pass():
    (check,) = judge(REFERENCE, CANDIDATE, make_context())
    assert (check.id, check.status) == ("forward/probabilities", "pass") and len(check.more["all"]) == 6
    assert "in 3 runs that differ in rounding only" in check.detail


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda p: p + np.float32(1e-4), "worst at with biases: probabilities["),
        (lambda p: p[:, ::-1], "worst at with biases: probabilities["),
        (lambda p: p[:-1], "with biases: probabilities has the shape (31, 3), not (32, 3)"),
        (lambda p: np.where(p == p.max(), np.nan, p), "worst at with biases"),
    ],
)
def test_other_probabilities_fail(change, words):
    check = judge_changed(change)
    assert check.status == "fail" and words in check.detail


def test_rounded_products_fail():
    (check,) = judge(REFERENCE, make_cases(replace(SOUND, bits=8)), make_context())
    assert check.status == "fail"


def test_a_case_that_was_not_answered_fails():
    answers = {name: answer for name, answer in CANDIDATE.answers.items() if name != "the start"}
    (check,) = judge(REFERENCE, replace(CANDIDATE, answers=answers), make_context())
    assert check.status == "fail" and check.detail == "the start is missing"


def test_no_cases_at_all_are_an_error():
    nothing = replace(REFERENCE, answers={}, cases={}, variants=[])
    (check,) = judge(nothing, replace(CANDIDATE, answers={}), make_context())
    assert check.status == "error"


def test_every_case_is_compared_with_its_own_floor():
    gaps = compare_answers(REFERENCE, CANDIDATE, "loss", lambda answer: answer.loss)
    assert [gap.where for gap in gaps] == [f"{name}: loss[0]" for name in REFERENCE.answers]
    assert len({gap.floor for gap in gaps}) > 1 and "5 runs" in limit_text(5)
