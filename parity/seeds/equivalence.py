"""Equivalence of two samples of seeds: two one-sided tests with Welch's t, their power, and what they can detect.

With the difference d of the two means, its standard error s = sqrt(s1^2/n1 + s2^2/n2) and Welch's degrees of
freedom, a difference D lies within the margin m if both D <= -m and D >= m are rejected at the level ALPHA: the
interval d +- t s of confidence 1 - 2 ALPHA then lies inside (-m, m). It lies beyond the margin if |D| <= m is
rejected. Between the two, the seeds cannot tell.

Sources: Schuirmann 1987 (two one-sided tests), Welch 1947 (degrees of freedom), Berger 1982 (all of several
equivalences at once need no correction).
"""

import math
from bisect import bisect_left
from dataclasses import dataclass

import numpy as np
from scipy import stats

ALPHA = 0.05  # probability that a difference as large as the margin passes as equivalent
POWER = 0.9  # a detectable difference is found this often
# A study that would more likely miss than find an equivalence decides nothing by luck.
LEAST_POWER = 0.5
MOST_SEEDS = 10_000

EQUIVALENT = "equivalent"
WITHIN = "different, within the margin"
BEYOND = "not equivalent"
CANNOT_TELL = "cannot tell"
TOO_FEW = "cannot tell: too few seeds for the margin"


@dataclass(frozen=True)
class Sample:
    """A side's numbers, in short."""

    n: int  # how many seeds
    mean: float  # of their numbers
    sd: float  # their standard deviation, with n - 1

    @classmethod
    def of(cls, values) -> "Sample":
        """Describes the values (n,) of n seeds, three at least."""
        values = np.asarray(values, dtype=np.float64)
        return cls(len(values), float(values.mean()), float(values.std(ddof=1)))


@dataclass(frozen=True)
class Difference:
    """The difference of two means, candidate less reference."""

    value: float  # the difference
    error: float  # its standard error
    freedom: float  # Welch's degrees of freedom

    @classmethod
    def of(cls, reference: Sample, candidate: Sample) -> "Difference":
        """Compares two samples."""
        error, freedom = welch(reference.sd, reference.n, candidate.sd, candidate.n)
        return cls(candidate.mean - reference.mean, error, freedom)

    def interval(self, alpha: float = ALPHA) -> tuple[float, float]:
        """Returns the interval of confidence 1 - 2 alpha."""
        half = stats.t.isf(alpha, self.freedom) * self.error
        return self.value - half, self.value + half

    def p_within(self, margin: float) -> float:
        """Returns the p-value of both one-sided tests: small if the difference is within the margin."""
        return self._tail(margin - abs(self.value))

    def p_beyond(self, margin: float) -> float:
        """Returns the p-value against `the difference is within the margin`: small if it is beyond."""
        return self._tail(abs(self.value) - margin)

    def p_different(self) -> float:
        """Returns the two-sided p-value of Welch's t test."""
        return min(1.0, 2 * self._tail(abs(self.value)))

    def _tail(self, distance: float) -> float:
        if self.error == 0:
            return 0.0 if distance > 0 else 1.0
        return float(stats.t.sf(distance / self.error, self.freedom))


def welch(first_sd: float, first_n: int, second_sd: float, second_n: int) -> tuple[float, float]:
    """Returns the standard error of a difference of means, and Welch's degrees of freedom."""
    first, second = first_sd**2 / first_n, second_sd**2 / second_n
    if first + second == 0:
        return 0.0, float(first_n + second_n - 2)
    # (v1 + v2)^2 / (v1^2 / (n1 - 1) + v2^2 / (n2 - 1))
    freedom = (first + second) ** 2 / (first**2 / (first_n - 1) + second**2 / (second_n - 1))
    return math.sqrt(first + second), freedom


def power_within(margin: float, error: float, freedom: float, true: float = 0.0, alpha: float = ALPHA) -> float:
    """Returns how often two one-sided tests pass, where the numbers are normal and the spreads the true ones.

    The estimated error is error * u with u^2 = chi^2 / freedom; for each u the passing differences are an interval,
    |d| < margin - t u error, whose probability is the normal law's. The mean over u is taken over its quantiles.

    Args:
        margin: of equivalence.
        error: standard error of the difference.
        freedom: degrees of freedom of its estimate.
        true: the difference in truth.
        alpha: level of each test.
    """
    if error == 0:
        return float(abs(true) < margin)
    half = margin / error - stats.t.isf(alpha, freedom) * _scales(freedom)  # (quantiles,)
    shift = true / error
    passed = stats.norm.cdf(half - shift) - stats.norm.cdf(-half - shift)
    return float(np.where(half > 0, passed, 0.0).mean())


def detectable_difference(error: float, freedom: float, margin: float = 0.0, alpha: float = ALPHA / 2) -> float:
    """Returns the smallest true difference that a test against a margin finds with probability POWER.

    Args:
        error: standard error of the difference.
        freedom: degrees of freedom of its estimate.
        margin: 0 for Welch's test of any difference (then alpha is half of its level).
        alpha: level of the one-sided test.
    """
    from scipy.optimize import brentq

    if error == 0:
        return margin
    threshold = stats.t.isf(alpha, freedom) * _scales(freedom)

    def missed(shift: float) -> float:  # P(d <= margin + t u error), in units of the error
        return float(stats.norm.cdf(threshold - shift).mean()) - (1 - POWER)

    return margin + error * float(brentq(missed, 0.0, 1e4))


def seeds_needed(margin: float, reference: Sample, candidate: Sample, fixed: bool) -> int | None:
    """Returns how many seeds give the power POWER, if the spreads are these; None if no number does.

    Args:
        margin: of equivalence.
        reference, candidate: their standard deviations count.
        fixed: whether the reference's seeds stay as many as they are (recorded points), or grow alike.
    """  # fmt: skip

    def enough(n: int) -> bool:
        error, freedom = welch(reference.sd, reference.n if fixed else n, candidate.sd, n)
        return power_within(margin, error, freedom) >= POWER

    if not enough(MOST_SEEDS):
        return None
    return bisect_left(range(MOST_SEEDS + 1), True, lo=3, hi=MOST_SEEDS, key=enough)


def holm(p_values: list[float]) -> list[float]:
    """Returns Holm's adjusted p-values: of many comparisons, the chance of any false alarm stays at the level."""
    order = np.argsort(p_values)
    scaled = np.minimum(1.0, (len(p_values) - np.arange(len(p_values))) * np.asarray(p_values)[order])
    return np.maximum.accumulate(scaled)[np.argsort(order)].tolist()


def classify_difference(difference: Difference, margin: float, power: float, p_different: float, tests: int) -> str:
    """Decides a measure of several.

    Args:
        difference: of the means.
        margin: of equivalence.
        power: how often a pair without a difference passes.
        p_different: the two-sided p-value, adjusted for the number of measures.
        tests: how many checks can fail the study, each alone: each has its share of ALPHA.
    """
    if difference.p_beyond(margin) <= ALPHA / tests:
        return BEYOND
    if not power >= LEAST_POWER:
        return TOO_FEW
    if not difference.p_within(margin) <= ALPHA:
        return CANNOT_TELL
    return WITHIN if p_different <= ALPHA else EQUIVALENT


def _scales(freedom: float, count: int = 400) -> np.ndarray:
    """Returns `count` equally likely values of sqrt(chi^2 / freedom)."""
    middles = (np.arange(count) + 0.5) / count
    return np.sqrt(stats.chi2.ppf(middles, freedom) / freedom)
