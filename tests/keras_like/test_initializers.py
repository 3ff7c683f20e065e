"""Keras's initialisers in torch: every law, by its ends, its spread and its shape; and what is refused."""

import numpy as np
import pytest
import torch
from scipy import stats

from keras_like import initializers
from parity.rungs.initial_weights import law_of

SHAPE = (100, 60)  # (outputs, inputs), as torch has it


def draw(name, shape=SHAPE, **config) -> np.ndarray:
    torch.manual_seed(0)
    return initializers.initialize_(torch.empty(shape), name, **config).numpy()


@pytest.mark.parametrize(
    ("name", "config"),
    [
        *((name, {}) for name in initializers.VARIANCE_SCALING),
        ("RandomNormal", {"mean": 0.5, "stddev": 0.2}),
        ("RandomUniform", {"minval": -0.3, "maxval": 0.1}),
        ("TruncatedNormal", {"mean": 0.1, "stddev": 0.05}),
        ("RandomNormal", {"mean": 0.0, "stddev": 0.05}),
    ],
)
def test_a_law_is_that_of_kerass_initialiser(name, config):
    law, values = law_of({"name": name, **config}, SHAPE[::-1]), draw(name, **config).ravel()
    assert stats.kstest(values, law.cdf).pvalue > 1e-4
    assert abs(values.std() / law.std() - 1) < 0.03
    low, high = law.support()
    assert low - 1e-6 <= values.min() and values.max() <= high + 1e-6


@pytest.mark.parametrize("name", initializers.VARIANCE_SCALING)
def test_a_depthwise_kernel_has_all_channels_as_inputs(name):
    # (*window, channels, multiplier) in Keras, (channels * multiplier, 1, *window) in torch
    law = law_of({"name": name}, (3, 3, 200, 2))
    values = draw(name, (400, 1, 3, 3), depthwise=200).ravel()
    assert stats.kstest(values, law.cdf).pvalue > 1e-4
    assert abs(values.std() / law.std() - 1) < 0.03
    assert stats.kstest(draw(name, (400, 1, 3, 3)).ravel(), law.cdf).pvalue < 1e-4
    assert draw("Zeros", (4, 1, 3), depthwise=4).max() == 0


def test_a_transposed_kernel_has_its_second_axis_as_inputs():
    # (*window, out, in) in Keras, (in, out, *window) in torch
    law = law_of({"name": "HeUniform"}, (3, 3, 50, 20))
    assert stats.kstest(draw("HeUniform", (20, 50, 3, 3)).ravel(), law.cdf).pvalue > 1e-4


def test_another_law_is_told_apart():
    law = law_of({"name": "HeUniform"}, SHAPE[::-1])
    assert stats.kstest(draw("GlorotUniform").ravel(), law.cdf).pvalue < 1e-4


def test_defaults_are_kerass():
    weight = torch.empty(SHAPE)
    assert initializers.random_uniform_(weight).abs().max() <= 0.05 < 1.01 * weight.abs().max()
    assert 0.04 < initializers.random_normal_(weight).std() < 0.06
    limit = np.sqrt(6 / sum(SHAPE))
    assert 0.99 * limit < initializers.glorot_uniform_(weight).abs().max() <= limit * (1 + 1e-6)


def test_fans_of_a_convolution_count_its_window():
    # (outputs, inputs, 3, 3): l = sqrt(6 / (9 (8 + 16)))
    values, limit = draw("GlorotUniform", (16, 8, 3, 3)), np.sqrt(6 / (9 * 24))
    assert 0.99 * limit < np.abs(values).max() <= limit * (1 + 1e-6)
    spread = draw("VarianceScaling", (64, 32, 3), scale=3.0, mode="fan_out", distribution="untruncated_normal").std()
    assert abs(spread / np.sqrt(3 / (64 * 3)) - 1) < 0.03


def test_what_is_not_drawn():
    assert not draw("Zeros").any() and (draw("Ones") == 1).all() and (draw("Constant", value=0.25) == 0.25).all()
    rows = draw("Orthogonal", (20, 60), gain=2.0)
    assert np.allclose(rows @ rows.T, 4 * np.eye(20), atol=1e-5)


def test_names_as_layers_take_them():
    for short, name in (("he_uniform", "HeUniform"), ("lecun_normal", "LecunNormal"), ("orthogonal", "Orthogonal")):
        assert np.array_equal(draw(short), draw(name))
    assert not draw("zeros").any()


@pytest.mark.parametrize(
    ("name", "config", "words"),
    [
        ("Glorot", {}, "initialiser 'Glorot' is unknown; choose one of Constant"),
        ("VarianceScaling", {"mode": "fan_sum"}, "mode 'fan_sum' is unknown"),
        ("VarianceScaling", {"distribution": "normal"}, "distribution 'normal' is unknown"),
    ],
)
def test_what_is_unknown_is_refused(name, config, words):
    with pytest.raises(ValueError, match=words):
        draw(name, **config)
