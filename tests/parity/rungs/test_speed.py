"""The rung speed informs, and never decides."""

from dataclasses import replace

import pytest
from sample_records import make_context, make_sides

from parity.rungs.speed import describe_path, judge

REFERENCE, CANDIDATE = (side.parts["lockstep"] for side in make_sides())


def test_the_ratio_of_median_epochs_without_the_first_is_told():
    keras = replace(REFERENCE, epoch_seconds=[9.0, 2.0, 2.0, 4.0])
    lightning = replace(CANDIDATE, epoch_seconds=[9.0, 1.0, 1.0, 1.0])
    (check,) = judge(keras, lightning, make_context())
    assert (check.id, check.status, check.measured) == ("speed/seconds-an-epoch", "info", 0.5)
    assert "Keras 2.00 s, Lightning 1.00 s" in check.detail


@pytest.mark.parametrize("seconds", [[], [0.0], [1.0, 0.0], [-1.0]])
def test_missing_seconds_decide_nothing(seconds):
    (check,) = judge(REFERENCE, replace(CANDIDATE, epoch_seconds=seconds), make_context())
    assert (check.status, check.measured) == ("info", None)


def test_one_epoch_alone_counts():
    (check,) = judge(REFERENCE, replace(CANDIDATE, epoch_seconds=[1.0]), make_context())
    assert check.measured == 2.0


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ({}, ""),
        ({"steps_per_execution": None, "compiled": False}, ""),
        ({"compiled": True, "why_not": None}, "; Lightning compiled"),
        ({"compiled": False, "why_not": "no compiler"}, "; Lightning not compiled (no compiler)"),
        ({"steps_per_execution": 100}, "; Lightning with 100 steps per execution"),
        ({"steps_per_execution": 100, "compiled": True}, "; Lightning with 100 steps per execution, compiled"),
        ({"steps_per_execution": 9, "why_not": "no compiler"}, "; Lightning with 9 steps per execution, not compiled "
                                                               "(no compiler)"),
    ],
)  # fmt: skip
def test_the_path_is_told_unless_it_is_the_default_one(path, text):
    assert describe_path(path) == text
