"""Which optimizers keep the same moments."""

from parity.protocol.moments import KERAS_KINDS, TORCH_KINDS, why_apart


def test_every_kind_has_an_optimizer_on_both_sides():
    assert set(KERAS_KINDS.values()) == set(TORCH_KINDS.values())


def test_what_differs_is_said():
    adam = ("Adam", {"momentum", "velocity"})
    assert why_apart(adam, adam, ("one", "other")) == ""
    assert why_apart(adam, ("SGD", set()), ("one", "other")) == "one is Adam, other is SGD"
    apart = why_apart(("SGD", {"momentum"}), ("SGD", set()), ("one", "other"))
    assert apart == "one keeps momentum, other keeps nothing"
