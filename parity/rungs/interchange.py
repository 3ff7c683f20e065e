"""The rung interchange: do weights trained in one framework predict the same in the other?"""

import numpy as np

from mlp_spec import trials
from mlp_spec.recording import Recording
from parity.checks import Check, compare, judged, variants, worst
from parity.rungs.numbers import limit_text

RUNG = "interchange"


def judge(reference: Recording, candidate: Recording, facts: Recording) -> list[Check]:
    """Checks the probabilities and classes of all test images."""
    ours, theirs = reference.arrays["probabilities"], candidate.arrays["probabilities"]
    runs = [run["probabilities"] for run in variants(reference.arrays)]
    check = worst(
        "probabilities, Keras's weights", RUNG, [compare("image, class", ours, theirs, runs)], limit_text(len(runs))
    )
    checks = [check, check_classes("classes, Keras's weights", ours, theirs, check.limit)]
    if "own_probabilities" not in candidate.arrays:
        detail = "Lightning has no trained weights of its own"
        checks.append(Check("classes, each its own weights", RUNG, "error", None, None, detail))
    else:
        own = check_classes(
            "classes, each its own weights", ours, candidate.arrays["own_probabilities"], trials.HORIZON
        )
        if reference.metadata["horizon_reached"]:
            own = Check(own.name, RUNG, "info", own.measured, None, f"{own.detail}; the free runs passed the horizon")
        checks.append(own)
    return checks


def check_classes(name: str, ours: np.ndarray, theirs: np.ndarray, tie: float | int | None) -> Check:
    """Checks that every image gets the same class; two classes closer than `tie` are equally likely."""
    if ours.shape != theirs.shape or not np.isfinite(theirs).all():
        return Check(name, RUNG, "fail", "not a number" if ours.shape == theirs.shape else str(theirs.shape), 0)
    first, second = np.sort(ours, axis=1)[:, :-3:-1].T
    different = ours.argmax(axis=1) != theirs.argmax(axis=1)
    real = different & ~(first - second <= 2 * (tie or 0))
    detail = f"{len(ours) - int(different.sum()):,} of {len(ours):,} images get the same class"
    if different.sum() > real.sum():
        detail += f"; {int(different.sum() - real.sum())} of the others are ties within the limit"
    return Check(name, RUNG, judged(not real.any()), int(real.sum()), 0, detail)
