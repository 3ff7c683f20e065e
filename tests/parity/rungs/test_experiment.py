"""The rung experiment: both ran what was asked for."""

from dataclasses import replace

import pytest
from sample_records import EXPERIMENT, make_context, make_experiment, make_facts

from mlp_spec.experiment import TrainingSpec
from parity.pair import Settings
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


# ---- of a pair file


SETTINGS = Settings("mine", "0" * 64, TrainingSpec(batch_size=25))
FOUND = {"samples": 110, "compared": 110, "different": 0, "largest": 0.0, "forms": ["flattened", "as they are"],
         "batch_size": 25, "drop_last": False, "random": False, "order": "the same"}  # fmt: skip


def test_a_validation_loader_that_leaves_rows_out_fails():
    ours, found = make_facts(experiment=SETTINGS), {**FOUND, "drop_last": True, "batch_size": 64}
    for samples, measured in ((100, 36), (128, None)):
        theirs = make_facts(
            "lightning", experiment=SETTINGS, data={"train": FOUND, "test": {**found, "samples": samples}}
        )
        checks = {one.subject: one for one in judge(ours, theirs, Context(ours, asked=SETTINGS))}
        check = checks.get("last-validation-batch")
        assert (check and check.measured) == measured
        assert check is None or "the validation loader leaves out the last 36 rows" in check.detail


@pytest.mark.parametrize(("ours", "theirs"), [(True, False), (False, True), (True, None), (None, False), (True, True)])
def test_a_loader_that_shuffles_where_keras_does_not_fails_and_the_other_way_round(ours, theirs):
    reference = make_facts(experiment=SETTINGS, data={"train": {"shuffles": ours}})
    candidate = make_facts("lightning", experiment=SETTINGS, data={"train": {**FOUND, "shuffles": theirs}})
    checks = {one.subject: one for one in judge(reference, candidate, Context(reference, asked=SETTINGS))}
    fails = None not in (ours, theirs) and ours != theirs
    assert ("order-of-rows" in checks) == fails
    assert not fails or f"write shuffle={ours}" in checks["order-of-rows"].detail


def judge_pair(rates=(0.5, 0.1), kinds=(), draws=(), unsilenced="", **found):
    """Judges a pair file's facts, with something else found in the loader; returns the checks by subject."""
    ours = make_facts(experiment=SETTINGS, rates=[0.5, 0.1], kinds=list(kinds))
    drawn = {"rates": list(rates), "draws": list(draws), "unsilenced": unsilenced}
    theirs = make_facts("lightning", experiment=SETTINGS, data={"train": {**FOUND, **found}}, **drawn)
    return {check.subject: check for check in judge(ours, theirs, Context(ours, asked=SETTINGS))}


def test_a_pair_with_the_same_batches_and_rates_passes():
    checks = judge_pair()
    assert {check.status for check in checks.values()} == {"pass"} and set(checks) == {"batch-size", "rates-of-dropout"}
    assert {check.status for check in judge_pair(drop_last=True, samples=100).values()} == {"pass"}  # nothing is left


def test_where_nothing_is_trained_batches_say_nothing():
    why = "keras_model() is not compiled"
    ours = make_facts(experiment=SETTINGS, rates=[0.5])
    theirs = make_facts(
        "lightning", experiment=SETTINGS, rates=[0.5], untrained=why, data={"train": {**FOUND, "batch_size": 7}}
    )
    (check,) = judge(ours, theirs, Context(ours, asked=SETTINGS, candidate=theirs))
    assert (check.subject, check.status) == ("rates-of-dropout", "pass")
    assert check.detail == "Keras 0.5, candidate 0.5; nothing is drawn while single batches are compared"


def test_other_batches_and_rates_fail():
    check = judge_pair(batch_size=32)["batch-size"]
    assert check.status == "fail" and "BATCH_SIZE in a pair file, or --batch-size" in check.detail
    check = judge_pair(drop_last=True)["last-batch"]
    assert (check.status, check.measured) == ("fail", 10)
    assert "the training loader leaves out the last 10 rows (drop_last); Keras trains on them" in check.detail
    check = judge_pair(rates=(0.5, 0.2))["rates-of-dropout"]
    assert check.status == "fail" and "Keras 0.5 0.1, candidate 0.5 0.2" in check.detail
    assert judge_pair(rates=())["rates-of-dropout"].status == "fail"


def test_noise_has_no_rate_in_torch_and_own_functions_have_none():
    kinds = ("Dropout", "GaussianNoise")
    check = judge_pair(rates=[0.5], kinds=kinds, draws=["randn_like"])["rates-of-dropout"]
    assert check.status == "pass" and "GaussianNoise 0.1 is compared at random layers" in check.detail
    assert "draws by randn_like, too" in check.detail and "the law is compared at random layers" in check.detail
    assert judge_pair(kinds=kinds)["rates-of-dropout"].status == "fail"
    check = judge_pair(rates=[0.1], draws=["rand"], unsilenced="it draws")["rates-of-dropout"]
    assert check.status == "info" and check.detail.endswith("in the training, steps are random and not compared")
    for draws in ([], ["randn_like"]):  # noise is no mask
        assert judge_pair(rates=[0.1], draws=draws)["rates-of-dropout"].status == "fail"


def test_what_keras_drops_inside_of_a_layer_a_port_may_drop_in_more_calls():
    kinds = ("GRU recurrent_dropout", "Dropout")
    assert judge_pair(kinds=kinds)["rates-of-dropout"].status == "pass"
    check = judge_pair(rates=[0.5, 0.5, 0.5, 0.1], kinds=kinds)["rates-of-dropout"]
    assert check.status == "info" and "GRU recurrent_dropout 0.5 is compared at random layers" in check.detail
    for rates in ([0.1], [], [0.5], [0.5, 0.2, 0.1]):
        assert judge_pair(rates=rates, kinds=kinds)["rates-of-dropout"].status == "fail"
    assert judge_pair(rates=[0.1], kinds=kinds, draws=["rand"])["rates-of-dropout"].status == "info"
    assert judge_pair(rates=[0.5, 0.5, 0.1])["rates-of-dropout"].status == "fail"  # where nothing is inside
