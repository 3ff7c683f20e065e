"""The rung experiment: both ran what was asked for."""

from dataclasses import replace

from sample_records import EXPERIMENT, make_context, make_experiment, make_facts

from parity.rungs.check import Context
from parity.rungs.experiment import judge


def test_the_same_experiment_passes():
    (check,) = judge(make_facts(), make_facts("lightning"), make_context())
    assert check.status == "pass" and check.detail == f"both ran {EXPERIMENT.run_id}"


def test_what_differs_is_said():
    other = make_experiment(epochs=9)
    (check,) = judge(make_facts(experiment=other), make_facts("lightning"), make_context())
    assert check.status == "fail" and check.detail == "Keras has training.epochs: 9, not 4"


def test_another_experiment_than_the_one_asked_for_fails():
    (check,) = judge(make_facts(), make_facts("lightning"), Context(make_facts(), asked=make_experiment(seed=7)))
    assert check.status == "fail" and "asked for training.seed: 7, not 0 in Lightning" in check.detail


def test_a_hash_that_is_not_the_experiments_fails():
    stale = replace(make_facts("lightning"), experiment_hash="0" * 12)
    (check,) = judge(make_facts(), stale, make_context())
    assert check.status == "fail"
