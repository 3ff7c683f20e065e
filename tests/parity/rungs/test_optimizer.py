"""The rung optimizer: the same gradients in, the same weights out, after every step."""

from dataclasses import replace

import numpy as np
import pytest
from sample_records import make_context, make_experiment, make_replay, map_arrays, one_ulp_away

from mlp_spec import optimizers
from parity.rungs.optimizer import compare_steps, judge

EXPERIMENTS = {
    "sgd": make_experiment(optimizers.SGD(0.1, 0.9)),
    "adam": make_experiment(optimizers.Adam()),
    "rmsprop": make_experiment(optimizers.RMSprop()),
}
REFERENCES = {name: make_replay(experiment) for name, experiment in EXPERIMENTS.items()}


def judge_replay(name, candidate):
    (check,) = judge(REFERENCES[name], candidate, make_context())
    return check


@pytest.mark.parametrize("name", REFERENCES)
def test_the_same_weights_pass(name):
    check = judge_replay(name, replace(REFERENCES[name], weights=map_arrays(REFERENCES[name].weights, one_ulp_away)))
    assert (check.id, check.status) == ("optimizer/weights-after-every-step", "pass")
    assert check.name == "weights after each of 130 steps" and len(check.more["all"]) == 6


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("sgd", {"momentum": 0.8}),
        ("sgd", {"nesterov": True}),
        ("sgd", {"learning_rate": 0.1 * (1 + 1e-4)}),
        ("sgd", {"weight_decay": 1e-4, "coupled": True}),
        ("sgd", {"every": 2}),
        ("adam", {"outside": True, "epsilon": 1e-8}),
        ("adam", {"epsilon": 1e-8}),
        ("adam", {"amsgrad": True}),
        ("adam", {"beta_2": 0.99}),
        ("rmsprop", {"outside": True}),
        ("rmsprop", {"rho": 0.99}),
    ],
)
def test_another_optimizer_fails(name, changed):
    assert judge_replay(name, make_replay(EXPERIMENTS[name], **changed)).status == "fail"


def change_at(step, value=1.0):
    """Returns what multiplies one value from a step on."""

    def change(weights):
        weights["dense/bias"] = weights["dense/bias"].copy()
        weights["dense/bias"][step:, 3] *= value

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (change_at(7, np.float32(1.01)), "worst at dense/bias, value 3, step 8"),
        (change_at(129, np.nan), "worst at dense/bias, value 3, step 130"),
        (lambda weights: weights.update({"dense/bias": weights["dense/bias"][:-1]}), "dense/bias has 129 steps"),
        (lambda weights: weights.pop("dense/bias"), "dense/bias is missing"),
        (lambda weights: weights.update({"dense_9/bias": np.zeros((130, 2))}), "dense_9/bias is extra"),
    ],
)
def test_the_first_step_that_departs_is_shown(change, words):
    weights = dict(REFERENCES["sgd"].weights)
    change(weights)
    check = judge_replay("sgd", replace(REFERENCES["sgd"], weights=weights))
    assert check.status == "fail" and words in check.detail


def test_values_that_are_not_kept_show_in_their_sum():
    ours = np.tile(np.array([1.0, 2.0, 30.0], np.float32), (5, 1))
    theirs = ours.copy()
    theirs[2:, -1] += 0.1
    gap = compare_steps("dense/kernel", ours, theirs, [ours], start=1.0)
    assert gap.where == "dense/kernel, its sum, step 3" and gap.measured == pytest.approx(0.1, rel=1e-5)
    assert gap.ratio > 1


def test_the_floor_of_a_value_is_that_of_its_history():
    ours = np.ones((4, 2), np.float32)
    variant = ours.copy()
    variant[1] += np.float32(0.25)  # it came back, and may depart as far again
    theirs = ours.copy()
    theirs[3, 0] += np.float32(2.0)
    assert compare_steps("x", ours, theirs, [variant], 1.0).ratio == pytest.approx(2.0 / 2.5)
    theirs = ours.copy()
    theirs[0, 0] += np.float32(2.0)
    assert compare_steps("x", ours, theirs, [variant], 1.0).ratio > 1000
