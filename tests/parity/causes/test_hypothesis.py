"""A hypothesis has the catalogue's formulas, and the share that it explains is measured."""

import numpy as np
import pytest

from parity.causes.hypothesis import Hypothesis, share_explained
from parity.traps.catalogue import TRAPS


def test_a_hypothesis_has_the_catalogues_formulas():
    one = Hypothesis.of("adam-epsilon", "epsilon 1e-8", 0.5)
    assert (one.keras, one.other) == (TRAPS["adam-epsilon"].keras, TRAPS["adam-epsilon"].port)


def test_a_formula_with_a_number_of_this_case_takes_its_place():
    one = Hypothesis.of("adam-epsilon", "epsilon 1e-8", 0.5, other="eps = 1e-8")
    assert (one.keras, one.other) == (TRAPS["adam-epsilon"].keras, "eps = 1e-8")


def test_only_the_catalogues_traps_are_hypotheses():
    with pytest.raises(KeyError, match="gremlins"):
        Hypothesis.of("gremlins", "they did it", 1.0)


def test_a_cause_is_what_the_report_holds():
    assert Hypothesis("loss-sum", "the loss is 32 times", "L", "32 L", 0.99999951).to_dict() == {
        "id": "loss-sum",
        "title": "the loss is 32 times",
        "formulas": {"Keras": "L", "candidate": "32 L"},
        "explained": 1.0,
    }


@pytest.mark.parametrize(
    ("predicted", "share"),
    [
        # 1 - |candidate - predicted| / |candidate - reference|, with |(3, 4)| = 5
        ([3.0, 4.0], 1.0),
        ([0.0, 0.0], 0.0),
        ([3.0, 3.5], 0.9),
        ([-3.0, -4.0], -1.0),
        ([np.nan, 4.0], 0.0),
        ([np.inf, 4.0], 0.0),
    ],
)
def test_the_share_that_a_prediction_explains(predicted, share):
    assert share_explained(np.array([3.0, 4.0]), np.zeros(2), np.array(predicted)) == pytest.approx(share)


@pytest.mark.parametrize("candidate", [[0.0, 0.0], [np.nan, 0.0], [np.inf, 0.0]])
def test_where_there_is_no_gap_nothing_is_explained(candidate):
    assert share_explained(np.array(candidate), np.zeros(2), np.zeros(2)) == 0.0
