"""Curves of many seeds: what they are at every epoch, the band that a further run stays in, and where two differ."""

import math

import numpy as np
from scipy import stats

from mlp_spec.runs.folder import CURVES
from parity.protocol.seeds import SeedResult
from parity.seeds.equivalence import ALPHA, Difference, Sample, holm


def stack_curves(seeds: list[SeedResult]) -> dict[str, np.ndarray]:
    """Returns the curves of the seeds whose numbers are all finite, each (seeds, epochs)."""
    curves = {name: np.array([seed.history[name] for seed in seeds], dtype=np.float64) for name in CURVES}
    if not seeds:
        return curves
    is_finite = np.all([np.isfinite(values).all(axis=1) for values in curves.values()], axis=0)  # (seeds,)
    return {name: values[is_finite] for name, values in curves.items()}


def standardize(curves: np.ndarray, run) -> np.ndarray:
    """Returns how far a further run is from the seeds at every epoch, in standard deviations of one more draw.

    Args:
        curves: (seeds, epochs), three seeds at least.
        run: (epochs,).
    """
    gap = np.asarray(run, dtype=np.float64) - curves.mean(axis=0)
    unit = curves.std(axis=0, ddof=1) * np.sqrt(1 + 1 / len(curves))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(gap == 0, 0.0, gap / unit)


def leave_one_out_distances(seeds: dict[str, np.ndarray]) -> list[float]:
    """Returns the largest distance of every seed from all others, over all curves and epochs."""
    return [
        max(
            float(np.abs(standardize(np.delete(curves, left_out, axis=0), curves[left_out])).max())
            for curves in seeds.values()
        )
        for left_out in range(len(seeds["loss"]))
    ]


def normal_half_width(seeds: dict[str, np.ndarray]) -> float:
    """Returns the half width of the simultaneous band if every point were normal, in the units of `standardize`.

    Each point has the share ALPHA / points (Bonferroni).
    """
    points = sum(curves.shape[1] for curves in seeds.values())
    return float(stats.t.isf(ALPHA / (2 * points), len(seeds["loss"]) - 1))


def half_width(seeds: dict[str, np.ndarray], distances: list[float]) -> float:
    """Returns the half width of the simultaneous prediction band: 95 of 100 further runs stay inside at all points.

    Late epochs of Adam now and then jump much farther than a normal law has it, so that the width is also that which
    the seeds themselves need: of n + 1 runs from one law each has any rank with the same probability, and a further one
    is farther than the k-th nearest of n with probability 1 - k / (n + 1) (conformal prediction; each seed is measured
    against all others). Never below the normal law's.

    Args:
        seeds: curves by name, each (seeds, epochs).
        distances: their `leave_one_out_distances`.
    """
    rank = min(math.ceil((1 - ALPHA) * (len(distances) + 1)), len(distances))
    return max(normal_half_width(seeds), sorted(distances)[rank - 1])


def band_limits(curves: np.ndarray, width: float) -> tuple[np.ndarray, np.ndarray]:
    """Returns the lower and upper end of a band of this half width, (epochs,) each."""
    half = width * curves.std(axis=0, ddof=1) * np.sqrt(1 + 1 / len(curves))
    return curves.mean(axis=0) - half, curves.mean(axis=0) + half


def find_points_outside(seeds: dict[str, np.ndarray], run: dict[str, list[float]], width: float) -> list[dict]:
    """Lists the points at which a run leaves the band of this half width, the farthest first.

    Args:
        seeds: curves by name, each (seeds, epochs).
        run: the same curves of the run, as many epochs.
        width: half width, in the units of `standardize`.
    """
    points = []
    for name in CURVES:
        low, high = band_limits(seeds[name], width)
        for epoch, deviations in enumerate(standardize(seeds[name], run[name])):
            if not abs(deviations) <= width:
                point = {"curve": name, "epoch": epoch + 1, "value": float(run[name][epoch])}
                band = {"low": float(low[epoch]), "high": float(high[epoch])}
                points.append(point | band | {"standard_deviations": float(deviations)})
    return sorted(points, key=lambda point: -abs(point["standard_deviations"]))


def describe_bands(seeds: dict[str, np.ndarray]) -> dict:
    """Describes one side's curves, epoch by epoch: mean, standard deviation, and the prediction band."""
    bands, width = {}, half_width(seeds, leave_one_out_distances(seeds))
    for name, curves in seeds.items():
        low, high = band_limits(curves, width)
        rows = {"mean": curves.mean(axis=0), "sd": curves.std(axis=0, ddof=1), "low": low, "high": high}
        bands[name] = {key: [float(f"{value:.6g}") for value in row] for key, row in rows.items()}
    return bands


def compare_means(reference: dict[str, np.ndarray], candidate: dict[str, np.ndarray]) -> list[dict]:
    """Compares the means of both sides at every point of all curves; p-values are Holm's, for all points together."""
    points, p_values = [], []
    for name in CURVES:
        for epoch in range(reference[name].shape[1]):
            difference = Difference.of(Sample.of(reference[name][:, epoch]), Sample.of(candidate[name][:, epoch]))
            points.append({"curve": name, "epoch": epoch + 1, "difference": difference.value})
            p_values.append(difference.p_different())
    return [point | {"p": p} for point, p in zip(points, holm(p_values), strict=True)]
