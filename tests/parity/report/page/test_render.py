"""The page's parts as pure functions: bars, rungs, the experiment in words, speed."""

import pytest
from sample_reports import CHECKS, ERROR, EVIL, FAILED, build_pair_report, build_report, pair_sides

from parity.process import Side
from parity.report.page import render


def check(measured, limit, floor=None):
    return {"measured": measured, "limit": limit, "noise_floor": floor}


def test_a_bar_has_its_limit_in_the_middle_and_a_power_of_ten_each_eighth():
    assert render.place_on_bar(check(1e-6, 1e-5, 1e-6)) == {
        "measured": 37.5, "limit": 50.0, "floor": 37.5, "zero": False,
    }  # fmt: skip
    assert render.place_on_bar(check(0.0, 1e-5)) == {"measured": 0.0, "limit": 50.0, "floor": None, "zero": True}
    assert render.place_on_bar(check(1e3, 1e-5))["measured"] == 100


@pytest.mark.parametrize(
    ("measured", "limit"), [(0, 0), ("not a number", 1e-5), (None, None), (float("inf"), 1.0), (True, 1.0), (-1.0, 1.0)]
)
def test_what_has_no_place_on_a_bar_has_none(measured, limit):
    assert render.place_on_bar(check(measured, limit)) is None


@pytest.mark.parametrize(
    ("statuses", "worst"),
    [(("pass", "info"), "pass"), (("pass", "error"), "error"), (("error", "fail"), "fail"), (("info",), "info")],
)
def test_a_rung_is_as_bad_as_its_worst_check(statuses, worst):
    numbers = dict.fromkeys(("measured", "limit", "noise_floor"))
    (rung,) = render.group_by_rung([{"rung": "loss", "status": status, **numbers} for status in statuses])
    assert rung["status"] == worst


def test_checks_are_grouped_by_rung_in_the_order_of_the_ladder():
    rungs = render.group_by_rung(build_report([*reversed(CHECKS), FAILED])["checks"])
    assert [(rung["name"], rung["status"], len(rung["checks"])) for rung in rungs] == [
        ("experiment", "pass", 1), ("lockstep", "fail", 2), ("speed", "info", 1),
    ]  # fmt: skip
    assert all(rung["question"] for rung in rungs) and render.group_by_rung([]) == []


def test_the_experiment_is_described_in_words():
    words = dict(render.describe_experiment(build_report()["experiment"]))
    assert words["Model"] == "784 - 25 - 10, sigmoid, softmax" and words["Seed"] == "0"
    assert words["Optimizer"] == "sgd (learning rate 0.01, momentum 0, nesterov no)"


def test_speed_is_the_median_without_the_first_epoch():
    sides = {"keras": {"epoch_seconds": [9.0, 2.0, 4.0, 3.0]}, "lightning": {"epoch_seconds": [1.5]}}
    keras, lightning = render.compare_speed(sides)
    assert (keras["median"], keras["share"], lightning["median"], lightning["share"]) == (3.0, 1.0, 1.5, 0.5)


def test_a_side_without_epochs_has_no_speed():
    assert render.compare_speed({"keras": None, "lightning": {"epoch_seconds": []}}) == []
    assert render.compare_speed({"keras": {"epoch_seconds": [0.0]}})[0]["share"] == 0


def test_a_side_whose_curves_have_a_gap_is_not_asked_whether_it_overfits():
    sides = build_report()["sides"]
    assert [answer["title"] for answer in render.judge_fitting(sides)] == ["Keras", "Lightning"]
    sides["lightning"]["history"]["val_loss"][0] = float("nan")
    assert [answer["title"] for answer in render.judge_fitting(sides)] == ["Keras"]


def test_the_page_shows_every_check_and_says_what_is_missing():
    page = render.render(build_report([*CHECKS, FAILED, ERROR]), {}, {})
    for name in ("same experiment", "curve loss", "curve acc", "training"):
        assert f'<span class="name">{name}</span>' in page
    assert page.count('class="missing"') >= 4 and "NO PARITY" in page


def test_a_pair_file_is_described_in_words():
    words = dict(render.describe_settings(build_pair_report()))
    assert words == {
        "Pair file": "mine",
        "SHA-256 of the file": "0123456789abcdef…",
        "Training": "3 epochs (10 asked for) in batches of 32, float32",
        "Seed": "0",
        "Data set": "1,500 rows to train on, 297 rows to validate on; input 8 x 8 x 1 (float32), "
        "target one number (int64)",
    }


def test_the_page_of_a_pair_file_has_its_own_sections_and_none_of_the_labs():
    sides = [side.parts for side in pair_sides(["conv", "norm", "dense"])]
    page = render.render(build_pair_report(), *sides)
    assert [line.split('"')[1] for line in page.splitlines() if line.startswith("<section")] == [
        "found", "layers", "ladder", "curves", "environment",
    ]  # fmt: skip
    for chart in ("chart-layers-0", "chart-layers-1", "chart-1", "chart-steps", "chart-divergence"):
        assert '<figure class="chart' in page and f'id="{chart}"' in page
    assert page.count('<circle class="point beyond"') == 2 * 3 and 'class="missing"' not in page
    assert "the module&#39;s output is logits" in page and "alone: the port pads before it" in page
    assert "confusion" not in page.partition("</style>")[2].partition("<script>")[0]


def test_the_page_of_a_pair_file_says_what_is_missing():
    page = render.render(build_pair_report(checks=[ERROR], sides=(Side(), Side())), {}, {})
    assert page.count('class="missing"') == 3 and "COULD NOT RUN" in page
    assert "<details open>" not in page


def test_where_one_side_alone_has_trained_the_page_says_so():
    keras, lightning = pair_sides(["dense"])
    assert "has trained.</p>" not in render.render(build_pair_report(), {}, {})
    lightning.parts.clear()
    page = render.render(build_pair_report(checks=[ERROR], sides=(keras, lightning)), {}, {})
    assert "Only Keras has trained." in page and "Both trained" not in page


def test_only_the_first_mode_that_fails_is_open():
    assert render.render(build_pair_report(), {}, {}).count("<details open>") == 1
    assert "<details open>" not in render.render(build_pair_report(departs_from=9), {}, {})


def test_names_of_a_pair_file_are_escaped():
    report = build_pair_report([EVIL, "norm"], departs_from=0)
    report["experiment"]["name"] = report["experiment"]["pair_file"]["name"] = EVIL
    report["findings"]["notes"]["keras"] = [EVIL]
    for name in ("loss", EVIL):
        report["findings"]["metrics"][name] = EVIL
        report["sides"]["keras"]["history"][name] = report["sides"]["lightning"]["history"][EVIL] = [1.0, 2.0, 3.0]
    page = render.render(report, {}, {})
    assert "<script>window" not in page and "onerror='" not in page and "&lt;script&gt;window" in page


def test_names_are_escaped():
    report = build_report()
    report["experiment"]["name"] = "<script>x</script>"
    page = render.render(report, {}, {})
    assert "<script>x" not in page and "&lt;script&gt;x" in page
