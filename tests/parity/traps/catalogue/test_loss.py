"""Traps in the loss: the formulas of the catalogue, in numpy, give the numbers of both frameworks, but for float32."""

import numpy as np
import pytest

from parity.traps.catalogue.loss import TRAPS

EXAMPLES = {trap.id: trap for trap in TRAPS}


def logits(sizes: list[float], classes: int = 3) -> np.ndarray:
    """Returns the logits (samples, classes) of samples whose logit of class 0 has these sizes; the others are 0."""
    return np.array(sizes)[:, None] * np.eye(classes)[0]


def softmax(z: np.ndarray) -> np.ndarray:
    """Returns e^z / sum e^z by rows."""
    return np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)


def cross_entropy(z: np.ndarray) -> np.ndarray:
    """Returns -log softmax(z)_0, (samples,)."""
    return -np.log(softmax(z)[:, 0])


Z = logits([4, 0, -4])
ONE_HOT = np.eye(3)[[0, 0, 0]]
UNDECIDED = np.full(3, np.log(2))
TEN = logits([10, 0, -10], 10)
SATURATED = logits([-5, -16, -30])
ONE, OTHER = np.array([1.0, 1.0, 2.0]), np.array([1.0, 2.0, 1.0])  # errors of two outputs
SIZES, BITS, ERRORS = np.array([4.0, 0.0, -4.0]), np.array([5.0, 16.0, 30.0]), np.array([0.5, 1.0, 3.0])
# of (.5, .5) and (.9, .1) for the classes 0, 0; 0, 1; and 1, 1, of which class 1 counts three times
WEIGHTED = -np.log([0.5 * 0.9, 0.5 * 0.1**3, 0.5**3 * 0.1**3])


def sigmoid(z: np.ndarray) -> np.ndarray:
    """Returns 1 / (1 + e^-z)."""
    return 1 / (1 + np.exp(-z))


def huber(errors: np.ndarray, delta: float) -> np.ndarray:
    """Returns Huber's loss."""
    return np.where(errors <= delta, errors**2 / 2, delta * (errors - delta / 2))


FORMULAS = {
    "softmax-twice": (cross_entropy(TEN), cross_entropy(softmax(TEN))),
    "mse-loss": (cross_entropy(Z), np.square(softmax(Z) - ONE_HOT).mean(axis=1)),
    "clipped-probabilities": (cross_entropy(SATURATED), -np.log(np.clip(softmax(SATURATED)[:, 0], 1e-7, 1 - 1e-7))),
    "label-smoothing": (cross_entropy(Z), -((0.9 * ONE_HOT + 0.1 / 3) * np.log(softmax(Z))).sum(axis=1)),
    "loss-sum": (UNDECIDED, UNDECIDED * [1, 2, 4]),
    "loss-scale": (cross_entropy(Z), cross_entropy(Z) / 3),
    "l2-penalty": (UNDECIDED, UNDECIDED + 0.01 * np.array([1, 4, 9])),
    "temperature": (cross_entropy(Z), cross_entropy(Z / 2)),
    "sigmoid-twice": (-np.log(sigmoid(SIZES)), -np.log(sigmoid(sigmoid(SIZES)))),
    # the port's are rounded in float32 before the logarithm
    "log-of-probabilities": (-np.log(sigmoid(-BITS)), np.array([5.0067, 15.942, 100.0])),
    "nll-of-no-logarithms": (cross_entropy(Z), -softmax(Z)[:, 0]),
    "another-loss": (ERRORS**2, ERRORS),
    "loss-weights": (ONE**2 + 0.25 * OTHER**2, ONE**2 + OTHER**2),
    "huber-delta": (huber(ERRORS, 0.5), huber(ERRORS, 1.0)),
    "loss-broadcast": (np.array([0, 1, 4]), np.array([0, 1, 4]) + 2),
    "class-weight": (UNDECIDED * [1, 2, 3], UNDECIDED),
    "weighted-mean": (WEIGHTED / 2, WEIGHTED / [2, 4, 6]),
}


@pytest.mark.parametrize("cause", EXAMPLES)
def test_the_formulas_give_the_numbers_of_both_sides(cause):
    keras, port = FORMULAS[cause]
    assert EXAMPLES[cause].keras_numbers == pytest.approx(keras, rel=2e-4)
    assert EXAMPLES[cause].port_numbers == pytest.approx(port, rel=2e-4)


@pytest.mark.parametrize("cause", EXAMPLES)
def test_the_formula_of_keras_does_not_give_the_numbers_of_the_port(cause):
    assert EXAMPLES[cause].port_numbers != pytest.approx(FORMULAS[cause][0], rel=2e-4)
