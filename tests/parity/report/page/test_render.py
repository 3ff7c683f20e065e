"""The HTML report's parts, as pure functions: charts, pictures, matrices, idioms, bars."""

import numpy as np
import pytest

from parity.protocol.recording import Recording
from parity.report.page import charts, curves, idioms, images, models, render
from parity.report.page import confusion as sees


def chart(values, log=False):
    values = np.array(values, float)
    y = charts.logarithmic("gap", 1e-8, 1e-2) if log else charts.linear("loss", values)
    xs = np.arange(1, len(values) + 1)
    return charts.Chart("c", "t", "d", charts.linear("Epoch", xs.astype(float), whole=True), y, xs,
                        [charts.Line("Keras", "keras", values)], [f"Epoch {x}" for x in xs])  # fmt: skip


def test_a_curve_goes_through_its_values():
    made = chart([1.0, 0.5, 0.0])
    left, top, right, bottom = made.box
    places = [tuple(map(float, step.split())) for step in made.path(made.lines[0])[1:].split("L")]
    assert [x for x, _ in places] == pytest.approx([left, (left + right) / 2, right], abs=0.3)
    assert places[0][1] == top and places[2][1] == bottom


def test_a_curve_is_interrupted_where_there_is_no_number():
    made = chart([1.0, np.nan, 0.5, 0.25])
    assert made.path(made.lines[0]).count("M") == 2
    assert made.hover()["rows"][0]["values"] == ["1.0000", "no number", "0.5000", "0.2500"]


def test_a_logarithmic_axis_has_a_power_of_ten_each_step_and_a_bottom_for_nothing():
    axis = charts.logarithmic("gap", 3e-9, 2e-3)
    assert (axis.low, axis.high) == (1e-9, 1e-2)
    assert axis.share(1e-9) == 0 and axis.share(0) == 0 and axis.share(10**-5.5) == pytest.approx(0.5)
    assert axis.ticks[0] == (1e-9, "10⁻⁹")


def test_epochs_are_whole_numbers():
    assert {label for _, label in charts.linear("Epoch", np.arange(1.0, 11), whole=True).ticks} <= set("123456789") | {
        "10"
    }
    assert charts.linear("Epoch", np.array([1.0]), whole=True).share(1.0) < 0.01


def lockstep(losses):
    return Recording({"losses": np.array(losses, np.float32)}, {})


def floor(*runs):
    return Recording({f"variant_{at}/losses": np.array(run, np.float32) for at, run in enumerate(runs)}, {})


def test_the_divergence_shows_the_largest_gap_so_far_and_the_horizon():
    ours = np.ones(1000, np.float32)
    theirs, other = ours.copy(), ours.copy()
    theirs[10], other[500:] = 1.001, 1.01
    made = curves.of_divergence({"lockstep": lockstep(ours), "floor": floor(other)}, {"lockstep": lockstep(theirs)})
    gap = next(line for line in made.lines if line.style == "lightning").values
    assert gap[made.xs < 11].max() == 0 and gap[made.xs >= 11] == pytest.approx(0.001, rel=1e-3)
    assert made.marks == [(501, "chaos horizon")]
    assert np.isfinite(next(line for line in made.lines if line.style == "floor").values).all()
    assert "horizon is at step 500" in made.description


def test_the_floor_ends_where_the_runs_that_measure_it_end():
    made = curves.of_divergence({"lockstep": lockstep(np.ones(1000)), "floor": floor(np.ones(400), np.ones(300))},
                                {"lockstep": lockstep(np.ones(1000))})  # fmt: skip
    values = next(line for line in made.lines if line.style == "floor").values
    assert np.isfinite(values[made.xs <= 400]).all() and np.isnan(values[made.xs > 400]).all()


def test_runs_of_another_length_are_not_overlaid():
    sides = {"lockstep": lockstep(np.ones(100)), "floor": floor(np.ones(100))}
    assert curves.of_divergence(sides, {"lockstep": lockstep(np.ones(99))}) is None
    assert curves.of_divergence(sides, {}) is None and curves.of_divergence({}, sides) is None


def test_a_side_that_ended_early_has_a_shorter_curve():
    assert curves.padded(np.array([1.0]), 3)[0] == 1 and np.isnan(curves.padded(np.array([1.0]), 3)[1:]).all()


PIXELS = np.zeros((4, 784), np.uint8)
LABELS = np.array([0, 1, 2, 2])
KERAS = np.array([[0.9, 0.1, 0.0], [0.2, 0.5, 0.3], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4]])


def found(lightning):
    return sees.Answers(PIXELS, LABELS, KERAS, np.array(lightning))


def test_confusion_counts_digits_by_row_and_answers_by_column():
    assert sees.confusion(KERAS, LABELS) == [[1, 0, 0], [0, 1, 0], [0, 1, 1]]
    both = sees.matrices(found(KERAS))
    assert [one["right"] for one in both] == [3, 3] and both[0]["largest_mistake"] == 1


def test_where_both_agree_the_closest_calls_come_first():
    count, shown = sees.disagreements(found(KERAS))
    assert count == 0 and [image["number"] for image in shown] == [3, 1, 2, 0]


