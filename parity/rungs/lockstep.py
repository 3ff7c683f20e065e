"""The rung lockstep: from the same start, in the same order, does every step stay together?

A free run is judged up to the chaos horizon, where the reference has departed from itself. Beside it every epoch
is judged once more from the reference's own snapshot, so that the steps after the horizon are judged, too.
"""

import math
from dataclasses import replace

import numpy as np

from mlp_spec.runs.folder import CURVES
from parity.protocol.records import Restarts, Steps
from parity.rungs.check import (
    Check,
    Context,
    compare,
    distance,
    horizon_of,
    judged,
    missing,
    of_steps,
    running_floor,
    worst,
)
from parity.rungs.metrics import check_images
from parity.rungs.stateful import explained

RUNG = "lockstep"
RESTARTED, RESTARTED_TITLE = "batch-loss-restarted-epochs", "batch loss, restarted epochs"
FEWEST_STEPS = 100
# Beyond the horizon two runs are as different as two independent ones.
FINAL_DEVIATIONS = 5


def judge_free_run(reference: Steps, candidate: Steps, context: Context) -> list[Check]:
    """Checks the free run: every step up to the horizon, the curves, the final accuracy."""
    ours, theirs, plan = reference.losses, candidate.losses, context.facts.plan
    if wrong := wrong_steps(ours, theirs):
        return [wrong]
    floor = running_floor(ours, [run.losses for run in context.floor.variants])
    horizon = horizon_of(floor, None if context.is_lab else ours)
    gaps = distance(ours, theirs)
    ends = f"chaos horizon at step {horizon:,}" if horizon < len(ours) else "no chaos horizon"
    detail = f"{horizon:,} of {len(ours):,} steps judged, {ends}"
    check = of_steps("batch-loss-free-run", RUNG, gaps, floor, horizon, detail, "batch loss, free run")
    check = explained(check, context, len(ours) // plan.epochs)
    if horizon < FEWEST_STEPS and horizon < len(ours) and check.status == "pass":  # one that fails has judged enough
        detail = f"the reference departs from itself after {horizon} steps: too few to judge a free run"
        check = replace(check, status="info", detail=detail)
    steps = max(1, len(ours) // plan.epochs)
    epochs = min(plan.epochs, horizon // steps)
    if not context.is_lab:  # a pair file's module logs what it likes
        return [check, compare_final(reference, candidate, context), check_weights(reference, candidate)]
    return [
        check,
        *check_curves(reference, candidate, context, epochs),
        check_final(reference, candidate, context, epochs),
        check_weights(reference, candidate),
    ]


def wrong_steps(ours: np.ndarray, theirs: np.ndarray) -> Check | None:
    """Checks that the candidate trained as many steps, and enough."""
    if len(ours) != len(theirs):
        detail = f"Keras trained {len(ours):,} steps, Lightning {len(theirs):,}"
        return Check("steps", RUNG, "fail", abs(len(ours) - len(theirs)), 0, detail)
    if len(ours) < FEWEST_STEPS:
        detail = f"{len(ours)} steps are too few to judge; {FEWEST_STEPS} are needed: more epochs or smaller batches"
        return Check("steps", RUNG, "error", len(ours), None, detail)
    return None


def judge_restarts(reference: Restarts, candidate: Restarts, context: Context) -> list[Check]:
    """Checks every epoch from the reference's snapshot, step by step up to the epoch's own horizon.

    Args:
        reference: the restarted runs of the reference, with its own losses from the free run.
        candidate: the restarted run.
        context: the reference's facts.
    """
    epochs = context.facts.plan.epochs
    ours, theirs = reference.losses, candidate.losses
    if wrong := wrong_steps(ours, theirs):
        return [wrong]
    steps = len(ours) // epochs
    gaps = distance(ours, theirs)
    floor, judged_here = np.zeros(len(ours)), np.zeros(len(ours), bool)
    for epoch in range(epochs):
        part = slice(epoch * steps, (epoch + 1) * steps)
        floor[part] = running_floor(ours[part], [losses[part] for losses in reference.variants])
        judged_here[part][: horizon_of(floor[part], None if context.is_lab else ours[part])] = True
    count = int(judged_here.sum())
    if count < FEWEST_STEPS:
        detail = f"{count} of {len(ours):,} restarted steps can be judged; {FEWEST_STEPS} are needed"
        return [Check(RESTARTED, RUNG, "error", count, None, detail, title=RESTARTED_TITLE)]
    judged_gaps = np.where(judged_here | ~np.isfinite(gaps), gaps, 0.0)
    detail = f"{count:,} of {len(ours):,} steps judged, each epoch from the reference's snapshot"
    check = of_steps(RESTARTED, RUNG, judged_gaps, floor, len(ours), detail, RESTARTED_TITLE)
    more = {**check.more, "judged_steps": count, "epoch": (check.more["step"] - 1) // steps + 1}
    detail = f"{check.detail} (epoch {more['epoch']})"
    return [replace(check, detail=detail, more=more)]


def check_curves(reference: Steps, candidate: Steps, context: Context, epochs: int) -> list[Check]:
    """Checks the four curves in the epochs that end before the horizon."""
    plan, data = context.facts.plan, context.facts.data
    checks = []
    for name in CURVES:
        ours, theirs = reference.curves[name], candidate.curves.get(name, np.empty(0))
        subject = f"curve-{name}"
        if len(theirs) != plan.epochs or not np.isfinite(theirs).all():
            what = "not a number" if len(theirs) == plan.epochs else f"{len(theirs)} epochs"
            checks.append(Check(subject, RUNG, "fail", what, None, f"all of {plan.epochs} epochs must have a number"))
            continue
        if not epochs:
            checks.append(Check(subject, RUNG, "info", None, None, "no epoch ends before the chaos horizon"))
            continue
        variants = [run.curves[name][:epochs] for run in context.floor.variants]
        if name.endswith("acc"):
            count = data["test"]["samples"] if name.startswith("val_") else plan.samples
            checks.append(check_images(subject, RUNG, ours[:epochs], theirs[:epochs], variants, np.full(epochs, count)))
            continue
        precision = context.facts.experiment["training"]["precision"]
        floor = running_floor(ours[:epochs].astype(precision), variants)
        detail = f"{epochs} of {plan.epochs} epochs judged"
        checks.append(of_steps(subject, RUNG, distance(ours[:epochs], theirs[:epochs]), floor, epochs, detail))
    return checks


def check_final(reference: Steps, candidate: Steps, context: Context, judged_epochs: int) -> Check:
    """Checks the last epoch's val_acc beyond the horizon: as of two independent runs."""
    samples, epochs = context.facts.data["test"]["samples"], context.facts.plan.epochs
    ours, theirs = (steps.curves["val_acc"] for steps in (reference, candidate))
    subject = "final-val_acc"
    if len(ours) != len(theirs) or not np.isfinite([ours[-1], theirs[-1]]).all():
        return Check(subject, RUNG, "fail", None, None, "a final val_acc is missing or not a number")
    detail = f"Keras {ours[-1]:.4f}, Lightning {theirs[-1]:.4f}"
    measured = int(abs(round(ours[-1] * samples) - round(theirs[-1] * samples)))
    if judged_epochs == epochs:
        return Check(subject, RUNG, "info", measured, None, f"{detail}; judged with the curve")
    # sd of the difference of two binomial counts = sqrt(2 N p (1 - p))
    p = float(ours[-1] + theirs[-1]) / 2
    limit = math.ceil(FINAL_DEVIATIONS * math.sqrt(2 * samples * p * (1 - p)))
    detail += f"; beyond the horizon, limit in images: {FINAL_DEVIATIONS} standard deviations of two independent runs"
    return Check(subject, RUNG, judged(measured <= limit), measured, limit, detail)


def compare_final(reference: Steps, candidate: Steps, context: Context) -> Check:
    """Checks every tensor after the free run, statistics too, against the floor of that tensor."""
    subject, runs = "tensors-after-training", [run.final for run in context.floor.variants]
    if context.floor.horizon_reached:
        return Check(
            subject, RUNG, "info", None, None, "the reference's own runs departed from each other before the end"
        )
    gaps = [
        compare(path, ours, candidate.final[path], [run[path] for run in runs])
        for path, ours in reference.final.items()
        if path in candidate.final
    ]
    detail = f"each against the reference's own departure in {len(runs)} runs, 10 times"
    return worst(subject, RUNG, gaps, detail)


def check_weights(reference: Steps, candidate: Steps) -> Check:
    """Checks that the trained weights are all there, and numbers; what they predict is judged at interchange."""
    ours, theirs = reference.final, candidate.final
    wrong = missing(ours, theirs) + [
        f"{key} has the shape {theirs[key].shape}, not {ours[key].shape}"
        if theirs[key].shape != ours[key].shape
        else f"{key} is not a number everywhere"
        for key in ours
        if key in theirs
        if theirs[key].shape != ours[key].shape or not np.isfinite(theirs[key]).all()
    ]
    if not ours:
        return Check("trained-weights", RUNG, "error", None, None, "Keras recorded none")
    detail = "; ".join(sorted(wrong)) or f"all {len(ours)} tensors are there, finite; judged at interchange"
    return Check("trained-weights", RUNG, judged(not wrong), len(wrong), 0, detail)
