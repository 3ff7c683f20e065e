"""The rung metrics: is an epoch's loss and accuracy the same average?"""

from dataclasses import replace

import numpy as np

from mlp_spec.runs.folder import CURVES
from parity.protocol.metric_names import counts_rows, find_logged, is_accuracy
from parity.protocol.records import Means, Steps
from parity.rungs.check import (
    Check,
    Context,
    Gap,
    compare,
    distance,
    horizon_of,
    judged,
    of_steps,
    running_floor,
    worst,
)

RUNG = "metrics"


def judge(reference: Means, candidate: Means, context: Context) -> list[Check]:
    """Checks the four means of two uneven epochs: losses to the noise floor, accuracies to the image."""
    samples = {
        "acc": [int(batches[:, 0].sum()) for batches in reference.batches],
        "val_acc": [context.facts.data["test"]["samples"]] * len(reference.batches),
    }
    checks = []
    for name in CURVES:
        ours, theirs = reference.curves[name], candidate.curves.get(name, np.empty(0))
        variants = [variant[name] for variant in reference.variants]
        if name.endswith("loss"):
            detail = "limit: 10 times the noise floor, at least 40 units in the last place"
            # float64 of the means comes from Python; the quantity itself has the model's precision
            precision = context.facts.experiment["training"]["precision"]
            gap = compare(name, ours.astype(precision), theirs, variants)
            checks.append(worst(f"mean-{name}", RUNG, [gap], detail))
        else:
            checks.append(check_images(f"mean-{name}", RUNG, ours, theirs, variants, np.array(samples[name])))
    return checks


