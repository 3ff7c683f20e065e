"""The two models of a report, and the network that the page runs itself."""

import numpy as np

from parity.protocol.records import Steps
from parity.report.page import models

PIXELS = np.zeros((4, 784), np.uint8)


def network(kernel, probabilities):
    weights = {"dense/kernel": kernel, "dense/bias": np.zeros(4),
               "dense_1/kernel": np.ones((4, 3)), "dense_1/bias": np.zeros(3)}  # fmt: skip
    layers = [{"activation": "sigmoid"}, {"activation": "softmax"}]
    seen = {"images": PIXELS, "probabilities": probabilities}
    return models.network(
        "Keras",
        "keras",
        layers,
        {"lockstep": Steps(losses=np.zeros(1), curves={}, final=weights, epoch_seconds=[])},
        seen,
    )


def test_a_network_is_shown_only_if_it_answers_as_the_framework_did():
    even = np.full((4, 3), 1 / 3)
    shown = network(np.zeros((784, 4)), even)
    assert [(layer["inputs"], layer["outputs"]) for layer in shown["layers"]] == [(784, 4), (4, 3)]
    assert network(np.zeros((784, 4)), even + np.array([0.01, -0.01, 0])) is None
    assert network(np.full((784, 4), np.nan), even) is None
