"""Traps in the metrics: the means of the catalogue's formulas, by hand."""

import numpy as np
import pytest

from parity.traps.catalogue.metrics import TRAPS

EXAMPLES = {trap.id: trap for trap in TRAPS}
LOSSES, SIZES = np.array([1.0, 2.0, 6.0]), np.array([4, 4, 2])
COUNT = np.array([1, 2, 3])
WEIGHTED_MEAN = np.cumsum(SIZES * LOSSES) / np.cumsum(SIZES)  # sum(n_i l_i) / sum(n_i)
FORMULAS = {
    "mean-of-means": (WEIGHTED_MEAN, np.cumsum(LOSSES) / COUNT),
    "last-batch-loss": (WEIGHTED_MEAN, LOSSES),
    "loss-total": (WEIGHTED_MEAN, np.cumsum(LOSSES)),
    "validation-weights": (np.array([1, 2, 3]), np.array([1, (1 + 2) / 2, ((1 + 2) / 2 + 3) / 2])),
    "not-reset": (np.array([3, 2, 1]), np.cumsum([3, 2, 1]) / COUNT),
}


@pytest.mark.parametrize("cause", EXAMPLES)
def test_the_formulas_give_the_numbers_of_both_sides(cause):
    keras, port = FORMULAS[cause]
    assert EXAMPLES[cause].keras_numbers == pytest.approx(keras) and EXAMPLES[cause].port_numbers == pytest.approx(port)


@pytest.mark.parametrize("cause", EXAMPLES)
def test_the_formula_of_keras_does_not_give_the_numbers_of_the_port(cause):
    assert EXAMPLES[cause].port_numbers != pytest.approx(FORMULAS[cause][0])
