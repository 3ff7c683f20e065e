"""The charts of a report: the four training curves, and how far the two runs are apart."""

import numpy as np
import pytest
from sample_reports import build_pair_report, build_report, pair_sides

from mlp_spec import published
from parity.protocol.records import Floor, Run, Steps
from parity.report.page import curves


def lockstep(losses):
    return Steps(losses=np.array(losses, np.float32), curves={}, final={}, epoch_seconds=[])


def floor(*runs):
    return Floor(variants=[Run(np.array(run, np.float32), {}) for run in runs], horizon_reached=False)


def line(chart, style):
    return next(line for line in chart.lines if line.style == style).values


def test_the_divergence_shows_the_largest_gap_so_far_and_the_horizon():
    reference = np.ones(1000, np.float32)
    candidate, nudged = reference.copy(), reference.copy()
    candidate[10], nudged[500:] = 1.001, 1.01
    keras = {"lockstep": lockstep(reference), "floor": floor(nudged)}
    chart = curves.build_divergence_chart(keras, {"lockstep": lockstep(candidate)})
    gap = line(chart, "lightning")
    assert gap[chart.xs < 11].max() == 0 and gap[chart.xs >= 11] == pytest.approx(0.001, rel=1e-3)
    assert chart.marks == [(501, "chaos horizon")]
    assert np.isfinite(line(chart, "floor")).all()
    assert "horizon is at step 500" in chart.description


def test_runs_that_stay_together_have_no_horizon():
    sides = {"lockstep": lockstep(np.ones(100)), "floor": floor(np.ones(100))}
    chart = curves.build_divergence_chart(sides, sides)
    assert chart.marks == [] and "There is no chaos horizon" in chart.description


def test_the_floor_ends_where_the_runs_that_measure_it_end():
    keras = {"lockstep": lockstep(np.ones(1000)), "floor": floor(np.ones(400), np.ones(300))}
    chart = curves.build_divergence_chart(keras, {"lockstep": lockstep(np.ones(1000))})
    values = line(chart, "floor")
    assert np.isfinite(values[chart.xs <= 400]).all() and np.isnan(values[chart.xs > 400]).all()


def test_a_gap_without_a_number_is_left_out():
    losses = np.ones(10)
    losses[5:] = np.nan
    sides = {"lockstep": lockstep(np.ones(10)), "floor": floor(np.ones(10))}
    gap = line(curves.build_divergence_chart(sides, {"lockstep": lockstep(losses)}), "lightning")
    assert np.isfinite(gap[:5]).all() and np.isnan(gap[5:]).all()


def test_runs_of_another_length_are_not_overlaid():
    sides = {"lockstep": lockstep(np.ones(100)), "floor": floor(np.ones(100))}
    assert curves.build_divergence_chart(sides, {"lockstep": lockstep(np.ones(99))}) is None
    assert curves.build_divergence_chart(sides, {}) is None and curves.build_divergence_chart({}, sides) is None


def test_the_four_curves_of_both_sides_and_what_the_lab_printed():
    charts = curves.build_training_charts(build_report())
    assert [chart.id for chart in charts] == ["chart-loss", "chart-val_loss", "chart-acc", "chart-val_acc"]
    for chart in charts:
        assert [line.style for line in chart.lines] == ["keras", "lightning", "lab"]
        assert len(chart.xs) == len(published.history("small")["loss"]) and chart.headings[0] == "Epoch 1"
        assert "Keras from 0.5000 to 0.2500; Lightning from" in chart.description


def test_another_data_set_is_not_the_labs():
    report = build_report()
    report["experiment"]["data"]["dataset"] = "mnist-sample"
    assert {line.style for chart in curves.build_training_charts(report) for line in chart.lines} == {
        "keras",
        "lightning",
    }


def test_of_a_pair_file_every_metric_of_keras_has_a_chart():
    charts = curves.build_training_charts(build_pair_report())
    assert [(chart.id, chart.title) for chart in charts] == [
        ("chart-loss", "Training loss (not logged)"), ("chart-1", "accuracy"), ("chart-2", "val_accuracy"),
    ]  # fmt: skip
    assert [[line.label for line in chart.lines] for chart in charts] == [["Keras"], *[["Keras", "Lightning"]] * 2]
    assert np.isnan(charts[2].lines[1].values[2])  # it ended early
    report = build_pair_report()
    report["sides"]["lightning"] = None
    assert curves.build_training_charts(report)[0].title == "Training loss"


def test_both_runs_losses_are_drawn_step_by_step():
    keras, lightning = (side.parts for side in pair_sides(["dense"]))
    chart = curves.build_step_chart(keras, lightning)
    assert chart.title == "Loss of every batch" and len(chart.xs) == 120
    assert "by step: Keras from 2.0000 to 1.0000; Lightning from 2.0000 to 1.0000" in chart.description
    many = {"lockstep": lockstep(np.linspace(2, 1, 1000))}
    assert curves.build_step_chart(many, many).title == "Loss of the batch, at 240 of 1,000 steps"
    assert curves.build_step_chart({}, lightning) is None and curves.build_step_chart(keras, {}) is None
    nothing = {"lockstep": lockstep(np.full(5, np.nan))}
    assert curves.build_step_chart(nothing, nothing) is None


def test_without_a_trained_side_there_are_no_curves():
    report = build_report() | {"sides": {"keras": None, "lightning": None}}
    assert curves.build_training_charts(report) == []
    # the port of a pair file alone has trained, and logs nothing that is Keras's
    report = build_pair_report() | {"sides": {"keras": None, "lightning": {"history": {"mine": [1.0]}}}}
    assert curves.build_training_charts(report) == []


def test_a_side_that_ended_early_has_a_shorter_curve():
    padded = curves.pad_with_nan(np.array([1.0]), 3)
    assert padded[0] == 1 and np.isnan(padded[1:]).all()