def judge_logged(reference: Steps, candidate: Steps, context: Context) -> list[Check]:
    """Checks each curve of Keras's that the module logs, too, in the epochs that end before the chaos horizon."""
    if context.is_lab:
        return []
    floor = running_floor(reference.losses, [run.losses for run in context.floor.variants])
    horizon = horizon_of(floor, reference.losses)
    epochs = min(context.facts.plan.epochs, horizon // max(1, len(reference.losses) // context.facts.plan.epochs))
    checks = [judge_curve(name, reference, candidate, context, epochs) for name in reference.curves]
    checks += judge_own_means(reference, candidate, context, epochs)
    said = [name for name in context.facts.metrics if name not in reference.curves]
    if said:
        detail = f"METRICS names {', '.join(said)}; Keras shows {', '.join(reference.curves)}"
        checks.append(Check("names-of-metrics", RUNG, "error", None, None, detail))
    return checks


def judge_own_means(reference: Steps, candidate: Steps, context: Context, epochs: int) -> list[Check]:
    """Checks the means that are computed here, whatever the module logs: of its steps' losses and of its outputs."""
    training, checks = context.facts.experiment["training"], []
    if candidate.losses.shape != reference.losses.shape:  # the rung lockstep fails
        return []
    losses = candidate.losses.reshape(context.facts.plan.epochs, -1)
    rows = np.full(losses.shape[1], training["batch_size"])
    rows[-1] = context.facts.plan.samples - rows[:-1].sum()
    # sum of n_b l_b / sum of n_b, over an epoch's batches
    means = {"loss": losses @ rows / rows.sum()}
    for name in reference.curves:
        theirs = means.get(name)
        if theirs is None and is_accuracy(name):
            theirs = candidate.counted.get("val_accuracy" if name.startswith("val_") else "accuracy")
        if theirs is not None and epochs:
            of = "losses" if name == "loss" else "outputs"
            check = compare_curve(name, reference, theirs, context, epochs)
            detail = f"computed from the {of} of its steps, whatever it logs; {check.detail}"
            checks.append(replace(check, subject=f"mean-{name}", detail=detail, title=f"{name}, computed"))
    return checks


def judge_curve(name: str, reference: Steps, candidate: Steps, context: Context, epochs: int) -> Check:
    """Checks one of Keras's curves; one that is not logged is not compared, and no failure."""
    logged, at_steps = list(candidate.curves), candidate.path.get("logged_at_steps", [])
    found = find_logged(name, [*logged, *at_steps], context.facts.metrics)
    if len(found) != 1 or found[0] in at_steps or not epochs:
        why = "no epoch ends before the chaos horizon"
        if not found:
            said = context.facts.metrics.get(name)
            known = f"; it logs: {', '.join([*logged, *at_steps]) or 'nothing'}"
            why = f"the module logs no {said}{known}" if said else f"nothing that the module logs is it{known}"
        elif len(found) > 1:
            why = f"it may be {' or '.join(found)}; METRICS in a pair file says which"
        elif found[0] in at_steps:
            why = f"{found[0]} is logged for single steps (on_epoch=False), the last one's value is no mean"
        logged = {"logged_as": found[0]} if len(found) == 1 and found[0] in logged else {}
        return Check(name, RUNG, "info", None, None, f"not compared: {why}", title=name, more=logged)
    check = compare_curve(name, reference, candidate.curves[found[0]], context, epochs)
    detail, more = f"logged as {found[0]}; {check.detail}", {**check.more, "logged_as": found[0]}
    return replace(check, detail=detail, title=name, more=more)


def compare_curve(name: str, reference: Steps, theirs: np.ndarray, context: Context, epochs: int) -> Check:
    """Checks a curve of the candidate's, (epochs,), against one of Keras's, in the epochs before the horizon."""
    ours = reference.curves[name]
    if len(ours) != len(theirs) or not np.isfinite(theirs).all():
        what = "not a number" if len(ours) == len(theirs) else f"{len(theirs)} epochs"
        return Check(name, RUNG, "fail", what, None, f"there must be a number in each of {len(ours)} epochs")
    variants = [run.curves[name][:epochs] for run in context.floor.variants]
    plan, test = context.facts.plan, context.facts.data["test"]
    count = test["samples"] if name.startswith("val_") else plan.samples
    if is_accuracy(name) or (counts_rows(name) and are_whole(ours * count, count)):
        check = check_images(name, RUNG, ours[:epochs], theirs[:epochs], variants, np.full(epochs, count))
    else:
        precision = context.facts.experiment["training"]["precision"]
        floor = running_floor(ours[:epochs].astype(precision), variants)
        check = of_steps(name, RUNG, distance(ours[:epochs], theirs[:epochs]), floor, epochs, "")
        more = {name: check.more[name] for name in ("largest", "largest_ratio_to_floor")}
        check = replace(check, detail=check.detail.removeprefix("; ").replace("step", "epoch"), more=more)
    return replace(check, detail=f"{epochs} of {len(ours)} epochs judged; {check.detail}")


def are_whole(counts: np.ndarray, rows: int) -> bool:
    """Says whether numbers of rows are whole, but for rounding of their share in float32."""
    return bool((np.abs(counts - np.rint(counts)) <= 0.05 + 1e-6 * rows).all())


def check_images(
    subject: str, rung: str, ours: np.ndarray, theirs: np.ndarray, variants: list, counts: np.ndarray
) -> Check:
    """Checks accuracies as numbers of images: as many as the reference differs from itself, and one.

    Args:
        subject, rung: the check's.
        ours, theirs: (epochs,) accuracies.
        variants: the reference's runs that differ in rounding only, (epochs,) each.
        counts: (epochs,) images that were counted.
    """
    if ours.shape != theirs.shape:
        return Check(subject, rung, "fail", f"{len(theirs)} epochs", len(ours), f"Keras has {len(ours)} epochs")
    if not np.isfinite(theirs).all():
        return Check(subject, rung, "fail", "not a number", 0, "an accuracy is not a number")
    images = np.rint(ours * counts)
    floor = max((float(np.abs(np.rint(run * counts) - images).max()) for run in variants), default=0.0)
    gaps = np.abs(theirs * counts - images)  # the reference's are float32; half an image is no image
    epoch = int(gaps.argmax())
    detail = f"limit in samples: 1, or 10 times the noise floor; largest in epoch {epoch + 1}"
    limit = max(1.0, Gap("", 0.0, floor).limit)
    # a fraction of an image is another mean (over classes, over batches), not another answer
    whole = abs(gaps[epoch] - round(gaps[epoch])) <= 0.05 + 1e-6 * counts[epoch]
    measured = round(float(gaps[epoch]), 2)
    passed = bool(measured <= limit and (whole or measured <= 0.05))
    return Check(subject, rung, judged(passed), measured, limit, detail, floor)
