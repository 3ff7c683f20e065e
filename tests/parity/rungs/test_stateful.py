"""Rows must come as Keras's states go on, a port must keep states, and a failed step says what of them is another."""

from dataclasses import replace

import pytest
from sample_records import PLAN, make_context, make_facts

from parity.protocol.stateful import Stateful
from parity.rungs.check import Check
from parity.rungs.stateful import explained, explained_output, judge_batches, judge_kept

KEPT = Stateful(["lstm"], 8)


def facts(shuffled=False, stateful=KEPT):
    return make_facts(stateful=stateful, plan=replace(PLAN, shuffled=shuffled))


def port(shuffles=False, size=8, kept=("hidden",)):
    data = {"train": {"shuffles": shuffles}, "test": {"batch_size": size}}
    return make_facts("lightning", data=data, kept=None if kept is None else list(kept))


def judged_batches(ours, theirs):
    return {check.subject: check for check in judge_batches(ours, theirs)}


def test_where_nothing_is_kept_nothing_is_asked():
    assert (
        judge_batches(make_facts(), make_facts("lightning")) == judge_kept(make_facts(), make_facts("lightning")) == []
    )


def test_the_same_order_and_batches_pass_and_what_goes_on_is_said():
    checks = judged_batches(facts(), port())
    assert [check.status for check in checks.values()] == ["info", "pass", "pass"]
    assert checks["stateful-layers"].detail.startswith("the states of lstm go on from batch to batch")
    resets = judged_batches(facts(stateful=replace(KEPT, resets=["Reset"])), port())["stateful-layers"]
    assert "; Reset takes part, which resets them" in resets.detail


@pytest.mark.parametrize(
    ("ours", "theirs", "status", "words"),
    [
        (False, True, "fail", "rows that are in their own order, the training loader serves rows that are shuffled"),
        (True, False, "fail", "with shuffle=True, fit's default, states go on with rows that do not follow"),
        (True, True, "pass", "keras_fit() says shuffle=False where"),
        (False, None, "info", "serves rows that are not known"),
    ],
)
def test_the_order_of_rows_is_compared(ours, theirs, status, words):
    check = judged_batches(facts(shuffled=ours), port(shuffles=theirs))["order-of-rows"]
    assert check.status == status and words in check.detail


def test_another_validation_batch_fails():
    check = judged_batches(facts(), port(size=20))["validation-batch-size"]
    assert check.status == "fail" and check.detail == "states have 8 rows, the validation loader's batches 20"


def test_a_port_that_keeps_nothing_fails():
    (check,) = judge_kept(facts(), port())
    assert check.status == "pass" and check.detail == "Keras keeps the states of lstm; the port keeps hidden"
    (check,) = judge_kept(facts(), port(kept=()))
    assert check.status == "fail" and "the port keeps nothing that is found: a tensor, or tensors in" in check.detail
    assert judge_kept(facts(), port(kept=None)) == []


@pytest.mark.parametrize(
    ("step", "words"), [(2, "step 2 starts from the states"), (21, "Keras's validation has left"), (7, ""), (1, "")]
)
def test_the_first_step_that_departs_says_what_of_states_is_another(step, words):
    check = Check("batch-loss-free-run", "lockstep", "fail", 1.0, 0.1, "far", more={"step": step})
    said = explained(check, make_context(facts()), 10).detail
    assert said.startswith("far") and words in said and (words or said == "far")
    passed = replace(check, status="pass")
    assert explained(passed, make_context(facts()), 10) is passed
    assert explained(check, make_context(make_facts()), 10) is check


def test_outputs_that_depart_say_that_keras_goes_on_between_them():
    check = Check("probabilities-keras-weights", "interchange", "fail", 1.0, 0.1, "far")
    said = "far; Keras's predict goes on from batch to batch; so must forward(), or lightning_output(module, batch)"
    assert explained_output(check, make_context(facts())).detail == said
    assert explained_output(check, make_context(make_facts())) is check
    passed = replace(check, status="pass")
    assert explained_output(passed, make_context(facts())) is passed
