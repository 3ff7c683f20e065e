"""Traps in the forward pass: rounding to so many bits of mantissa gives the numbers of the port."""

import numpy as np
import pytest

from parity.traps.catalogue.forward import TRAPS

MANTISSA_BITS = {"bfloat16": 8, "float16-or-tf32": 11}
EXAMPLES = {trap.id: trap for trap in TRAPS}


def round_mantissa(values, bits: int) -> np.ndarray:
    """Rounds numbers to so many bits of mantissa."""
    mantissa, exponent = np.frexp(values)
    return np.ldexp(np.round(mantissa * 2**bits) / 2**bits, exponent)


@pytest.mark.parametrize("cause", EXAMPLES)
def test_so_many_bits_give_the_numbers_of_the_port(cause):
    example = EXAMPLES[cause]
    assert example.port_numbers == pytest.approx(round_mantissa(example.keras_numbers, MANTISSA_BITS[cause]), abs=5e-6)


@pytest.mark.parametrize("cause", EXAMPLES)
def test_another_bit_does_not(cause):
    example = EXAMPLES[cause]
    assert example.port_numbers != pytest.approx(
        round_mantissa(example.keras_numbers, MANTISSA_BITS[cause] + 1), abs=5e-6
    )
