"""The rung initial weights: each framework's own initialiser draws from the reference's law."""

import math
from dataclasses import replace

import numpy as np
import pytest
from sample_records import make_context, make_draws, make_facts
from scipy import stats

from parity.protocol.records import Draws
from parity.rungs import initial_weights
from parity.rungs.initial_weights import judge, law_of

CONTEXT = make_context()


def judge_draws(candidate):
    checks = judge(make_draws(1), candidate, CONTEXT)
    return {check.subject: check for check in checks}


def test_two_sound_initialisers_pass():
    checks = judge_draws(make_draws(2))
    assert [(check.id, check.status) for check in checks.values()] == [
        ("initial-weights/scale", "pass"), ("initial-weights/distribution", "pass"), ("initial-weights/biases", "pass"),
    ]  # fmt: skip


def test_the_same_draw_each_time_cannot_be_told():
    drawn = make_draws(2).weights
    same = Draws(weights={path: np.repeat(draws[:1], len(draws), axis=0) for path, draws in drawn.items()})
    (check,) = judge_draws(same).values()
    assert check.status == "error" and check.detail.startswith("Lightning's module starts from the same weights")
    context = replace(
        CONTEXT, candidate=replace(CONTEXT.facts, untrained="keras_model() is not compiled")
    )  # such as weights of a checkpoint
    (check,) = judge(make_draws(1), same, context)
    assert check.status == "info" and check.detail.startswith("not compared: Lightning's module starts from the same")


def torch_law(shape):
    return stats.uniform(-1 / math.sqrt(shape[0]), 2 / math.sqrt(shape[0]))


FAULTS = {
    "PyTorch's own": (make_draws(2, torch_law), {"scale", "distribution"}),
    "Glorot's normal law": (make_draws(2, lambda shape: law_of({"name": "GlorotNormal"}, shape)), {"distribution"}),
    "1 % narrower": (make_draws(2, scale=0.99), {"scale"}),
    "1 % wider": (make_draws(2, scale=1.01), {"scale"}),
    "all the same": (make_draws(2, scale=0.0), {"scale", "distribution"}),
}


@pytest.mark.parametrize("name", FAULTS)
def test_another_law_fails(name):
    candidate, failed = FAULTS[name]
    assert failed <= {subject for subject, check in judge_draws(candidate).items() if check.status == "fail"}


def test_a_bias_that_does_not_start_at_0_fails():
    draws = make_draws(2)
    biased = replace(draws, weights={**draws.weights, "dense/bias": draws.weights["dense/bias"] + np.float32(1e-6)})
    check = judge_draws(biased)["biases"]
    assert check.status == "fail" and check.measured == pytest.approx(1e-6) and "dense/bias" in check.detail


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda weights: weights.pop("dense/bias"), "dense/bias is missing"),
        (lambda weights: weights.update({"dense_9/bias": np.zeros((3, 2))}), "dense_9/bias is extra"),
        (lambda weights: weights.update({"dense/bias": np.zeros((3, 2))}), "has the shape (2,), not (6,)"),
        (lambda weights: weights["dense/kernel"].__setitem__((0, 0, 0), np.nan), "Lightning drew no numbers"),
    ],
)
def test_draws_that_cannot_be_judged_fail(change, words):
    draws = make_draws(2)
    weights = {path: array.copy() for path, array in draws.weights.items()}
    change(weights)
    (check,) = judge(make_draws(1), replace(draws, weights=weights), CONTEXT)
    assert (check.id, check.status) == ("initial-weights/draws", "fail") and words in check.detail


def test_a_reference_that_is_not_its_own_law_fails():
    (scale, *_) = judge(make_draws(1, scale=0.9), make_draws(2), CONTEXT)
    assert scale.status == "fail" and "Keras, dense" in scale.detail


def test_nothing_drawn_is_an_error():
    checks = judge(make_draws(1), make_draws(2), make_context(make_facts(initializers={})))
    assert {check.status for check in checks} == {"error"}


