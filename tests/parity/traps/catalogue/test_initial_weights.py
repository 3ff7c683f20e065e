"""Traps in the initial weights: the numbers that were drawn are possible under the law that the catalogue states."""

import math

import pytest

from parity.traps.catalogue.initial_weights import TRAPS

EXAMPLES = {trap.id: trap for trap in TRAPS}
FAN_IN, FAN_OUT = 784, 25
GLOROT_LIMIT = math.sqrt(6 / (FAN_IN + FAN_OUT))
CUT = 2 / 0.87963  # Keras's normal laws end here, in standard deviations of what is left
UNIFORM_LIMITS = {
    "init-scale": 5 / 3 * GLOROT_LIMIT,
    "he-uniform": math.sqrt(6 / FAN_IN),
    "lecun-uniform": math.sqrt(3 / FAN_IN),
}
NORMAL_DEVIATIONS = {
    "glorot-normal": math.sqrt(2 / (FAN_IN + FAN_OUT)),
    "he-normal": math.sqrt(2 / FAN_IN),
    "lecun-normal": math.sqrt(1 / FAN_IN),
}
WITHOUT_CUT = {"xavier-normal": math.sqrt(2 / (FAN_IN + FAN_OUT)), "kaiming-normal": math.sqrt(2 / FAN_IN)}


def is_uniform(numbers, limit: float) -> bool:
    """Says whether spread, median and largest of 19,600 draws fit a uniform law with this limit."""
    spread, median, largest = numbers
    fits = math.isclose(spread, limit / math.sqrt(3), rel_tol=0.02) and math.isclose(median, limit / 2, rel_tol=0.03)
    return fits and 0.999 * limit < largest <= limit * (1 + 1e-3)


def is_normal(numbers, deviation: float) -> bool:
    """Says whether spread and largest of 19,600 draws fit a normal law of Keras's, cut at two deviations."""
    return math.isclose(numbers[0], deviation, rel_tol=0.02) and numbers[2] <= CUT * deviation * (1 + 1e-3)


@pytest.mark.parametrize("cause", UNIFORM_LIMITS)
def test_uniform_laws_have_their_limits(cause):
    assert is_uniform(EXAMPLES[cause].keras_numbers, GLOROT_LIMIT)
    assert is_uniform(EXAMPLES[cause].port_numbers, UNIFORM_LIMITS[cause])
    assert not is_uniform(EXAMPLES[cause].port_numbers, GLOROT_LIMIT)


@pytest.mark.parametrize("cause", NORMAL_DEVIATIONS)
def test_normal_laws_have_their_deviations_and_end_where_they_are_cut(cause):
    assert is_uniform(EXAMPLES[cause].keras_numbers, GLOROT_LIMIT)
    assert is_normal(EXAMPLES[cause].port_numbers, NORMAL_DEVIATIONS[cause])
    assert not is_uniform(EXAMPLES[cause].port_numbers, GLOROT_LIMIT)


@pytest.mark.parametrize("cause", WITHOUT_CUT)
def test_pytorchs_normal_laws_have_tails_beyond_the_cut(cause):
    assert is_normal(EXAMPLES[cause].keras_numbers, WITHOUT_CUT[cause])
    assert EXAMPLES[cause].port_numbers[0] == pytest.approx(WITHOUT_CUT[cause], rel=0.02)
    assert not is_normal(EXAMPLES[cause].port_numbers, WITHOUT_CUT[cause])


def test_pytorchs_layers_are_narrower_and_have_biases():
    example, limit = EXAMPLES["torch-init"], 1 / math.sqrt(FAN_IN)
    assert example.keras_numbers[1] <= GLOROT_LIMIT * (1 + 1e-3) and example.keras_numbers[2] == 0
    assert example.port_numbers[1] == pytest.approx(limit, rel=1e-3) and 0 < example.port_numbers[2] <= limit


def test_a_bias_grows_as_its_inputs_become_fewer():
    example = EXAMPLES["bias-init"]
    assert example.keras_numbers == (0, 0, 0)
    for largest, inputs in zip(example.port_numbers, (784, 100, 25), strict=True):
        assert 0.8 / math.sqrt(inputs) < largest <= 1 / math.sqrt(inputs)
