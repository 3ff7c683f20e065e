"""The judgement of a study on made seeds: pairs that agree, and planted differences."""

import math
from dataclasses import replace

import numpy as np
import pytest

from mlp_spec import published
from mlp_spec.experiment import PRESETS, DataSpec
from parity.protocol.seeds import SeedResult
from parity.seeds import bands, judge

SMALL = PRESETS["small"]
SAMPLE = replace(SMALL, data=DataSpec("mnist-sample"))
LAB = published.history("small")


def made(count: int, stream: int, shift: float = 0.0, spread: float = 1.0) -> list[SeedResult]:
    """Makes seeds around the lab's curves: one deviation a seed and one a point."""
    random = np.random.default_rng([stream, 6])
    seeds = []
    for seed in range(count):
        own = random.normal(0, 0.0010 * spread)
        curves = {}
        for name, curve in LAB.items():
            sign = 1 if name.endswith("acc") else -2
            moved = [value + sign * (shift + own + random.normal(0, 0.0011 * spread)) for value in curve]
            curves[name] = [float(value) for value in moved]
        seeds.append(SeedResult(seed, curves, [0.1] * 10, 1.0, {}))
    return seeds


def checks(reference, candidate, experiment=SMALL, margins=None, fixed=False):
    return {check.name: check for check in judge.judge(experiment, reference, candidate, margins or {}, fixed)}


def test_two_samples_of_one_law_are_equivalent_in_all_three_measures():
    found = checks(made(20, 1), made(20, 2))
    assert [check.status for check in found.values()] == ["pass"] * 5 + ["info"] * 3
    acc = found["final val_acc"]
    assert acc.limit == 0.002 and acc.more["finding"] == "equivalent" and acc.more["power"] > 0.9
    assert acc.more["interval"][0] < acc.more["difference"] < acc.more["interval"][1]
    assert "points" in acc.detail and "fixed in advance" in acc.detail
    assert found["equal spreads"].measured > 0.05 and found["curves, epoch by epoch"].measured == 0


def test_the_order_of_the_seeds_changes_nothing():
    ours, theirs = made(20, 1), made(20, 2)
    found, again = checks(ours, theirs), checks(ours[::-1], theirs[7:] + theirs[:7])
    for name, check in found.items():
        assert check.status == again[name].status
        assert check.more.get("difference") == pytest.approx(again[name].more.get("difference"), abs=1e-12)


def test_a_difference_beyond_the_margin_fails():
    found = checks(made(20, 1), made(20, 2, shift=-0.0045))
    assert found["final val_acc"].status == "fail" and found["final val_acc"].more["finding"] == "not equivalent"
    assert found["curves, epoch by epoch"].measured > 0


def test_a_real_difference_inside_the_margin_passes_and_is_named():
    found = checks(made(40, 1), made(40, 2, shift=0.0011))
    assert found["final val_acc"].status == "pass"
    assert found["final val_acc"].detail.startswith("different, within the margin: Lightning less Keras +0.1")


def test_too_few_seeds_never_pass_and_say_how_many_are_needed():
    found = checks(made(20, 1), made(3, 2), fixed=True)
    assert found["final val_acc"].status == "error"
    assert found["final val_acc"].detail.startswith("cannot tell: too few seeds for the margin")
    assert 3 < found["final val_acc"].more["seeds_needed"] < 20


def test_without_a_preset_the_margin_is_the_references_spread_and_says_so():
    found = checks(made(20, 1), made(20, 2), SAMPLE)
    acc = found["final val_acc"]
    assert acc.limit == pytest.approx(1.5 * acc.more["samples"]["keras"]["sd"]) and "1.5 standard" in acc.detail
    given = checks(made(20, 1), made(20, 2), SAMPLE, {"val_acc": 0.01})["final val_acc"]
    assert given.limit == 0.01 and "given by a flag" in given.detail


def test_seeds_that_left_the_numbers_are_no_pass():
    lost = made(20, 2)
    lost[4].history["val_loss"][6:] = [math.nan] * 4
    found = checks(made(20, 1), lost)
    assert found["final val_loss"].status == "error" and "1 seeds have no" in found["final val_loss"].detail
    failed = found["seeds that failed to converge"]
    assert failed.status == "error" and failed.more["failed"]["lightning"] == [4]
    assert found["final val_acc"].status == "pass"


