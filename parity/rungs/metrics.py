"""The rung metrics: is an epoch's loss and accuracy the same average, over the same batches?"""

import numpy as np

from mlp_spec.runs.folder import CURVES
from parity.protocol.recording import Recording
from parity.rungs.check import Check, Gap, compare, judged, under, variants, worst

RUNG = "metrics"


def judge(reference: Recording, candidate: Recording, facts: Recording) -> list[Check]:
    """Checks the batches of two epochs with an uneven last one, and the four means over them."""
    return [check_batches(reference, candidate), *check_means(reference, candidate, facts)]


def check_batches(reference: Recording, candidate: Recording) -> Check:
    """Checks that the candidate was given the prescribed batches: rows, labels, pixels and their order."""
    epochs = under(reference.arrays, "batches/")
    expected = np.concatenate([epochs[str(epoch)] for epoch in range(len(epochs))])
    found = candidate.arrays.get("sums", np.empty((0, 4)))
    if expected.shape != found.shape:
        detail = f"Lightning trained {len(found)} batches in {len(epochs)} epochs, Keras {len(expected)}"
        return Check("batches", "data", "fail", abs(len(found) - len(expected)), 0, detail)
    different = np.flatnonzero((expected != found).any(axis=1))
    detail = "every batch has the same rows in the same order"
    if len(different):
        first = int(different[0])
        names = ("rows", "sum of labels", "sum of pixels", "order of rows")
        wrong = [name for name, one, other in zip(names, expected[first], found[first], strict=True) if one != other]
        detail = f"first at batch {first + 1}: another {', '.join(wrong)}"
    return Check("batches", "data", judged(not len(different)), len(different), 0, detail)


def check_means(reference: Recording, candidate: Recording, facts: Recording) -> list[Check]:
    """Checks the four means of both epochs: losses to the noise floor, accuracies to the image."""
    runs = variants(reference.arrays)
    data = facts.metadata["data"]
    rows = [len_of(reference, epoch) for epoch in (0, 1)]
    checks = []
    for name in CURVES:
        ours = reference.arrays[f"curve/{name}"]
        theirs = candidate.arrays.get(f"curve/{name}", np.empty(0))
        others = [run[f"curve/{name}"] for run in runs]
        if name.endswith("loss"):
            detail = "limit: 10 times the noise floor, at least 40 units in the last place"
            # float64 of the means comes from Python; the quantity itself has the model's precision
            dtype = facts.metadata["experiment"]["training"]["precision"]
            gap = compare(name, ours.astype(dtype), theirs, others)
            checks.append(worst(f"mean-{name}", RUNG, [gap], detail))
        else:
            counts = np.array(rows if name == "acc" else [data["test"]["samples"]] * 2)
            checks.append(check_images(f"mean-{name}", RUNG, ours, theirs, others, counts))
    return checks


def len_of(reference: Recording, epoch: int) -> int:
    """Returns how many samples a metrics epoch has."""
    return int(reference.arrays[f"batches/{epoch}"][:, 0].sum())


def check_images(
    subject: str, rung: str, ours: np.ndarray, theirs: np.ndarray, others: list, counts: np.ndarray
) -> Check:
    """Checks accuracies as numbers of images: as many as the reference differs from itself, and one.

    Args:
        subject, rung: the check's.
        ours, theirs: (epochs,) accuracies.
        others: the reference's runs that differ in rounding only, (epochs,) each.
        counts: (epochs,) images that were counted.
    """
    if ours.shape != theirs.shape:
        return Check(subject, rung, "fail", f"{len(theirs)} epochs", len(ours), f"Keras has {len(ours)} epochs")
    if not np.isfinite(theirs).all():
        return Check(subject, rung, "fail", "not a number", 0, "an accuracy is not a number")
    images = np.rint(ours * counts)
    floor = max((float(np.abs(np.rint(run * counts) - images).max()) for run in others), default=0.0)
    gaps = np.abs(theirs * counts - images)  # the reference's are float32; half an image is no image
    epoch = int(gaps.argmax())
    detail = f"limit in images: 1, or 10 times the noise floor; largest in epoch {epoch + 1}"
    limit = max(1.0, Gap("", 0.0, floor).limit)
    # a fraction of an image is another mean (over classes, over batches), not another answer
    whole = abs(gaps[epoch] - round(gaps[epoch])) <= 0.05 + 1e-6 * counts[epoch]
    measured = round(float(gaps[epoch]), 2)
    passed = bool(measured <= limit and (whole or measured <= 0.05))
    return Check(subject, rung, judged(passed), measured, limit, detail, floor)
