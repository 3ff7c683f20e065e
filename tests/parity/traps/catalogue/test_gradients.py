"""Traps in the gradients, by the product rule: y = w1 w2 w3."""

from parity.traps.catalogue.gradients import TRAPS

W1, W2, W3 = 2.0, 3.0, 4.0


def test_a_detached_layer_has_no_gradient_and_the_others_keep_theirs():
    trap, _ = TRAPS
    assert trap.id == "detached-layer"
    assert trap.keras_numbers == (W2 * W3, W1 * W3, W1 * W2)
    assert trap.port_numbers == (0.0, W1 * W3, W1 * W2)


def test_a_hook_halves_the_first_gradient():
    _, trap = TRAPS
    assert trap.id == "gradient-hook"
    assert trap.keras_numbers == (W2 * W3, W1 * W3, W1 * W2)
    assert trap.port_numbers == (W2 * W3 / 2, W1 * W3, W1 * W2)
