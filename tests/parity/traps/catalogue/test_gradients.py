"""Traps in the gradients, by the product rule: y = w1 w2 w3."""

from parity.traps.catalogue.gradients import TRAPS


def test_a_detached_layer_has_no_gradient_and_the_others_keep_theirs():
    (trap,) = TRAPS
    w1, w2, w3 = 2.0, 3.0, 4.0
    assert trap.id == "detached-layer"
    assert trap.keras_numbers == (w2 * w3, w1 * w3, w1 * w2)
    assert trap.port_numbers == (0.0, w1 * w3, w1 * w2)
