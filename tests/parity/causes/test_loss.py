"""Causes of another loss: each planted one is named with its number, and none where the losses agree."""

from dataclasses import replace

import pytest
from sample_causes import best, make_evidence, named, sound_evidence
from sample_records import SOUND, make_answers, make_cases, map_arrays

from parity.causes.loss import search


def evidence(**changed):
    return make_evidence(make_cases(), make_cases(replace(SOUND, **changed)))


def test_losses_that_agree_have_no_cause():
    assert named(search, sound_evidence("cases")) is None


PLANTED = [
    ({"softmaxes": 2}, "softmax-twice", "softmax is applied twice"),
    ({"loss": "mse"}, "mse-loss", "mean squared error in place of cross-entropy"),
    ({"smoothing": 0.1}, "label-smoothing", "label smoothing of 0.1"),
    ({"factor": 32.0}, "loss-sum", "the loss is 32 times Keras's (32 images in the batch)"),
    ({"factor": 0.1}, "loss-scale", "the loss is 0.1 times Keras's (32 images in the batch)"),
    ({"l2": 1e-3}, "l2-penalty", "an L2 penalty of 0.001 on the kernels in the loss"),
    ({"l2": 1e-3, "l2_biases": True}, "l2-penalty", "an L2 penalty of 0.001 on all weights in the loss"),
    ({"temperature": 2.0}, "temperature", "logits divided by 2.0"),
]


@pytest.mark.parametrize(("changed", "cause", "title"), PLANTED, ids=str)
def test_a_planted_loss_is_named_with_its_number(changed, cause, title):
    one = best(search, evidence(**changed))
    assert (one.id, one.title) == (cause, title) and one.explained > 0.99


def test_clipped_probabilities_are_named():
    reference = make_cases()
    wide = {
        name: replace(case, weights=map_arrays(case.weights, lambda array: array * array.dtype.type(9)))
        for name, case in reference.cases.items()
    }
    ours = replace(reference, cases=wide, answers=make_answers(SOUND, wide))
    theirs = replace(make_cases(SOUND), answers=make_answers(replace(SOUND, clip=1e-7), wide))
    assert named(search, make_evidence(ours, theirs)) == "clipped-probabilities"


@pytest.mark.parametrize("changed", [{"activation": "relu"}, {"detached": 1}], ids=str)
def test_something_else_is_no_other_loss(changed):
    assert named(search, evidence(**changed)) is None
