"""Causes of another architecture: the activations that were read from both models."""

from dataclasses import replace

import pytest
from sample_causes import best, make_evidence, sound_evidence
from sample_records import make_facts

from parity.causes.architecture import search

LAYERS = make_facts().layers


def evidence(*activations):
    layers = [replace(layer, activation=name) for layer, name in zip(LAYERS, activations, strict=False)]
    return make_evidence(make_facts(), make_facts("lightning", layers=layers))


def test_the_same_activations_have_no_cause():
    assert list(search(sound_evidence("facts"))) == []


@pytest.mark.parametrize(
    ("activations", "cause"),
    [
        (("relu", "relu", "softmax"), "activation"),
        (("sigmoid", "linear", "softmax"), "activation"),
        (("sigmoid", "sigmoid", "unknown"), "softmax-twice"),
    ],
)
def test_other_activations_are_named(activations, cause):
    one = best(search, evidence(*activations))
    assert one.id == cause
    assert one.title == f"activations {', '.join(activations)} in place of sigmoid, sigmoid, softmax"


def test_another_number_of_layers_has_no_cause_here():
    assert list(search(evidence("sigmoid", "softmax"))) == []
