"""The rung optimizer: the same gradients in, the same weights out, after every step?"""

from dataclasses import replace

import numpy as np

from parity.protocol.records import Replay
from parity.rungs.check import MULTIPLE, ULPS, Check, Context, Gap, distance, epsilon, missing, worst

RUNG = "optimizer"
DETAIL = "limit: 10 times the noise floor of each weight, at least 40 units in the last place of its largest value"


def judge(reference: Replay, candidate: Replay, context: Context) -> list[Check]:
    """Checks the weights after every step of the replay."""
    gaps: list[Gap | str] = list(missing(reference.weights, candidate.weights))
    for path, ours in reference.weights.items():
        if path in candidate.weights:
            variants = [variant[path] for variant in reference.variants]
            start = float(np.abs(reference.start[path]).max())
            gaps.append(compare_steps(path, ours, candidate.weights[path], variants, start))
    steps = len(next(iter(reference.weights.values())))
    check = worst("weights-after-every-step", RUNG, gaps, DETAIL, f"weights after each of {steps} steps")
    ratios = [gap.of_all for gap in gaps if isinstance(gap, Gap) and np.isfinite(gap.of_all)]
    return [replace(check, more={**check.more, "largest_ratio_to_limit": max(ratios, default=None)})]


def compare_steps(
    name: str, ours: np.ndarray, theirs: np.ndarray, variants: list[np.ndarray], start: float
) -> Gap | str:
    """Compares (steps, values) elementwise; the floor of each value is that of its history.

    The gap is that of the first step that fails, which says more than the worst one, else the one nearest to its limit.
    """
    if ours.shape != theirs.shape:
        return f"{name} has {theirs.shape[0]} steps of {theirs.shape[1:]}, not {ours.shape[0]} of {ours.shape[1:]}"
    scale = np.maximum.accumulate(np.abs(ours).astype(np.float64), axis=0)
    scale[:, -1] = np.maximum(scale[:, -1], start * np.sqrt(ours.shape[1]))  # the last value is a sum
    floor = np.max([distance(ours, variant) for variant in variants], axis=0)
    floor = np.maximum(np.maximum.accumulate(floor, axis=0), ULPS * epsilon(ours) * scale)
    floor = np.maximum(floor, np.finfo(np.float32).tiny)
    gaps = distance(ours, theirs)
    failing = gaps > MULTIPLE * floor
    step = int(np.flatnonzero(failing.any(axis=1))[0]) if failing.any() else int((gaps / floor).max(axis=1).argmax())
    index = int((gaps[step] / floor[step]).argmax())
    where = "its sum" if index == ours.shape[1] - 1 else f"value {index}"
    place, of_all = f"{name}, {where}, step {step + 1}", float((gaps / floor).max()) / MULTIPLE
    return Gap(place, float(gaps[step, index]), float(floor[step, index]), (step, index), of_all)
