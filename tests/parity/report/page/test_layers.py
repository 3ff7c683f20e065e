"""The forward passes of a pair file as charts: the first layer that departs is marked."""

import numpy as np
from sample_reports import DEEP, build_pair_report, layer_gaps

from parity.report.page import layers


def values_of(chart, style):
    return next(line.values for line in chart.lines if line.style == style)


def test_every_mode_that_was_compared_has_its_rows_and_its_chart():
    modes = layers.describe_modes(build_pair_report()["checks"])
    assert [(mode.name, mode.status, mode.first, len(mode.rows)) for mode in modes] == [
        ("evaluation mode", "fail", "norm", 4),
        ("training mode", "fail", "norm", 4),
    ]
    assert [mode.chart.id for mode in modes] == ["chart-layers-0", "chart-layers-1"]
    assert layers.describe_modes([]) == []


def test_the_first_layer_that_departs_is_marked():
    chart = layers.build_chart(0, "training mode", "norm", layer_gaps(1, ["conv", "norm", "dense"]))
    assert chart.marks == [(2, "first: norm")] and chart.title == "Training mode"
    assert chart.dots == ["within", "beyond", "beyond", "beyond"]
    assert list(values_of(chart, "lightning")) == [2e-7, 0.01, 0.01, 0.01]
    assert set(values_of(chart, "limit")) == {1e-6} and set(values_of(chart, "floor")) == {1e-7}
    assert chart.headings[1] == "2. norm" and "the first to depart is norm, number 2" in chart.description


def test_a_second_call_of_a_shared_layer_is_not_taken_for_the_first():
    chart = layers.build_chart(0, "training mode", "conv", layer_gaps(2, ["conv", "norm", "conv"]))
    assert chart.marks == [(3, "first: conv")]


def test_layers_that_agree_have_no_mark():
    chart = layers.build_chart(0, "training mode", None, layer_gaps(9, ["conv", "norm"]))
    assert chart.marks == [] and set(chart.dots) == {"within"} and "none departs that matters" in chart.description


def test_what_has_no_number_is_left_out():
    rows = layer_gaps(9, ["conv", "norm"])
    rows[1] |= {"measured": None, "limit": None, "noise_floor": None}
    chart = layers.build_chart(0, "training mode", None, rows)
    assert list(np.isnan(values_of(chart, "lightning"))) == [False, True, False] and len(chart.points()) == 2
    nothing = [row | {"measured": None, "limit": None, "noise_floor": None} for row in rows]
    assert layers.build_chart(0, "training mode", None, nothing) is None


def test_of_a_long_path_the_end_is_kept():
    assert layers.shorten("conv") == "conv"
    short = layers.shorten(DEEP.format(7))
    assert len(short) == layers.LONGEST_MARK and short.startswith("…") and short.endswith("batch_normalization_7")
