"""Bands of many seeds: worked out by hand, and held against further runs."""

import math

import numpy as np
import pytest
from sample_seeds import draw_seeds

from parity.seeds import bands


@pytest.mark.parametrize("tails", ["normal", "long"])
def test_the_band_holds_a_further_run_as_often_as_it_says(tails):
    curves, random = bands.stack_curves(draw_seeds(4100, 3)), np.random.default_rng(9)
    if tails == "long":  # now and then a late epoch jumps, as Adam's do
        jumps = random.random(curves["val_acc"].shape) < 0.01
        curves["val_acc"] = curves["val_acc"] - jumps * random.exponential(0.01, jumps.shape)
    inside, inside_normal = [], []
    for start in range(0, 4100, 41):
        seeds = {name: values[start : start + 40] for name, values in curves.items()}
        run = {name: values[start + 40].tolist() for name, values in curves.items()}
        width = bands.half_width(seeds, bands.leave_one_out_distances(seeds))
        inside.append(not bands.find_points_outside(seeds, run, width))
        inside_normal.append(not bands.find_points_outside(seeds, run, bands.normal_half_width(seeds)))
    # of 100 runs, a band of 95 % holds at least 89 in 99 of 100 cases
    assert sum(inside) >= 89 and sum(inside) >= sum(inside_normal)
    if tails == "long":
        assert sum(inside_normal) < 95  # the normal law's band would claim too much


def test_a_band_by_hand():
    # mean 2, standard deviation 1, three seeds: one more draw has sqrt(1 + 1/3) = 1.1547
    curves = np.array([[1.0], [2.0], [3.0]])
    assert bands.standardize(curves, [4.3094])[0] == pytest.approx(2.0, abs=1e-4)
    low, high = bands.band_limits(curves, 2.0)
    assert (low[0], high[0]) == (pytest.approx(-0.3094, abs=1e-4), pytest.approx(4.3094, abs=1e-4))


def test_without_a_spread_any_difference_is_infinitely_far():
    assert bands.standardize(np.ones((3, 1)), [1.0])[0] == 0
    assert np.isinf(bands.standardize(np.ones((3, 1)), [2.0])[0])


def test_seeds_that_left_the_numbers_are_not_stacked():
    seeds = draw_seeds(4, 1)
    assert len(bands.stack_curves(seeds)["loss"]) == 4
    seeds[2].history["val_loss"][5] = math.nan
    curves = bands.stack_curves(seeds)
    assert {len(values) for values in curves.values()} == {3}
    assert curves["acc"][2].tolist() == seeds[3].history["acc"]
    assert {len(values) for values in bands.stack_curves([]).values()} == {0}


def test_points_outside_are_named_the_farthest_first():
    seeds = bands.stack_curves(draw_seeds(20, 1))
    run = {name: values.mean(axis=0).tolist() for name, values in seeds.items()}
    assert bands.find_points_outside(seeds, run, 3.0) == []
    run["acc"][2] += 0.02
    run["loss"][4] += 1.0
    points = bands.find_points_outside(seeds, run, 3.0)
    assert [(point["curve"], point["epoch"]) for point in points] == [("loss", 5), ("acc", 3)]
    assert points[1]["low"] < points[1]["high"] < points[1]["value"]


def test_a_run_without_a_number_is_outside():
    seeds = bands.stack_curves(draw_seeds(20, 1))
    run = {name: values.mean(axis=0).tolist() for name, values in seeds.items()}
    run["acc"][0] = math.nan
    assert [point["curve"] for point in bands.find_points_outside(seeds, run, 3.0)] == ["acc"]


def test_a_band_is_described_epoch_by_epoch():
    described = bands.describe_bands(bands.stack_curves(draw_seeds(20, 1)))
    assert {len(row) for curve in described.values() for row in curve.values()} == {10}
    for low, mean, high in zip(*(described["val_acc"][key] for key in ("low", "mean", "high")), strict=True):
        assert low < mean < high


def test_means_are_compared_at_every_point():
    reference, candidate = (bands.stack_curves(draw_seeds(20, stream)) for stream in (1, 2))
    points = bands.compare_means(reference, candidate)
    assert len(points) == 40 and all(0.05 < point["p"] <= 1 for point in points)
    candidate["val_loss"][:, 2] += 0.01
    (moved,) = [point for point in bands.compare_means(reference, candidate) if point["p"] <= 0.05]
    assert (moved["curve"], moved["epoch"]) == ("val_loss", 3)