def test_many_seeds_that_did_not_learn_fail():
    lost = made(20, 2)
    for seed in lost[:8]:
        seed.history["val_acc"][:] = [0.1135] * 10
    assert checks(made(20, 1), lost)["seeds that failed to converge"].status == "fail"
    # ...and where all of the reference's did, too, it can be told no better
    assert checks(lost, lost)["seeds that failed to converge"].status == "error"


def test_a_candidate_that_ignores_its_seed_is_not_twenty_candidates():
    same = [replace(made(1, 2)[0], seed=seed) for seed in range(20)]
    found = checks(made(20, 1), same)["seeds are independent"]
    assert found.status == "error" and "seeds Lightning 0 and 1, Lightning 0 and 2" in found.detail
    assert "seeds Keras 0 and 1" in checks(same, made(20, 1))["seeds are independent"].detail


def test_other_spreads_are_reported():
    found = checks(made(20, 1), made(20, 2, spread=0.2))["equal spreads"]
    assert found.status == "info" and found.measured < 0.01 and "they differ" in found.detail


@pytest.mark.parametrize("tails", ["normal", "long"])
def test_the_band_holds_a_further_run_as_often_as_it_says(tails):
    whole, random = bands.stacked(made(4100, 3)), np.random.default_rng(9)
    if tails == "long":  # now and then a late epoch jumps, as Adam's do
        jumps = random.random(whole["val_acc"].shape) < 0.01
        whole["val_acc"] = whole["val_acc"] - jumps * random.exponential(0.01, jumps.shape)
    inside, normal = [], []
    for start in range(0, 4100, 41):
        seeds = {name: curves[start : start + 40] for name, curves in whole.items()}
        run = {name: curves[start + 40].tolist() for name, curves in whole.items()}
        inside.append(not bands.outside(seeds, run, bands.width(seeds, bands.excursions(seeds))))
        normal.append(not bands.outside(seeds, run, bands.normal_width(seeds)))
    # of 100 runs, a band of 95 % holds at least 89 in 99 of 100 cases
    assert sum(inside) >= 89 and sum(inside) >= sum(normal)
    if tails == "long":
        assert sum(normal) < 95  # the normal law's band would claim too much


def test_a_band_by_hand():
    # mean 2, standard deviation 1, three seeds: one more draw has sqrt(1 + 1/3) = 1.1547
    curves = np.array([[1.0], [2.0], [3.0]])
    assert bands.standardised(curves, [4.3094])[0] == pytest.approx(2.0, abs=1e-4)
    low, high = bands.limits(curves, 2.0)
    assert (low[0], high[0]) == (pytest.approx(-0.3094, abs=1e-4), pytest.approx(4.3094, abs=1e-4))
    assert bands.standardised(np.ones((3, 1)), [1.0])[0] == 0 and np.isinf(
        bands.standardised(np.ones((3, 1)), [2.0])[0]
    )


def test_the_point_of_the_lab_that_lies_outside_is_named_and_does_not_decide():
    seeds = made(40, 1)
    assert checks(seeds[:20], seeds[20:])["the lab's printed history"].measured == 0
    for seed in seeds:
        seed.history["val_acc"][6] += 0.02
    found = checks(seeds[:20], seeds[20:])["the lab's printed history"]
    assert (found.status, found.measured, found.rung) == ("info", 1, "published")
    assert "val_acc in epoch 7 is 0.9053" in found.detail and "one run cannot say which" in found.detail
    assert (
        "printed nothing for small on mnist-sample" in checks(seeds, seeds, SAMPLE)["the lab's printed history"].detail
    )


def test_epochs_are_compared_with_a_correction():
    ours, theirs = made(20, 1), made(20, 2)
    for seed in theirs:
        seed.history["val_loss"][2] += 0.01
    (point,) = checks(ours, theirs)["curves, epoch by epoch"].more["differ"]
    assert (point["curve"], point["epoch"]) == ("val_loss", 3) and point["p"] < 1e-3
