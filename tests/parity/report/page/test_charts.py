"""Line charts as numbers: paths, axes and tooltips."""

from dataclasses import replace

import numpy as np
import pytest

from parity.report.page import charts


def build_chart(values) -> charts.Chart:
    """Builds a chart of one line by epoch."""
    values = np.array(values, float)
    xs = np.arange(1, len(values) + 1)
    x, y = charts.linear_axis("Epoch", xs.astype(float), whole=True), charts.linear_axis("loss", values)
    return charts.Chart("c", "t", "d", x, y, xs, [charts.Line("Keras", "keras", values)], [f"Epoch {x}" for x in xs])


def test_a_curve_goes_through_its_values():
    chart = build_chart([1.0, 0.5, 0.0])
    left, top, right, bottom = chart.plot_area
    points = [tuple(map(float, step.split())) for step in chart.svg_path(chart.lines[0])[1:].split("L")]
    assert [x for x, _ in points] == pytest.approx([left, (left + right) / 2, right], abs=0.3)
    assert points[0][1] == top and points[2][1] == bottom


def test_a_curve_is_interrupted_where_there_is_no_number():
    chart = build_chart([1.0, np.nan, 0.5, 0.25])
    assert chart.svg_path(chart.lines[0]).count("M") == 2
    assert chart.tooltip()["rows"][0]["values"] == ["1.0000", "no number", "0.5000", "0.2500"]


def test_a_number_alone_can_be_seen():
    assert build_chart([0.5]).svg_path(build_chart([0.5]).lines[0]).endswith("h8")
    chart = build_chart([1.0, np.nan, 0.5, np.nan, 0.25, 0.125])
    assert chart.svg_path(chart.lines[0]).count("h8") == 2


def test_points_are_drawn_where_they_are_asked_for():
    chart = build_chart([1.0, np.nan, 0.5])
    assert chart.points() == []
    chart = replace(chart, dots=["within", "within", "beyond"])
    places = [(chart.pixel_x(x), chart.pixel_y(y)) for x, y in ((1, 1.0), (3, 0.5))]
    assert chart.points() == [(*places[0], "within"), (*places[1], "beyond")]


def test_a_tooltip_has_a_heading_and_a_pixel_for_each_value():
    chart = build_chart([1.0, 0.5])
    tooltip = chart.tooltip()
    assert tooltip["heads"] == ["Epoch 1", "Epoch 2"] and tooltip["x"] == [chart.pixel_x(1), chart.pixel_x(2)]
    assert tooltip["x"][0] < tooltip["x"][1]


def test_thin_lines_are_drawn_above_broad_ones():
    values = np.ones(2)
    lines = [charts.Line(style, style, values) for style in ("keras", "lightning", "limit", "floor", "lab")]
    axis = charts.linear_axis("x", values)
    chart = charts.Chart("c", "t", "d", axis, axis, values, lines, ["", ""])
    assert [line.style for line in chart.lines_by_width()] == ["limit", "floor", "keras", "lab", "lightning"]
    assert chart.lines == lines


def test_a_logarithmic_axis_has_a_power_of_ten_each_step_and_a_bottom_for_nothing():
    axis = charts.logarithmic_axis("gap", 3e-9, 2e-3)
    assert (axis.low, axis.high) == (1e-9, 1e-2)
    assert axis.share(1e-9) == 0 and axis.share(0) == 0 and axis.share(10**-5.5) == pytest.approx(0.5)
    assert axis.ticks[0] == (1e-9, "10⁻⁹")


def test_epochs_are_whole_numbers():
    axis = charts.linear_axis("Epoch", np.arange(1.0, 11), whole=True)
    assert {label for _, label in axis.ticks} <= {str(epoch) for epoch in range(1, 11)}
    assert charts.linear_axis("Epoch", np.array([1.0]), whole=True).share(1.0) < 0.01


def test_other_axes_may_have_ticks_between_whole_numbers():
    assert any("." in label for _, label in charts.linear_axis("loss", np.array([0.1, 0.9])).ticks)


def test_steps_are_counted_from_one_in_powers_of_ten():
    axis = charts.counting_axis("Step", 2500)
    assert axis.ticks == [(1, "1"), (10, "10"), (100, "100"), (1000, "1,000")]
    assert axis.share(1) == 0 and axis.share(2500) == 1


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0.0000"), (0.12345, "0.1235"), (1e-7, "1.00e-07"), (12345.0, "1.23e+04"), (np.inf, "no number")],
)
def test_numbers_are_short_and_none_is_lost(value, text):
    assert charts.format_number(value) == text