def test_an_unknown_law_is_compared_with_the_references_draws():
    described = {path: {"name": "Own"} if "kernel" in path else {"name": "Zeros"} for path in make_draws(1).weights}
    context = make_context(make_facts(initializers=described))
    assert {check.status for check in judge(make_draws(1), make_draws(2), context)} == {"pass"}
    (scale, shape, _) = judge(make_draws(1), make_draws(2, scale=0.9), context)
    assert scale.status == shape.status == "fail"


@pytest.mark.parametrize(
    ("described", "std"),
    [
        # sqrt(2 / (784 + 25)) = .0497211; sqrt(2 / 784) = .0505076; sqrt(1 / 784) = .0357143
        ({"name": "GlorotUniform"}, 0.0497211),
        ({"name": "GlorotNormal"}, 0.0497211),
        ({"name": "HeUniform"}, 0.0505076),
        ({"name": "HeNormal"}, 0.0505076),
        ({"name": "LecunUniform"}, 0.0357143),
        ({"name": "LecunNormal"}, 0.0357143),
        ({"name": "RandomNormal", "mean": 0.0, "stddev": 0.05}, 0.05),
        ({"name": "TruncatedNormal", "mean": 0.0, "stddev": 0.05}, 0.05 * 0.8796257),
        ({"name": "RandomUniform", "minval": -0.05, "maxval": 0.05}, 0.05 / math.sqrt(3)),
    ],
)
def test_a_law_has_the_spread_of_its_formula(described, std):
    assert law_of(described, (784, 25)).std() == pytest.approx(std, rel=1e-5)


def test_a_law_that_is_not_known_is_none():
    assert law_of({"name": "Orthogonal"}, (784, 25)) is None


def test_fans_of_a_convolution_count_its_window():
    # (3, 3, in 1, out 8): l = sqrt(6 / (9 (1 + 8))) = .272166; He's fan is 9
    assert law_of({"name": "GlorotUniform"}, (3, 3, 1, 8)).support()[1] == pytest.approx(0.272166, rel=1e-5)
    assert law_of({"name": "HeNormal"}, (3, 3, 1, 8)).std() == pytest.approx(math.sqrt(2 / 9), rel=1e-5)


def test_the_widest_of_a_uniform_laws_draws_tells_its_scale():
    law = stats.uniform(-1, 2)
    # P(widest of 100 <= .9) = .9^100 = 2.66e-5
    assert initial_weights.scale_probability(np.full(100, 0.9), law, None, "x")[0] == pytest.approx(
        2 * 2.656e-5, rel=1e-3
    )
    assert initial_weights.scale_probability(np.array([1.01]), law, None, "x")[0] == 0.0


def judge_recurrent(recurrent, bias):
    """Judges a recurrent kernel and a bias beside orthogonal ones and ones for a forget gate."""
    orthogonal, forget = stats.ortho_group(20).rvs(40, random_state=1)[:, :5], np.zeros((40, 20))
    forget[:, 5:10] = 1
    context = make_context(
        make_facts(initializers={"a/r": {"name": "Orthogonal", "gain": 1.0}, "a/b": {"name": "Zeros"}})
    )
    ours, theirs = Draws(weights={"a/r": orthogonal, "a/b": forget}), Draws(weights={"a/r": recurrent, "a/b": bias})
    return {check.subject: check.status for check in judge(ours, theirs, context)}


def test_an_lstm_starts_orthogonal_and_with_ones_for_the_forget_gate():
    forget, other = np.zeros((40, 20)), stats.ortho_group(20).rvs(40, random_state=2)[:, :5]
    forget[:, 5:10] = 1
    assert set(judge_recurrent(other, forget).values()) == {"pass"}
    # of the same spread, and in another gate
    normal = np.random.default_rng(0).standard_normal(other.shape) / 20**0.5
    assert judge_recurrent(normal, forget)["orthogonality"] == "fail"
    statuses = judge_recurrent(other, np.roll(forget, 5, axis=1))
    assert statuses["biases"] == "fail" and statuses["orthogonality"] == "pass"