def test_disagreements_come_before_close_calls():
    other = KERAS.copy()
    other[0] = [0.1, 0.9, 0.0]
    count, shown = sees.disagreements(found(other))
    assert count == 1 and [image["number"] for image in shown][:2] == [0, 3]
    assert not shown[0]["agree"] and [side["class"] for side in shown[0]["sides"]] == [0, 1]


def test_the_worst_mistake_is_the_surest_one():
    assert [image["number"] for image in sees.worst_mistakes(found(KERAS))] == [2]


def test_answers_that_are_no_numbers_are_not_shown():
    keras = {"interchange": Recording({"images": PIXELS, "labels": LABELS, "probabilities": KERAS}, {})}
    lit = {"interchange": Recording({"own_probabilities": KERAS}, {})}
    assert sees.answers(keras, lit) is not None
    lit["interchange"].arrays["own_probabilities"] = np.full_like(KERAS, np.nan)
    assert sees.answers(keras, lit) is None and sees.answers(keras, {}) is None


def test_weights_are_blue_below_and_red_above_zero():
    colours = images.diverging(np.array([[-1.0, 0.0, 1.0, np.nan]]), 1.0)[0]
    assert colours.tolist() == [images.NEGATIVE.tolist(), [255] * 3, images.POSITIVE.tolist(), [0] * 3]
    assert images.tiles(np.zeros((784, 25)), 1.0).shape == (5 * 29 - 1, 5 * 29 - 1, 3)
    assert images.tiles(np.zeros((784, 300)), 1.0).shape == (10 * 29 - 1, 10 * 29 - 1, 3)
    assert images.png(np.zeros((2, 2), np.uint8)).startswith("data:image/png;base64,iVBOR")


def network(kernel, probabilities):
    weights = {"final/dense_0/kernel": kernel, "final/dense_0/bias": np.zeros(4),
               "final/dense_1/kernel": np.ones((4, 3)), "final/dense_1/bias": np.zeros(3)}  # fmt: skip
    layers = [{"activation": "sigmoid"}, {"activation": "softmax"}]
    seen = {"images": PIXELS, "probabilities": probabilities}
    return models.network("Keras", "keras", layers, {"lockstep": Recording(weights, {})}, seen)


def test_a_network_is_shown_only_if_it_answers_as_the_framework_did():
    even = np.full((4, 3), 1 / 3)
    made = network(np.zeros((784, 4)), even)
    assert [(layer["inputs"], layer["outputs"]) for layer in made["layers"]] == [(784, 4), (4, 3)]
    assert network(np.zeros((784, 4)), even + np.array([0.01, -0.01, 0])) is None
    assert network(np.full((784, 4), np.nan), even) is None


@pytest.mark.parametrize("step", idioms.STEPS, ids=lambda step: step.title)
def test_idioms_are_cut_from_the_real_source(step):
    for piece in (*step.keras, *step.lightning):
        code = idioms.cut(piece)
        text = (idioms.ROOT / piece.path).read_text()
        assert code.strip() and '"""' not in code
        for line in filter(str.strip, code.splitlines()):
            assert line.strip() in text
        for wanted in piece.containing:
            assert wanted in code


def test_the_labs_steps_are_all_there():
    assert [step.title.lower() for step in idioms.STEPS] == (
        "load look reshape scale encode build summarise compile fit history plot".split()
    )


def test_the_traps_that_idioms_hide_are_in_the_catalogue():
    traps = render.traps()
    assert "adam-epsilon-place" in traps and all(trap.what and trap.keras and trap.other for trap in traps.values())


def test_a_name_that_is_gone_is_an_error():
    for piece in (idioms.Cut("lightning_mlp/model.py", "LitMLP.gone"),
                  idioms.Cut("lightning_mlp/model.py", "LitMLP.forward", ("gone()",))):  # fmt: skip
        with pytest.raises(LookupError, match="gone"):
            idioms.cut(piece)


def check(measured, limit, floor=None):
    return {"measured": measured, "limit": limit, "noise_floor": floor}


def test_a_bar_has_its_limit_in_the_middle_and_a_power_of_ten_each_eighth():
    assert render.bar(check(1e-6, 1e-5, 1e-6)) == {
        "measured": 37.5, "limit": 50.0, "floor": 37.5, "zero": False, "beyond": False,
    }  # fmt: skip
    assert render.bar(check(0.0, 1e-5))["measured"] == 0 and render.bar(check(0.0, 1e-5))["zero"]
    assert render.bar(check(1e3, 1e-5))["measured"] == 100 and render.bar(check(1e3, 1e-5))["beyond"]
    for nothing in (check(0, 0), check("not a number", 1e-5), check(None, None), check(float("inf"), 1.0)):
        assert render.bar(nothing) is None


def test_a_rung_is_as_bad_as_its_worst_check():
    states = [("pass", "info"), ("pass", "error"), ("error", "fail"), ("info",)]
    told = [render.state_of([{"status": status} for status in some]) for some in states]
    assert told == ["pass", "error", "fail", "info"]
