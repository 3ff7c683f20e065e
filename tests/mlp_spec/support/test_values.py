"""Checks of single values: what passes, what does not, and the wording."""

import math

import pytest

from mlp_spec.support.errors import UserError
from mlp_spec.support.values import flag_name, fraction, one_of, positive_number, whole_number


def test_a_field_becomes_its_flag():
    assert [flag_name(name) for name in ("epochs", "batch_size", "beta_1")] == [
        "--epochs",
        "--batch-size",
        "--beta-1",
    ]


@pytest.mark.parametrize("value", [1, 0.5, 1e-300, 1e38])
def test_positive_numbers_pass(value):
    assert positive_number("learning_rate", value) is None


@pytest.mark.parametrize("value", [0, 0.0, -0.0, -1, -1e-300, math.nan, math.inf, -math.inf, True, "1", None, [1]])
def test_anything_else_is_no_positive_number(value):
    with pytest.raises(UserError) as caught:
        positive_number("learning_rate", value)
    assert str(caught.value) == f"--learning-rate is {value!r}; it must be a finite number above 0, at most 3.4e38"


@pytest.mark.parametrize("value", [0, 0.0, 0.5, 0.999, math.nextafter(1, 0)])
def test_fractions_pass(value):
    assert fraction("beta_1", value) is None


@pytest.mark.parametrize("value", [1, 1.0, -1e-300, 2, math.nan, math.inf, False, "0.5", None])
def test_anything_else_is_no_fraction(value):
    with pytest.raises(UserError) as caught:
        fraction("beta_1", value)
    assert str(caught.value) == f"--beta-1 is {value!r}; it must be at least 0 and below 1"


@pytest.mark.parametrize("value", [1, 2, 1_000_000])
def test_whole_numbers_pass_up_to_their_limits(value):
    assert whole_number("batch_size", value, 1, 1_000_000) is None


@pytest.mark.parametrize("value", [0, -1, 1_000_001, 10**400, 1.0, 2.5, math.nan, True, "3", None])
def test_anything_else_is_no_whole_number(value):
    with pytest.raises(UserError) as caught:
        whole_number("batch_size", value, 1, 1_000_000)
    assert str(caught.value) == f"--batch-size is {value!r}; it must be a whole number from 1 to 1,000,000"


def test_allowed_names_pass():
    assert one_of("activation", "tanh", ("tanh", "relu")) is None


@pytest.mark.parametrize("value", ["swish", "", "TANH", None, ["tanh"]])
def test_any_other_name_is_refused_with_the_choices(value):
    with pytest.raises(UserError) as caught:
        one_of("activation", value, ("tanh", "relu"))
    assert str(caught.value) == f"--activation is {value!r}; choose one of: relu, tanh"
