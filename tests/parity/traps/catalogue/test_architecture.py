"""Traps in the architecture: two layers called LeakyReLU."""

import numpy as np
import pytest

from parity.traps.catalogue.architecture import TRAPS

Z = np.array([-2.0, -1.0, 1.0])


def test_two_layers_of_one_name_differ_by_their_slope():
    (trap,) = TRAPS
    assert trap.id == "activation"
    assert trap.keras_numbers == pytest.approx(np.maximum(Z, 0.3 * Z))
    assert trap.port_numbers == pytest.approx(np.maximum(Z, 0.01 * Z))
    assert trap.port_numbers != pytest.approx(np.maximum(Z, 0.3 * Z))
