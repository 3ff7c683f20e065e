"""The rung lockstep: step by step up to the chaos horizon, and every epoch once more from the reference's snapshot."""

from dataclasses import replace

import numpy as np
import pytest
from sample_records import EXPERIMENT, PLAN, make_context, make_sides

from parity.pair import Settings
from parity.protocol.inputs import HORIZON, nudge
from parity.protocol.records import Floor, Restarts, Run
from parity.rungs import lockstep
from parity.rungs.check import MULTIPLE, Context, of_steps
from parity.rungs.lockstep import judge_free_run, judge_restarts

REFERENCE, CANDIDATE = (side.parts for side in make_sides(EXPERIMENT))
CONTEXT = make_context(REFERENCE["facts"], REFERENCE["floor"])
STEPS = len(REFERENCE["lockstep"].losses)


def judge_run(context=CONTEXT, **changes):
    """Judges a free run with something changed; returns the checks by subject."""
    checks = judge_free_run(REFERENCE["lockstep"], replace(CANDIDATE["lockstep"], **changes), context)
    return {check.subject: check for check in checks}


def failed(checks):
    return [subject for subject, check in checks.items() if check.status in ("fail", "error")]


def change_step(step, by):
    losses = CANDIDATE["lockstep"].losses.copy()
    losses[step] += np.float32(by)
    return losses


# ---- the floor and the horizon


# ---- the free run


def test_a_sound_run_passes():
    checks = judge_run()
    assert [check.id for check in checks.values()] == [
        "lockstep/batch-loss-free-run", "lockstep/curve-loss", "lockstep/curve-acc", "lockstep/curve-val_loss",
        "lockstep/curve-val_acc", "lockstep/final-val_acc", "lockstep/trained-weights",
    ]  # fmt: skip
    assert {check.status for check in checks.values()} == {"pass", "info"}
    first = checks["batch-loss-free-run"]
    assert first.more["judged_steps"] == STEPS and "no chaos horizon" in first.detail


@pytest.mark.parametrize("step", [0, 57, STEPS - 1])
@pytest.mark.parametrize("by", [1e-4, np.nan, np.inf])
def test_the_first_step_that_departs_is_shown(step, by):
    check = judge_run(losses=change_step(step, by))["batch-loss-free-run"]
    assert check.status == "fail" and check.more["step"] == step + 1
    assert f"first failing step {step + 1:,}" in check.detail


@pytest.mark.parametrize("losses", [np.empty(0), np.ones(STEPS - 1), np.ones(STEPS + 7)])
def test_another_number_of_steps_fails(losses):
    checks = judge_run(losses=losses)
    assert failed(checks) == ["steps"] and f"Keras trained {STEPS} steps" in checks["steps"].detail


def test_too_few_steps_are_an_error():
    check = lockstep.wrong_steps(np.ones(99), np.ones(99))
    assert check.status == "error" and "99 steps are too few to judge; 100 are needed" in check.detail
    assert lockstep.wrong_steps(np.ones(100), np.ones(100)) is None


@pytest.mark.parametrize("name", ["loss", "acc", "val_loss", "val_acc"])
@pytest.mark.parametrize("change", [lambda c: c + 0.1, lambda c: c[:-1], lambda c: c * np.nan, lambda c: np.empty(0)])
def test_another_curve_fails(name, change):
    curves = {**CANDIDATE["lockstep"].curves, name: change(CANDIDATE["lockstep"].curves[name])}
    assert f"curve-{name}" in failed(judge_run(curves=curves))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda final: final.pop("dense/bias"), "dense/bias is missing"),
        (lambda final: final.update({"dense_9/bias": np.ones(2)}), "dense_9/bias is extra"),
        (lambda final: final.update({"dense/kernel": final["dense/kernel"].T}), "dense/kernel has the shape (6, 12)"),
        (lambda final: final.update({"dense/bias": final["dense/bias"] * np.nan}), "dense/bias is not a number"),
    ],
)
def test_trained_weights_must_all_be_there_and_numbers(change, words):
    final = dict(CANDIDATE["lockstep"].final)
    change(final)
    check = judge_run(final=final)["trained-weights"]
    assert check.status == "fail" and words in check.detail


# ---- beyond the horizon


def beyond(steps):
    """A context whose floor passes the horizon after so many steps."""
    run = REFERENCE["lockstep"]
    runs = [Run(run.losses[: steps + 1], run.curves)] * 3
    return replace(CONTEXT, floor=Floor(variants=runs, horizon_reached=True))


def test_beyond_the_horizon_steps_are_not_judged_and_the_last_accuracy_is():
    context = beyond(110)
    late = change_step(115, 0.5)
    checks = judge_run(context, losses=late)
    assert failed(checks) == [] and "110 of 120 steps judged, chaos horizon at step 110" in (
        checks["batch-loss-free-run"].detail
    )
    assert checks["final-val_acc"].status == "pass" and "beyond the horizon" in checks["final-val_acc"].detail
    early = judge_run(context, losses=change_step(100, 0.5))
    assert failed(early) == ["batch-loss-free-run"]


