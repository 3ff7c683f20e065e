"""The rung metrics: is an epoch's loss and accuracy the same average?"""

import numpy as np

from mlp_spec.runs.folder import CURVES
from parity.protocol.records import Means
from parity.rungs.check import Check, Context, Gap, compare, judged, worst

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
    detail = f"limit in images: 1, or 10 times the noise floor; largest in epoch {epoch + 1}"
    limit = max(1.0, Gap("", 0.0, floor).limit)
    # a fraction of an image is another mean (over classes, over batches), not another answer
    whole = abs(gaps[epoch] - round(gaps[epoch])) <= 0.05 + 1e-6 * counts[epoch]
    measured = round(float(gaps[epoch]), 2)
    passed = bool(measured <= limit and (whole or measured <= 0.05))
    return Check(subject, rung, judged(passed), measured, limit, detail, floor)
