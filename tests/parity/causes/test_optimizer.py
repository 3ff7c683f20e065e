"""Causes of another optimizer: each planted one is named with its number, and none where the weights agree."""

from dataclasses import replace

import numpy as np
import pytest
from sample_causes import best, make_evidence, named, sound_evidence
from sample_records import TABLE, make_experiment, make_replay, map_arrays

from mlp_spec import optimizers
from parity.causes.optimizer import STEPS, Replay, search

SGD, MOMENTUM = make_experiment(optimizers.SGD(0.1)), make_experiment(optimizers.SGD(0.1, 0.5))
ADAM, RMSPROP = make_experiment(optimizers.Adam()), make_experiment(optimizers.RMSprop())
LAYER = TABLE[:2]  # one layer is enough, and sooner searched
REFERENCES = {experiment: make_replay(experiment, table=LAYER) for experiment in (SGD, MOMENTUM, ADAM, RMSPROP)}
TORCH_ADAM = {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8, "outside": True}


def evidence(experiment, kind=None, **changed):
    return make_evidence(REFERENCES[experiment], make_replay(experiment, kind, LAYER, **changed))


@pytest.mark.parametrize("experiment", [SGD, MOMENTUM, ADAM, RMSPROP], ids=lambda one: one.training.optimizer.name)
def test_weights_that_agree_have_no_cause(experiment):
    assert named(search, evidence(experiment, experiment.training.optimizer.name)) is None


def test_the_sound_sides_have_no_cause():
    assert named(search, sound_evidence("optimizer")) is None


PLANTED = [
    (SGD, {"learning_rate": 0.1 * (1 + 1e-4)}, "learning-rate", "a learning rate of 0.10001 in place of 0.1"),
    (SGD, {"learning_rate": 0.01}, "learning-rate", "a learning rate of 0.01 in place of 0.1"),
    (SGD, {"momentum": 0.9}, "momentum", "momentum 0.9 in place of 0"),
    (SGD, {"momentum": 0.9, "nesterov": True}, "nesterov", "Nesterov's form with momentum 0.9"),
    (MOMENTUM, {"momentum": 0.9, "torch_momentum": True, "dampening": 0.9}, "dampening", "momentum 0.9 with dampening"),
    (MOMENTUM, {"weight_decay": 1e-3, "coupled": True}, "weight-decay-coupled",
     "weight decay 0.001 added to the gradient"),
    (ADAM, {"weight_decay": 0.004}, "weight-decay-decoupled", "weight decay 0.004 beside the gradient"),
    (SGD, {"clipnorm": 1.0}, "clip-norm", "gradients are clipped to a norm of 1"),
    (ADAM, {"clipvalue": 0.5}, "clip-value", "gradients are clipped to +-0.5"),
    (SGD, {"every": 4}, "accumulation", "an update takes 4 batches"),
    (SGD, {"rate_at": lambda step: 0.999**step}, "schedule-step", "the learning rate falls by 0.999 a step"),
    (SGD, {"rate_at": lambda step: 0.0}, "frozen", "nothing is updated"),
    (ADAM, {"outside": True, "epsilon": 1e-8}, "adam-epsilon-place",
     "PyTorch's Adam: epsilon 1e-08 after the bias correction"),
    (ADAM, {"epsilon": 1e-8}, "adam-epsilon", "epsilon 1e-08 in place of 1e-07"),
    (ADAM, {"beta_2": 0.99}, "adam-beta-2", "beta_2 0.99"),
    (ADAM, {"beta_1": 0.95}, "adam-beta-1", "beta_1 0.95"),
    (ADAM, {"corrected": False}, "adam-no-correction", "no bias correction"),
    (ADAM, {"amsgrad": True, "outside": True, "epsilon": 1e-7}, "amsgrad", "AMSGrad"),
    (RMSPROP, {"outside": True, "epsilon": 1e-8}, "rmsprop-epsilon-place", "epsilon 1e-08 behind the root"),
    (RMSPROP, {"rho": 0.99}, "rmsprop-rho", "rho .99, PyTorch's default"),
]  # fmt: skip


@pytest.mark.parametrize(("experiment", "changed", "cause", "title"), PLANTED, ids=[row[2] for row in PLANTED])
def test_a_planted_optimizer_is_named_with_its_number(experiment, changed, cause, title):
    one = best(search, evidence(experiment, **changed))
    assert (one.id, one.title) == (cause, title) and one.explained > 0.99


def test_for_plain_sgd_both_kinds_of_weight_decay_are_the_same_and_either_is_named():
    one = best(search, evidence(SGD, weight_decay=1e-3, coupled=True))
    assert one.id.startswith("weight-decay-") and "0.001" in one.title and one.explained > 0.99


def test_adam_in_place_of_sgd_is_named():
    assert named(search, evidence(SGD, "adam", **TORCH_ADAM)) == "adam-for-sgd"


def test_weights_of_no_known_optimizer_have_no_cause():
    candidate = REFERENCES[SGD]
    drawn = map_arrays(candidate.weights, lambda a: np.random.default_rng(1).random(a.shape).astype(np.float32))
    assert named(search, make_evidence(candidate, replace(candidate, weights=drawn))) is None


def test_other_tensors_or_too_few_steps_are_not_compared():
    reference = REFERENCES[SGD]
    for weights in (
        {path: array for path, array in reference.weights.items() if "bias" not in path},
        {path: array[: STEPS - 1] for path, array in reference.weights.items()},
    ):
        other = make_evidence(reference, replace(reference, weights=weights))
        assert not Replay(other).is_comparable and list(search(other)) == []
