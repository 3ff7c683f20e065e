"""The statistics of a study: worked out by hand, against scipy's own, and by simulation."""

import math

import numpy as np
import pytest
from scipy import stats

from parity.seeds import equivalence
from parity.seeds.equivalence import (
    Difference,
    Sample,
    classify_difference,
    detectable_difference,
    holm,
    power_within,
    seeds_needed,
    welch,
)

# The first 12 seeds of `small` had mean .9113 and standard deviation .0015; 20 of such seeds a side.
SMALL = Sample(20, 0.9113, 0.0015)


def test_three_numbers_worked_out_by_hand():
    # s = .0015 sqrt(2/20) = .00047434; equal spreads: 2 (20 - 1) degrees of freedom
    error, freedom = welch(0.0015, 20, 0.0015, 20)
    assert error == pytest.approx(0.00047434, rel=1e-4) and freedom == pytest.approx(38)
    # variances 4/4 = 1 and 9/9 = 1: (1 + 1)^2 / (1/3 + 1/8) = 96/11
    assert welch(2.0, 4, 3.0, 9) == (pytest.approx(math.sqrt(2)), pytest.approx(96 / 11))
    # t of 38 degrees of freedom leaves 5 % above 1.68595: .0005 +- .0008
    low, high = Difference(0.0005, 0.00047434, 38).interval()
    assert (low, high) == (pytest.approx(-0.0002997, rel=1e-3), pytest.approx(0.0012997, rel=1e-3))


def test_the_p_values_are_those_of_scipy():
    random = np.random.default_rng(0)
    first, second = random.normal(0, 1, 20), random.normal(0.3, 2, 15)
    difference = Difference.of(Sample.of(first), Sample.of(second))
    assert difference.p_different() == pytest.approx(stats.ttest_ind(second, first, equal_var=False).pvalue)
    above = stats.ttest_ind(second, first - 2.0, equal_var=False, alternative="greater").pvalue  # d > -2
    below = stats.ttest_ind(second, first + 2.0, equal_var=False, alternative="less").pvalue  # d < 2
    assert difference.p_within(2.0) == pytest.approx(max(above, below))
    beyond = stats.ttest_ind(second, first + 0.1, equal_var=False, alternative="greater").pvalue
    assert difference.value > 0 and difference.p_beyond(0.1) == pytest.approx(beyond)


@pytest.mark.parametrize(
    ("n", "margin", "true"), [(20, 0.002, 0.0), (10, 0.002, 0.0005), (5, 0.002, 0.0), (20, 0.001, 0)]
)
def test_the_stated_power_is_that_of_simulated_studies(n, margin, true):
    error, freedom = welch(0.0015, n, 0.0015, n)
    random = np.random.default_rng([n, 1])
    first, second = random.normal(0, 0.0015, (4000, n)), random.normal(true, 0.0015, (4000, n))
    passed = np.mean(
        [
            Difference.of(Sample.of(reference), Sample.of(candidate)).p_within(margin) <= equivalence.ALPHA
            for reference, candidate in zip(first, second, strict=True)
        ]
    )
    assert power_within(margin, error, freedom, true) == pytest.approx(passed, abs=0.025)


def test_what_can_be_detected_is_detected_nine_times_in_ten():
    error, freedom = welch(0.0015, 20, 0.0015, 20)
    smallest = detectable_difference(error, freedom)
    limit = stats.t.isf(0.025, freedom)
    assert stats.nct.sf(limit, freedom, smallest / error) == pytest.approx(0.9, abs=0.002)
    beyond = detectable_difference(error, freedom, margin=0.002, alpha=0.0125)
    limit = stats.t.isf(0.0125, freedom)
    assert stats.nct.sf(limit, freedom, (beyond - 0.002) / error) == pytest.approx(0.9, abs=0.002)


def test_the_seeds_that_are_needed_are_the_fewest():
    needed = seeds_needed(0.002, SMALL, SMALL, fixed=False)
    power = [power_within(0.002, *welch(0.0015, n, 0.0015, n)) for n in (needed - 1, needed)]
    assert 10 < needed < 20 and power[0] < 0.9 <= power[1]
    assert seeds_needed(0.0001, SMALL, SMALL, fixed=True) is None  # the recorded points stay 20
    assert seeds_needed(0.0001, SMALL, SMALL, fixed=False) > 4000


def test_holm_by_hand():
    # smallest first: 3 x .01, 2 x .02, 1 x .04, and never below the one before
    assert holm([0.02, 0.04, 0.01]) == pytest.approx([0.04, 0.04, 0.03])
    assert holm([]) == [] and holm([0.9, 0.8]) == [1.0, 1.0]


@pytest.mark.parametrize(
    ("value", "n", "finding"),
    [
        (0.0001, 20, "equivalent"),
        (-0.0011, 20, "different, within the margin"),
        (0.0019, 20, "cannot tell"),
        (0.0040, 20, "not equivalent"),
        (0.0001, 3, "cannot tell: too few seeds for the margin"),
        (0.0200, 3, "not equivalent"),
        (math.nan, 20, "cannot tell"),
    ],
)
def test_every_finding(value, n, finding):
    error, freedom = welch(0.0015, n, 0.0015, n)
    difference = Difference(value, error, freedom)
    power = power_within(0.002, error, freedom)
    assert classify_difference(difference, 0.002, power, difference.p_different(), 4) == finding


def test_seeds_without_any_spread_are_judged_by_their_difference():
    same = Difference.of(Sample(3, 0.5, 0.0), Sample(3, 0.5, 0.0))
    assert classify_difference(same, 0.01, power_within(0.01, 0.0, 4), same.p_different(), 4) == "equivalent"
    apart = Difference.of(Sample(3, 0.5, 0.0), Sample(3, 0.6, 0.0))
    assert classify_difference(apart, 0.01, power_within(0.01, 0.0, 4), apart.p_different(), 4) == "not equivalent"
