"""The rung optimizer: the same gradients in, the same weights out, after every step?"""

import numpy as np

from parity.protocol.recording import Recording
from parity.rungs.check import ULPS, Check, Gap, distance, epsilon, missing, under, variants, worst

RUNG = "optimizer"
DETAIL = "limit: 10 times the noise floor of each weight, at least 40 units in the last place of its largest value"


def judge(reference: Recording, candidate: Recording, facts: Recording) -> list[Check]:
    """Checks the weights after every step of the replay."""
    ours, theirs = under(reference.arrays, "weights/"), under(candidate.arrays, "weights/")
    gaps: list[Gap | str] = list(missing(set(ours), set(theirs)))
    runs = [under(run, "weights/") for run in variants(reference.arrays)]
    for name in [name for name in ours if name in theirs]:
        start = under(reference.arrays, "start/")[name]
        gaps.append(of_steps(name, ours[name], theirs[name], [run[name] for run in runs], float(np.abs(start).max())))
    steps = len(next(iter(ours.values())))
    return [worst("weights-after-every-step", RUNG, gaps, DETAIL, f"weights after each of {steps} steps")]


def of_steps(name: str, ours: np.ndarray, theirs: np.ndarray, runs: list[np.ndarray], start: float) -> Gap | str:
    """Compares (steps, values) elementwise; the floor of each value is that of its history."""
    if ours.shape != theirs.shape:
        return f"{name} has {theirs.shape[0]} steps of {theirs.shape[1:]}, not {ours.shape[0]} of {ours.shape[1:]}"
    scale = np.maximum.accumulate(np.abs(ours).astype(np.float64), axis=0)
    scale[:, -1] = np.maximum(scale[:, -1], start * np.sqrt(ours.shape[1]))  # the last value is a sum
    floor = np.max([distance(ours, run) for run in runs], axis=0)
    floor = np.maximum(np.maximum.accumulate(floor, axis=0), ULPS * epsilon(ours) * scale)
    floor = np.maximum(floor, np.finfo(np.float32).tiny)
    gaps = distance(ours, theirs)
    failing = gaps > 10 * floor
    # the first step that fails says more than the worst one
    step = int(np.flatnonzero(failing.any(axis=1))[0]) if failing.any() else int((gaps / floor).max(axis=1).argmax())
    place = int((gaps[step] / floor[step]).argmax())
    where = "its sum" if place == ours.shape[1] - 1 else f"value {place}"
    return Gap(f"{name}, {where}, step {step + 1}", float(gaps[step, place]), float(floor[step, place]), (step, place))
