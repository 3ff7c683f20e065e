"""The two models of a report: their layers, their first weights, and the network that the page runs itself."""

import base64

import numpy as np
import pytest
from sample_reports import build_report, trained_side

from parity.process import Side
from parity.protocol.records import Steps
from parity.report.page import images, models

PIXELS = np.zeros((4, 784), np.uint8)
EVEN = np.full((4, 3), 1 / 3)


def trained(kernel, **more):
    """A side that ended with these weights."""
    weights = {"dense/kernel": kernel, "dense/bias": np.zeros(4), "dense_1/kernel": np.ones((4, 3)),
               "dense_1/bias": np.zeros(3), **more}  # fmt: skip
    return {"lockstep": Steps(losses=np.zeros(1), curves={}, final=weights, epoch_seconds=[])}


def network(kernel, probabilities, activations=("sigmoid", "softmax"), **more):
    layers = [{"activation": activation} for activation in activations]
    seen = {"images": PIXELS, "probabilities": probabilities}
    return models.network("Keras", "keras", layers, trained(kernel, **more), seen)


def test_a_network_is_shown_only_if_it_answers_as_the_framework_did():
    shown = network(np.zeros((784, 4)), EVEN)
    assert [(layer["inputs"], layer["outputs"]) for layer in shown["layers"]] == [(784, 4), (4, 3)]
    assert network(np.zeros((784, 4)), EVEN + np.array([0.01, -0.01, 0])) is None
    assert network(np.full((784, 4), np.nan), EVEN) is None


@pytest.mark.parametrize("activations", [("swish", "softmax"), ("unknown", "softmax"), ("sigmoid", "tanh", "softmax")])
def test_a_network_that_the_page_cannot_run_is_not_shown(activations):
    assert network(np.zeros((784, 4)), EVEN, activations) is None


def test_a_network_with_other_tensors_is_not_shown():
    assert network(np.zeros((784, 4)), EVEN, **{"dense_2/kernel": np.ones((3, 3))}) is None
    assert models.network("Keras", "keras", [], {}, {"images": PIXELS, "probabilities": EVEN}) is None


def test_weights_are_packed_as_little_endian_float32():
    packed = models.packed(np.array([[1.0, -2.5], [0.0, 3.0]]))
    assert np.frombuffer(base64.b64decode(packed), "<f4").tolist() == [1.0, -2.5, 0.0, 3.0]


def test_first_layers_are_drawn_side_by_side_with_their_difference():
    ours = np.random.default_rng(0).normal(size=(784, 40))
    theirs = ours.copy()
    theirs[3, 5] += 0.25
    drawn = models.first_layer(trained(ours), trained(theirs))
    assert drawn["gap"] == pytest.approx(0.25) and drawn["largest"] == pytest.approx(
        max(abs(ours).max(), abs(theirs).max())
    )
    assert (drawn["neurons"], drawn["shown"]) == (40, min(40, images.MOST_TILES))
    assert len({drawn["keras"], drawn["lightning"], drawn["difference"]}) == 3
    assert models.first_layer(trained(ours), trained(ours))["gap"] == 0.0


@pytest.mark.parametrize(
    "theirs", [{}, trained(np.zeros((784, 5))), trained(np.full((784, 4), np.nan)), trained(np.full((784, 4), np.inf))]
)
def test_layers_that_cannot_be_laid_side_by_side_are_not_drawn(theirs):
    ours = trained(np.ones((784, 4)))
    assert models.first_layer(ours, theirs) is None and models.first_layer(theirs, ours) is None


def test_weights_that_are_no_images_are_not_drawn():
    assert models.first_layer(trained(np.ones((12, 4))), trained(np.ones((12, 4)))) is None


def test_a_table_of_layers_for_each_side_that_has_trained():
    tables = models.layers(build_report())
    assert [(table["title"], table["parameters"]) for table in tables] == [("Keras", 5), ("Lightning", 5)]
    assert [table["title"] for table in models.layers(build_report(sides=(trained_side("cpu"), Side())))] == ["Keras"]
