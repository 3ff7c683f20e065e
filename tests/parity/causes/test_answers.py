"""Answers to cases as vectors: what the model in numpy explains of a gap, and the one number that it is linear in."""

from dataclasses import replace

import numpy as np
import pytest
from sample_causes import make_evidence, sound_evidence
from sample_records import SOUND, make_cases

from parity.causes.answers import Answers, arrays_of


def answers_of(**changed) -> Answers:
    return Answers(make_evidence(make_cases(), make_cases(replace(SOUND, **changed))))


def test_every_array_of_every_case_is_in_units_of_the_references_norm():
    answers = Answers(sound_evidence("cases"))
    assert answers.reference.shape == answers.candidate.shape == answers.exact.shape
    assert len(answers.scales) == 6 * 8  # of six cases: six gradients, the loss, the probabilities
    assert np.linalg.norm(answers.reference) == pytest.approx(np.sqrt(len(answers.scales)), rel=0.05)


def test_the_model_in_numpy_is_the_references():
    answers = Answers(sound_evidence("cases"))
    assert np.abs(answers.exact - answers.reference).max() < 1e-6


def test_the_change_that_was_planted_explains_everything():
    assert answers_of(smoothing=0.1).share(smoothing=0.1) > 0.999
    assert answers_of(smoothing=0.1).share(factor=2.0) < 0.5


@pytest.mark.parametrize(
    ("changed", "direction", "amount"),
    [
        ({"smoothing": 0.1}, {"smoothing": 1.0}, 0.1),
        ({"factor": 0.25}, {"factor": 2.0}, -0.75),
        ({"l2": 3e-4}, {"l2": 1.0}, 3e-4),
    ],
)
def test_the_number_that_was_planted_is_fitted(changed, direction, amount):
    fitted, share = answers_of(**changed).fit(**direction)
    assert fitted == pytest.approx(amount, rel=1e-3) and share > 0.999


def test_gradients_that_the_candidate_lacks_count_as_zeros():
    cases = make_cases(SOUND)
    lacking = {
        name: replace(answer, gradients={path: g for path, g in answer.gradients.items() if "_" in path})
        for name, answer in cases.answers.items()
    }
    answers = Answers(make_evidence(make_cases(), replace(cases, answers=lacking)))
    assert answers.share(detached=1) > 0.999


def test_arrays_of_an_answer_have_one_order():
    answer = next(iter(make_cases(SOUND).answers.values()))
    shuffled = replace(answer, gradients=dict(reversed(answer.gradients.items())))
    assert list(arrays_of(answer)) == list(arrays_of(shuffled))
    assert list(arrays_of(answer))[-2:] == ["loss", "probabilities"]
