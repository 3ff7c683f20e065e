"""A factor of the loss and penalties are found from gradients; what is neither is no fit."""

import numpy as np
import pytest

from parity.adapters.torch.undo.fits import fit_loss, plain
from parity.protocol.inputs import Case
from parity.protocol.records import Answer, Cases

DRAW = np.random.default_rng(0)
SHAPES = {"a/kernel": (5, 4), "a/bias": (4,)}


def draw() -> dict:
    return {path: DRAW.normal(size=shape).astype(np.float32) for path, shape in SHAPES.items()}


CASES = {name: Case(draw(), np.zeros((6, 5), np.float32), np.zeros(6)) for name in "xyz"}
GRADIENTS = {name: draw() for name in CASES}


def cases(scale: float = 1.0, penalties: dict | None = None, noise: float = 0.0) -> Cases:
    """Returns answers whose loss is Keras's times a factor, with further penalties."""
    answers = {}
    for name, gradients in GRADIENTS.items():
        own = {
            path: scale * g
            + 2 * (penalties or {}).get(path, 0) * CASES[name].weights[path]
            + noise * DRAW.normal(size=g.shape)
            for path, g in gradients.items()
        }
        answers[name] = Answer(np.zeros(1), np.zeros(1), {path: g.astype(np.float32) for path, g in own.items()})
    return Cases(answers=answers, cases=CASES)


def test_factors_and_penalties_are_fitted():
    fit = fit_loss(cases(), cases(0.1, {"a/kernel": 0.01}), {})
    assert fit.is_good and (fit.scale, fit.rows) == (0.1, 6) and fit.penalties == pytest.approx({"a/kernel": 0.01})
    # Keras's gradients hold its own penalty: one that is missing is 0, and none is left as it is
    assert fit_loss(cases(), cases(1, {"a/kernel": -0.25}), {"a/kernel": 0.25}).penalties == {}
    assert fit_loss(cases(), cases(), {"a/kernel": 0.25}).penalties == {"a/kernel": 0.25}


def test_other_gradients_are_no_fit():
    assert not fit_loss(cases(), cases(noise=0.1), {}).is_good
    assert not fit_loss(cases(), Cases(answers={}), {}).is_good


def test_numbers_have_the_fewest_digits_that_are_near():
    assert plain(0.0999999) == 0.1 and plain(2**-10 * 1.00000001) == 2**-10 and plain(0.123456789) == 0.123456789