def test_no_number_never_passes_also_beyond_the_horizon():
    assert failed(judge_run(beyond(110), losses=change_step(115, np.nan))) == ["batch-loss-free-run"]


def test_a_last_accuracy_beyond_that_of_two_independent_runs_fails():
    curves = {**CANDIDATE["lockstep"].curves}
    curves["val_acc"] = np.where(np.arange(PLAN.epochs) == PLAN.epochs - 1, 1.0, curves["val_acc"])
    # 100 images, p = (.3 + 1) / 2: 5 sqrt(2 100 .65 .35) = 33.7
    check = judge_run(beyond(110), curves=curves)["final-val_acc"]
    assert (check.status, check.measured, check.limit) == ("fail", 70, 34)


def test_a_horizon_too_near_informs_and_does_not_pass():
    checks = judge_run(beyond(50))
    assert checks["batch-loss-free-run"].status == "info" and "after 50 steps" in checks["batch-loss-free-run"].detail
    check = judge_run(beyond(50), losses=change_step(3, 0.5))["batch-loss-free-run"]
    assert check.status == "fail" and "first failing step 4" in check.detail and "too few" not in check.detail
    nothing = of_steps("x", "lockstep", np.zeros(3), np.full(3, HORIZON), 0, "why")
    assert nothing.status == "error"


# ---- restarted epochs


def judge_losses(losses):
    (check,) = judge_restarts(REFERENCE["restarts"], Restarts(losses=losses), CONTEXT)
    return check


def test_sound_restarts_pass():
    check = judge_losses(CANDIDATE["restarts"].losses)
    assert (check.id, check.status) == ("lockstep/batch-loss-restarted-epochs", "pass")
    assert check.more["judged_steps"] == STEPS and check.noise_floor * MULTIPLE == check.limit


@pytest.mark.parametrize(("step", "epoch"), [(0, 1), (31, 2), (STEPS - 1, 4)])
def test_a_restarted_step_that_departs_is_shown_with_its_epoch(step, epoch):
    check = judge_losses(change_step(step, 1e-4))
    assert check.status == "fail" and (check.more["step"], check.more["epoch"]) == (step + 1, epoch)
    assert f"(epoch {epoch})" in check.detail


def test_restarts_without_a_number_or_of_another_length_fail():
    assert judge_losses(change_step(60, np.nan)).status == "fail"
    assert judge_losses(np.ones(STEPS - 30)).id == "lockstep/steps"


def test_steps_beyond_every_epochs_own_horizon_are_an_error():
    wide = [losses + np.float32(1) for losses in REFERENCE["restarts"].variants]
    (check,) = judge_restarts(replace(REFERENCE["restarts"], variants=wide), CANDIDATE["restarts"], CONTEXT)
    assert check.status == "error" and "0 of 120 restarted steps can be judged" in check.detail


# ---- of a pair file


PAIR_FACTS = replace(REFERENCE["facts"], experiment=Settings("mine", "0" * 64).to_dict())
FINAL = REFERENCE["lockstep"].final


def make_pair_context(horizon_reached=False):
    """Makes a context whose runs end a few units in the last place away from each other."""
    generator = np.random.default_rng(0)
    finals = [{path: nudge(array, generator, 8) for path, array in FINAL.items()} for _ in range(2)]
    runs = [Run(run.losses, {}, final) for run, final in zip(REFERENCE["floor"].variants, finals, strict=False)]
    return Context(PAIR_FACTS, Floor(variants=runs, horizon_reached=horizon_reached))


def test_a_pairs_tensors_are_judged_each_by_its_own_floor():
    checks = judge_run(make_pair_context(), curves={})
    assert list(checks) == ["batch-loss-free-run", "tensors-after-training", "trained-weights"]
    assert {check.status for check in checks.values()} == {"pass"}
    for path in FINAL:
        final = {**FINAL, path: FINAL[path] * np.float32(1 + 1e-4)}
        check = judge_run(make_pair_context(), curves={}, final=final)["tensors-after-training"]
        assert check.status == "fail" and path in check.detail
    final = {**FINAL, "dense/bias": FINAL["dense/bias"] * np.nan}
    assert judge_run(make_pair_context(), curves={}, final=final)["tensors-after-training"].status == "fail"


def test_tensors_of_runs_that_have_departed_are_not_judged():
    check = judge_run(make_pair_context(horizon_reached=True), curves={})["tensors-after-training"]
    assert check.status == "info" and "departed" in check.detail


def test_the_labs_curves_are_judged_also_where_they_were_not_recorded():
    curves = {"val_acc": CANDIDATE["lockstep"].curves["val_acc"]}
    assert failed(judge_run(curves=curves)) == ["curve-loss", "curve-acc", "curve-val_loss"]
