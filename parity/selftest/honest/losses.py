"""Further losses of honest pairs: hinges, divergences, counts, smoothed labels, cosines, focal losses."""

import math

import numpy as np

from parity.selftest.honest.data import BINARY, COUNTS, LOGITS, ONE_HOT, Objective, Rows
from parity.selftest.honest.layers import Setting

# Probabilities that are never 0 or 1: an eighth of each row is spread over all classes.
SPREAD = "(0.875 * np.eye({classes})[{labels}] + 0.125 / {classes}).astype('float32')"
SIGNS = "(2 * y - 1) * out"
COSINE = "-F.cosine_similarity(out, y, dim=1).mean()"


def hinges() -> list[Objective]:
    """Returns the losses of a margin between two classes."""
    return [
        Objective(BINARY, "'hinge'", f"F.relu(1 - {SIGNS}).mean()"),
        Objective(BINARY, "'squared_hinge'", f"F.relu(1 - {SIGNS}).square().mean()"),
    ]


def focal() -> list[Objective]:
    """Returns the losses that weigh rows down that are learned: (1 - p) ** 2 of the class that is right."""
    two = "F.binary_cross_entropy_with_logits(out, y, reduction='none')"
    wrong, p = "(y - out.sigmoid()).abs()", "clip(out.softmax(dim=1))"
    return [
        Objective(BINARY, f"keras.losses.BinaryFocalCrossentropy({LOGITS})", f"({wrong}.square() * {two}).mean()"),
        Objective(
            ONE_HOT,
            f"keras.losses.CategoricalFocalCrossentropy({LOGITS})",
            f"-(0.25 * y * (1 - {p}).square() * {p}.log()).sum(dim=1).mean()",
        ),
    ]


def of_classes() -> list[Objective]:
    """Returns the losses of classes."""
    margin = "((1 - y) * out).amax(dim=1) - (y * out).sum(dim=1)"
    return [
        *hinges(),
        *focal(),
        Objective(ONE_HOT, "'cosine_similarity'", COSINE),
        Objective(ONE_HOT, "'categorical_hinge'", f"F.relu({margin} + 1).mean()"),
        Objective(
            SPREAD,
            "'kl_divergence'",
            "(y * (y / out.clamp(1e-7, 1)).log()).sum(dim=1).mean()",
            "softmax",
            "x.softmax(dim=1)",
        ),
        Objective(
            COUNTS,
            "'poisson'",
            "F.poisson_nll_loss(out, y, log_input=False, eps=1e-7)",
            "softplus",
            "F.softplus(x, threshold=40)",
        ),
        Objective(
            BINARY,
            f"keras.losses.BinaryCrossentropy({LOGITS}, label_smoothing=0.25)",
            "F.binary_cross_entropy_with_logits(out, 0.75 * y + 0.125)",
        ),
    ]


def further_objectives(rows: Rows, setting: Setting) -> list[Objective]:
    """Returns what else may be learned from a data set."""
    return [*(of_classes() if rows.labels else []), *(of_numbers(setting) if rows.values else [])]


def of_numbers(setting: Setting) -> list[Objective]:
    """Returns the losses of numbers; in float64, TensorFlow rounds the logarithm of 2 in one of them to float32."""
    log2 = "math.log(2)" if setting.precision == "float32" else str(float(np.float32(math.log(2))))
    gap = "F.softplus(-2 * (out - y), threshold=40)"
    return [Objective("{values}", "'log_cosh'", f"(out - y + {gap} - {log2}).mean()")]
