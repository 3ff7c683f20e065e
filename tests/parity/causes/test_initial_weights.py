"""Causes of other initial weights: each planted law is named, and none where the law is Keras's."""

from dataclasses import replace

import numpy as np
import pytest
from sample_causes import best, make_evidence, named, sound_evidence
from sample_records import make_draws, make_facts
from scipy import stats

from parity.causes.initial_weights import search
from parity.rungs.initial_weights import law_of


def keras(name):
    return lambda shape: law_of({"name": name}, shape)


def uniform(limit_of):
    return lambda shape: stats.uniform(-limit_of(shape), 2 * limit_of(shape))


LAWS = {
    "torch-init": uniform(lambda shape: 1 / np.sqrt(shape[0])),
    "glorot-normal": keras("GlorotNormal"),
    "he-uniform": keras("HeUniform"),
    "he-normal": keras("HeNormal"),
    "lecun-uniform": keras("LecunUniform"),
    "lecun-normal": keras("LecunNormal"),
    "xavier-normal": lambda shape: stats.norm(0, np.sqrt(2 / sum(shape))),
    "kaiming-normal": lambda shape: stats.norm(0, np.sqrt(2 / shape[0])),
}


def evidence(candidate, facts=None):
    return make_evidence(make_draws(1), candidate, facts)


def test_keras_own_law_has_no_cause():
    assert named(search, sound_evidence("initial_weights")) is None


@pytest.mark.parametrize("cause", LAWS)
def test_a_planted_law_is_named(cause):
    assert named(search, evidence(make_draws(2, LAWS[cause]))) == cause


@pytest.mark.parametrize("scale", [0.99, 1.02, 0.5])
def test_a_planted_scale_is_named_with_its_number(scale):
    one = best(search, evidence(make_draws(2, scale=scale)))
    assert one.id == "init-scale" and one.explained >= 0.9
    assert float(one.title.split()[3]) == pytest.approx(scale, rel=0.002)


def test_biases_that_do_not_start_at_0_are_named():
    draws = make_draws(2)
    biased = {path: array + np.float32(0.01) if "bias" in path else array for path, array in draws.weights.items()}
    assert named(search, evidence(replace(draws, weights=biased))) == "bias-init"


def test_a_law_that_is_not_known_has_no_cause():
    described = {path: {"name": "Own"} if "kernel" in path else {"name": "Zeros"} for path in make_draws(1).weights}
    facts = make_facts(initializers=described)
    assert named(search, evidence(make_draws(2, LAWS["he-uniform"]), facts)) is None
