"""Fits what a port's loss is multiplied by and what penalties it has, from the gradients of both sides' cases."""

from dataclasses import dataclass, field

import numpy as np

from parity.protocol.records import Cases

GOOD = 1e-4  # of the candidate's gradients: more than that is not explained by a fit that is none
SMALL = 1e-5  # of the candidate's gradients: what is smaller is rounding
CLOSE = 1e-4  # relative: a number with few digits that is nearer is what somebody wrote


@dataclass(frozen=True)
class Fit:
    """What a candidate's loss is, if it is Keras's but for a factor and penalties: s L + sum c w^2, or s times all."""

    scale: float = 1.0
    penalties: dict[str, float] = field(default_factory=dict)  # c by path, of tensors that have one
    rows: int = 0  # of a case's batch
    is_good: bool = False  # whether that is what it is
    of_all: bool = False  # whether the factor is of the penalties, too


def fit_loss(reference: Cases, own: Cases, ours: dict[str, float]) -> Fit:
    """Fits the gradients of all cases: g' = s g + 2 (c' - s c) w, where c are Keras's factors.

    Args:
        reference, own: Keras's and the candidate's.
        ours: c by path, of the tensors that have one in Keras.
    """  # fmt: skip
    names = [name for name, answer in own.answers.items() if answer.gradients and name in reference.answers]
    paths = sorted(set.intersection(*({*own.answers[name].gradients} for name in names))) if names else []
    rows = len(reference.cases[names[0]].images) if names else 0
    size = 1 + len(paths)
    products, right, whole = np.zeros((size, size)), np.zeros(size), 0.0
    for name in names:
        answer, weights = reference.answers[name], reference.cases[name].weights
        scale = max(float(np.abs(answer.gradients[path]).max(initial=0.0)) for path in paths) or 1.0
        for number, path in enumerate(paths, 1):
            theirs = own.answers[name].gradients[path].astype(np.float64).ravel() / scale
            g, w = (a[path].astype(np.float64).ravel() / scale for a in (answer.gradients, weights))
            products[0, 0] += g @ g
            products[0, number] = products[number, 0] = products[0, number] + g @ w
            products[number, number] += w @ w
            right[0] += theirs @ g
            right[number] += theirs @ w
            whole += theirs @ theirs
    if not whole or not np.isfinite(whole):
        return Fit(rows=rows)
    found = np.linalg.lstsq(products, right, rcond=None)[0]
    left = whole - 2 * found @ right + found @ products @ found
    scale = 1.0 if abs(found[0] - 1) <= SMALL else plain(float(found[0]))
    penalties = {}
    for number, path in enumerate(paths, 1):
        counts = abs(found[number]) * np.sqrt(products[number, number]) > SMALL * np.sqrt(whole)
        factor = plain(found[number] / 2 + scale * ours.get(path, 0.0)) if counts else scale * ours.get(path, 0.0)
        if abs(factor) > CLOSE * ours.get(path, 0.0) and factor:
            penalties[path] = factor
    scaled = {path: scale * factor for path, factor in ours.items() if factor}
    of_all = penalties.keys() == scaled.keys() and np.allclose(
        [*penalties.values()], [scaled[p] for p in penalties], CLOSE
    )
    penalties = {path: ours[path] for path in penalties} if of_all else penalties
    return Fit(scale, penalties, rows, bool(left <= GOOD**2 * whole), bool(of_all))


def plain(value: float) -> float:
    """Returns a fitted number with the fewest digits that are near enough; a power of 2 where that is one."""
    if value and abs(value - (power := np.sign(value) * 2.0 ** np.rint(np.log2(abs(value))))) <= CLOSE * abs(value):
        return float(power)
    rounded = (float(f"{value:.{digits}g}") for digits in range(1, 5))
    return next((one for one in rounded if abs(one - value) <= CLOSE * abs(value)), float(value))
