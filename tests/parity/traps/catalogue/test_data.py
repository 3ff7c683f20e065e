"""Traps in the data: scalings of three pixels, orders and batches, by hand."""

import numpy as np
import pytest

from parity.traps.catalogue.data import TRAPS

EXAMPLES = {trap.id: trap for trap in TRAPS}
PIXELS = np.array([0, 51, 255])
SCALINGS = {
    "pixels-unscaled": PIXELS,
    "pixels-256": PIXELS / 256,
    "pixels-centred": (PIXELS / 255 - 0.5) / 0.5,
    "pixels-standardised": (PIXELS / 255 - 0.1307) / 0.3081,
    "pixels-inverted": 1 - PIXELS / 255,
}
BATCHES = {
    "pixels-moved": ([1, 2, 3], [1, 3, 2]),
    "labels-changed": ([5, 0, 4], [2, 0, 1]),  # ranks in place of the digits
    "validation-data": ([4, 5, 6], [1, 2, 3]),
    "drop-last": ([3, 7, 1], [2, 6, 3]),
    "batch-order": ([1 + 2, 3 + 4, 5 + 6], [3 + 4, 1 + 2, 5 + 6]),
}


@pytest.mark.parametrize("cause", SCALINGS)
def test_a_scaling_gives_the_numbers_of_the_port_and_not_those_of_keras(cause):
    example = EXAMPLES[cause]
    assert example.keras_numbers == pytest.approx(PIXELS / 255)
    assert example.port_numbers == pytest.approx(SCALINGS[cause], rel=1e-4)
    assert example.port_numbers != pytest.approx(PIXELS / 255, rel=1e-4)


def test_a_reciprocal_rounds_twice_in_float32():
    example, pixels = EXAMPLES["pixels-reciprocal"], np.array([7, 14, 28], np.float32)
    assert np.array_equal(np.float32(example.keras_numbers), pixels / np.float32(255))
    assert np.array_equal(np.float32(example.port_numbers), pixels * np.float32(1 / 255))
    assert not np.array_equal(np.float32(example.keras_numbers), np.float32(example.port_numbers))


@pytest.mark.parametrize("cause", BATCHES)
def test_both_sides_of_an_order_or_a_batch_are_counted_by_hand(cause):
    assert ([*EXAMPLES[cause].keras_numbers], [*EXAMPLES[cause].port_numbers]) == BATCHES[cause]


def test_two_generators_shuffle_into_two_orders():
    example = EXAMPLES["own-order"]
    assert example.keras_numbers != example.port_numbers
    assert all(
        len(set(order)) == 3 and set(order) <= set(range(10)) for order in (example.keras_numbers, example.port_numbers)
    )
