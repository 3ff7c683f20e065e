"""The lab's MLP in numpy: every formula with numbers worked out by hand, and gradients against differences."""

import numpy as np
import pytest
from sample_records import LABELS, PIXELS, START

from parity import mlp

# A net of one input, one hidden unit and two classes: z = 2 x + 1, logits (a, -a).
TINY = {
    "dense/kernel": np.array([[2.0]]),
    "dense/bias": np.array([1.0]),
    "dense_1/kernel": np.array([[1.0, -1.0]]),
    "dense_1/bias": np.zeros(2),
}


def test_sigmoid():
    # 1 / (1 + e^0) = .5; 1 / (1 + e^-1) = .731059; 1 / (1 + e^2) = .119203
    assert mlp.sigmoid(np.array([0.0, 1.0, -2.0])) == pytest.approx([0.5, 0.731059, 0.119203], abs=1e-6)
    with np.errstate(over="raise"):
        assert mlp.sigmoid(np.array([-800.0, 800.0])).tolist() == [0.0, 1.0]


def test_slopes_of_the_activations():
    # sigmoid: .731059 (1 - .731059) = .196612; tanh: 1 - tanh(1)^2 = .419974; relu: 1
    slopes = [float(slope(1.0, function(np.array(1.0)))) for function, slope in mlp.ACTIVATIONS.values()]
    assert slopes == pytest.approx([0.196612, 0.419974, 1.0], abs=1e-6)


def test_the_logarithm_of_the_softmax():
    # e^0 : e^ln2 : e^ln5 = 1 : 2 : 5
    assert np.exp(mlp.log_softmax(np.log([1.0, 2.0, 5.0]))) == pytest.approx([1 / 8, 2 / 8, 5 / 8])
    assert mlp.log_softmax(np.array([0.0, -5000.0])).tolist() == [0.0, -5000.0]


def test_layers_are_pairs_of_kernel_and_bias_in_order():
    assert mlp.layers_of(TINY) == [("dense/kernel", "dense/bias"), ("dense_1/kernel", "dense_1/bias")]
    with pytest.raises(ValueError, match="shorter"):
        mlp.layers_of({"dense/kernel": np.ones(1)})


def test_logits_probabilities_and_loss():
    # x = 1: z = 3, a = 3, logits (3, -3); x = 0: (1, -1); x = -1: relu gives 0
    images = np.array([[1.0], [0.0], [-1.0]])
    assert mlp.forward("relu", TINY, images)[1][-1].tolist() == [[3, -3], [1, -1], [0, 0]]
    # p = 1 / (1 + e^-6) = .997527, 1 / (1 + e^-2) = .880797, .5
    assert mlp.probabilities("relu", TINY, images)[:, 0] == pytest.approx([0.997527, 0.880797, 0.5], abs=1e-6)
    # of class 0: (.002476 + .126928 + .693147) / 3 = .274184
    assert mlp.answer("relu", TINY, images, np.zeros(3, int)).loss == pytest.approx([0.274184], abs=1e-6)


@pytest.mark.parametrize("activation", mlp.ACTIVATIONS)
def test_gradients_are_the_derivatives_of_the_loss(activation):
    found, step = mlp.answer(activation, START, PIXELS[:7], LABELS[:7]), 1e-5
    assert found.probabilities.sum(axis=1) == pytest.approx(np.ones(7))
    for path, array in START.items():
        for place in (np.unravel_index(index, array.shape) for index in (array.size // 2, array.size - 1)):
            losses = []
            for sign in (1, -1):
                moved = array.astype(np.float64)
                moved[place] += sign * step
                losses.append(mlp.answer(activation, {**START, path: moved}, PIXELS[:7], LABELS[:7]).loss[0])
            assert found.gradients[path][place] == pytest.approx((losses[0] - losses[1]) / (2 * step), abs=1e-8)
