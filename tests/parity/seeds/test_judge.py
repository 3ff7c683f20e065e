"""The judgement of a study on drawn seeds: pairs that agree, and planted differences."""

import math
from dataclasses import replace

import pytest
from sample_seeds import draw_seeds

from mlp_spec.experiment import PRESETS, DataSpec
from parity.seeds import judge

SMALL = PRESETS["small"]
SAMPLE = replace(SMALL, data=DataSpec("mnist-sample"))


def judge_by_name(reference, candidate, experiment=SMALL, margins=None, fixed=False):
    return {check.name: check for check in judge.judge_study(experiment, reference, candidate, margins or {}, fixed)}


def test_two_samples_of_one_law_are_equivalent_in_all_three_measures():
    checks = judge_by_name(draw_seeds(20, 1), draw_seeds(20, 2))
    assert [check.status for check in checks.values()] == ["pass"] * 5 + ["info"] * 3
    acc = checks["final val_acc"]
    assert acc.limit == 0.002 and acc.more["finding"] == "equivalent" and acc.more["power"] > 0.9
    assert acc.more["interval"][0] < acc.more["difference"] < acc.more["interval"][1]
    assert "points" in acc.detail and "fixed in advance" in acc.detail
    assert checks["equal spreads"].measured > 0.05 and checks["curves, epoch by epoch"].measured == 0


def test_the_order_of_the_seeds_changes_nothing():
    keras, lightning = draw_seeds(20, 1), draw_seeds(20, 2)
    checks, reordered = judge_by_name(keras, lightning), judge_by_name(keras[::-1], lightning[7:] + lightning[:7])
    for name, check in checks.items():
        assert check.status == reordered[name].status
        assert check.more.get("difference") == pytest.approx(reordered[name].more.get("difference"), abs=1e-12)


def test_a_difference_beyond_the_margin_fails():
    checks = judge_by_name(draw_seeds(20, 1), draw_seeds(20, 2, shift=-0.0045))
    assert checks["final val_acc"].status == "fail" and checks["final val_acc"].more["finding"] == "not equivalent"
    assert checks["curves, epoch by epoch"].measured > 0


def test_a_real_difference_inside_the_margin_passes_and_is_named():
    checks = judge_by_name(draw_seeds(40, 1), draw_seeds(40, 2, shift=0.0011))
    assert checks["final val_acc"].status == "pass"
    assert checks["final val_acc"].detail.startswith("different, within the margin: Lightning less Keras +0.1")


def test_too_few_seeds_never_pass_and_say_how_many_are_needed():
    checks = judge_by_name(draw_seeds(20, 1), draw_seeds(3, 2), fixed=True)
    assert checks["final val_acc"].status == "error"
    assert checks["final val_acc"].detail.startswith("cannot tell: too few seeds for the margin")
    assert 3 < checks["final val_acc"].more["seeds_needed"] < 20


def test_without_a_preset_the_margin_is_the_references_spread_and_says_so():
    checks = judge_by_name(draw_seeds(20, 1), draw_seeds(20, 2), SAMPLE)
    acc = checks["final val_acc"]
    assert acc.limit == pytest.approx(1.5 * acc.more["samples"]["keras"]["sd"]) and "1.5 standard" in acc.detail
    override = judge_by_name(draw_seeds(20, 1), draw_seeds(20, 2), SAMPLE, {"val_acc": 0.01})["final val_acc"]
    assert override.limit == 0.01 and "given by a flag" in override.detail


def test_seeds_that_left_the_numbers_are_no_pass():
    lost = draw_seeds(20, 2)
    lost[4].history["val_loss"][6:] = [math.nan] * 4
    checks = judge_by_name(draw_seeds(20, 1), lost)
    assert checks["final val_loss"].status == "error" and "1 seeds have no" in checks["final val_loss"].detail
    failed = checks["seeds that failed to converge"]
    assert failed.status == "error" and failed.more["failed"]["lightning"] == [4]
    assert checks["final val_acc"].status == "pass"


def test_many_seeds_that_did_not_learn_fail():
    lost = draw_seeds(20, 2)
    for seed in lost[:8]:
        seed.history["val_acc"][:] = [0.1135] * 10
    assert judge_by_name(draw_seeds(20, 1), lost)["seeds that failed to converge"].status == "fail"
    # ...and where all of the reference's did, too, it can be told no better
    assert judge_by_name(lost, lost)["seeds that failed to converge"].status == "error"


def test_a_candidate_that_ignores_its_seed_is_not_twenty_candidates():
    same = [replace(draw_seeds(1, 2)[0], seed=seed) for seed in range(20)]
    checks = judge_by_name(draw_seeds(20, 1), same)["seeds are independent"]
    assert checks.status == "error" and "seeds Lightning 0 and 1, Lightning 0 and 2" in checks.detail
    assert "seeds Keras 0 and 1" in judge_by_name(same, draw_seeds(20, 1))["seeds are independent"].detail


def test_other_spreads_are_reported():
    checks = judge_by_name(draw_seeds(20, 1), draw_seeds(20, 2, spread=0.2))["equal spreads"]
    assert checks.status == "info" and checks.measured < 0.01 and "they differ" in checks.detail


def test_the_point_of_the_lab_that_lies_outside_is_named_and_does_not_decide():
    seeds = draw_seeds(40, 1)
    assert judge_by_name(seeds[:20], seeds[20:])["the lab's printed history"].measured == 0
    for seed in seeds:
        seed.history["val_acc"][6] += 0.02
    checks = judge_by_name(seeds[:20], seeds[20:])["the lab's printed history"]
    assert (checks.status, checks.measured, checks.rung) == ("info", 1, "published")
    assert "val_acc in epoch 7 is 0.9053" in checks.detail and "one run cannot say which" in checks.detail
    assert (
        "printed nothing for small on mnist-sample"
        in judge_by_name(seeds, seeds, SAMPLE)["the lab's printed history"].detail
    )


def test_epochs_are_compared_with_a_correction():
    keras, lightning = draw_seeds(20, 1), draw_seeds(20, 2)
    for seed in lightning:
        seed.history["val_loss"][2] += 0.01
    (point,) = judge_by_name(keras, lightning)["curves, epoch by epoch"].more["differ"]
    assert (point["curve"], point["epoch"]) == ("val_loss", 3) and point["p"] < 1e-3


@pytest.mark.parametrize(
    ("value", "unit", "signed", "text"),
    [
        (0.00123, "points", False, "0.123 points"),
        (-0.5, "nats", True, "-0.50000 nats"),
        (0.1, "nats", True, "+0.10000 nats"),
    ],
)
def test_amounts_are_percentage_points_or_nats(value, unit, signed, text):
    assert judge.format_amount(value, unit, signed) == text
