"""The rung interchange: do weights trained in one framework predict the same in the other?"""

from dataclasses import replace

import numpy as np

from parity.protocol.inputs import HORIZON
from parity.protocol.records import Predictions
from parity.protocol.user_data import columns_of
from parity.rungs.check import Check, Context, compare, judged, worst
from parity.rungs.forward import limit_text
from parity.rungs.stateful import explained_output

RUNG = "interchange"
OWN, OWN_TITLE = "classes-own-weights", "classes, each its own weights"


def judge(reference: Predictions, candidate: Predictions, context: Context) -> list[Check]:
    """Checks the probabilities and classes of all test images."""
    ours, theirs, variants = reference.probabilities, candidate.probabilities, reference.variants
    gaps = [compare("image, class" if context.is_lab else "row, output", ours, theirs, variants)]
    detail, title = limit_text(len(variants)), "probabilities, Keras's weights"
    check = explained_output(worst("probabilities-keras-weights", RUNG, gaps, detail, title), context)
    if not context.is_lab:  # a pair file's outputs need be no classes
        return [check] if context.untrained else [check, judge_trained(reference, candidate, context)]
    checks = [check, check_classes("classes-keras-weights", ours, theirs, check.limit, "classes, Keras's weights")]
    if candidate.own_probabilities is None:
        detail = "Lightning has no trained weights of its own"
        return [*checks, Check(OWN, RUNG, "error", None, None, detail, title=OWN_TITLE)]
    own = check_classes(OWN, ours, candidate.own_probabilities, HORIZON, OWN_TITLE)
    if context.floor.horizon_reached:
        own = replace(own, status="info", limit=None, detail=f"{own.detail}; the free runs passed the horizon")
    return [*checks, own]


def judge_trained(reference: Predictions, candidate: Predictions, context: Context) -> Check:
    """Checks what both predict in evaluation mode after training, each with its own weights and statistics.

    Statistics that training mode tracks, and does not use, show here alone. The floor is that of the reference's own
    runs, each with its own weights.
    """
    subject, runs = "evaluation-mode-after-training", context.floor.variants
    if candidate.own_probabilities is None:
        return Check(subject, RUNG, "error", None, None, "Lightning has no trained weights of its own")
    known = [run.probabilities for run in runs if run.probabilities is not None]
    if context.floor.horizon_reached or not known:
        why = "the reference's own runs departed from each other before the end"
        if not all(np.isfinite(array).all() for array in columns_of(candidate.own_probabilities).values()):
            return Check(subject, RUNG, "fail", "not a number", None, why)
        return Check(subject, RUNG, "info", None, None, why if known else "the reference's runs predicted nothing")
    gap = compare("row, output", reference.probabilities, candidate.own_probabilities, known)
    return worst(subject, RUNG, [gap], f"each with its own weights; {limit_text(len(known))}")


def check_classes(subject: str, ours: np.ndarray, theirs: np.ndarray, tie: float | None, title: str = "") -> Check:
    """Checks that every image gets the same class; two classes closer than `tie` are equally likely."""
    if ours.shape != theirs.shape or not np.isfinite(theirs).all():
        measured = "not a number" if ours.shape == theirs.shape else str(theirs.shape)
        return Check(subject, RUNG, "fail", measured, 0, title=title)
    first, second = np.sort(ours, axis=1)[:, :-3:-1].T
    different = ours.argmax(axis=1) != theirs.argmax(axis=1)
    real = different & ~(first - second <= 2 * (tie or 0))
    detail = f"{len(ours) - int(different.sum()):,} of {len(ours):,} images get the same class"
    if different.sum() > real.sum():
        detail += f"; {int(different.sum() - real.sum())} of the others are ties within the limit"
    return Check(subject, RUNG, judged(not real.any()), int(real.sum()), 0, detail, title=title)
