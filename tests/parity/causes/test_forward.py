"""Causes of another forward pass: products of fewer bits are told by the size of their rounding."""

from dataclasses import replace

import numpy as np
import pytest
from sample_causes import make_evidence, named, sound_evidence
from sample_records import SOUND, make_cases

from parity.causes.forward import are_same_size, search


def evidence(**changed):
    return make_evidence(make_cases(), make_cases(replace(SOUND, **changed)))


def test_answers_that_agree_have_no_cause():
    assert named(search, sound_evidence("cases")) is None


@pytest.mark.parametrize(("bits", "cause"), [(8, "bfloat16"), (11, "float16-or-tf32")])
def test_rounded_products_are_named(bits, cause):
    assert named(search, evidence(bits=bits)) == cause


@pytest.mark.parametrize("changed", [{"activation": "relu"}, {"smoothing": 0.1}, {"bits": 16}], ids=str)
def test_something_else_is_no_rounding(changed):
    assert named(search, evidence(**changed)) is None


def test_roundings_are_compared_by_their_medians():
    rounding = np.array([1e-3, -2e-3, 3e-3, 0.0])
    assert are_same_size(rounding, rounding[::-1] * 2) and not are_same_size(rounding, rounding * 9)
    assert not are_same_size(rounding * 9, rounding)
