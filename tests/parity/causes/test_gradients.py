"""Causes of other gradients: first layers that none reaches."""

from dataclasses import replace

import pytest
from sample_causes import best, make_evidence, named, sound_evidence
from sample_records import SOUND, make_cases

from parity.causes.gradients import search


def evidence(**changed):
    return make_evidence(make_cases(), make_cases(replace(SOUND, **changed)))


def test_gradients_that_agree_have_no_cause():
    assert named(search, sound_evidence("cases")) is None


@pytest.mark.parametrize("layers", [1, 2])
def test_layers_without_gradients_are_named_with_their_number(layers):
    one = best(search, evidence(detached=layers))
    assert one.id == "detached-layer" and one.explained > 0.99
    assert one.title == f"no gradient reaches the first {layers} layers"


@pytest.mark.parametrize("changed", [{"factor": 0.5}, {"l2": 1e-3}, {"bits": 8}], ids=str)
def test_something_else_is_no_detached_layer(changed):
    assert named(search, evidence(**changed)) is None
