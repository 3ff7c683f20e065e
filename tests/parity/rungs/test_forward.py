"""The rung forward: the same weights and images in, the same probabilities out."""

from dataclasses import replace

import numpy as np
import pytest
from sample_records import SOUND, make_cases, make_context

from parity.protocol.layer_forms import OUTPUT
from parity.protocol.records import LayerCall, LayerOutputs, LayerPasses
from parity.rungs.forward import compare_answers, judge, judge_layers, limit_text

REFERENCE, CANDIDATE = make_cases(), make_cases(SOUND)


def judge_changed(change):
    """Judges a candidate whose answer to one case is changed."""
    answers = dict(CANDIDATE.answers)
    answers["with biases"] = replace(answers["with biases"], probabilities=change(answers["with biases"].probabilities))
    (check,) = judge(REFERENCE, replace(CANDIDATE, answers=answers), make_context())
    return check


def test_the_same_probabilities_pass():
    (check,) = judge(REFERENCE, CANDIDATE, make_context())
    assert (check.id, check.status) == ("forward/probabilities", "pass") and len(check.more["all"]) == 6
    assert "in 3 runs that differ in rounding only" in check.detail


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda p: p + np.float32(1e-4), "worst at with biases: probabilities["),
        (lambda p: p[:, ::-1], "worst at with biases: probabilities["),
        (lambda p: p[:-1], "with biases: probabilities has the shape (31, 3), not (32, 3)"),
        (lambda p: np.where(p == p.max(), np.nan, p), "worst at with biases"),
    ],
)
def test_other_probabilities_fail(change, words):
    check = judge_changed(change)
    assert check.status == "fail" and words in check.detail


def test_rounded_products_fail():
    (check,) = judge(REFERENCE, make_cases(replace(SOUND, bits=8)), make_context())
    assert check.status == "fail"


def test_a_case_that_was_not_answered_fails():
    answers = {name: answer for name, answer in CANDIDATE.answers.items() if name != "the start"}
    (check,) = judge(REFERENCE, replace(CANDIDATE, answers=answers), make_context())
    assert check.status == "fail" and check.detail == "the start is missing"


def test_no_cases_at_all_are_an_error():
    nothing = replace(REFERENCE, answers={}, cases={}, variants=[])
    (check,) = judge(nothing, replace(CANDIDATE, answers={}), make_context())
    assert check.status == "error"


def test_every_case_is_compared_with_its_own_floor():
    gaps = compare_answers(REFERENCE, CANDIDATE, "loss", lambda answer: answer.loss)
    assert [gap.where for gap in gaps] == [f"{name}: loss[0]" for name in REFERENCE.answers]
    assert len({gap.floor for gap in gaps}) > 1 and "5 runs" in limit_text(5)


# ---- layer by layer

DRAW = np.random.default_rng(0)
NAMES = ("conv", "norm", "conv", "dense", OUTPUT)  # one is called twice
ARRAYS = [DRAW.standard_normal((8, 3)).astype(np.float32) for _ in NAMES]
FEW = np.float32(1e-6)


def calls_of(arrays, activated=True):
    """Makes the calls of one pass; the dense layer has an activation of its own."""
    calls = [LayerCall(name, array, array) for name, array in zip(NAMES, arrays, strict=True)]
    calls[3] = replace(calls[3], activated=np.maximum(calls[3].output, 0) if activated else None)
    return calls


def passes(evaluation=ARRAYS, training=ARRAYS, tracked=ARRAYS):
    """Makes the passes of one side."""
    return LayerPasses(*map(calls_of, (evaluation, training, tracked)))


VARIANTS = [passes(*[[array + sign * FEW for array in ARRAYS]] * 3) for sign in (1, -1)]
LAYERS = LayerOutputs(in_place=passes(), training_rows=8, variants=VARIANTS)
SUBJECTS = ["layers", "layers-in-training-mode", "layers-after-training-passes", "layers-in-isolation"]


def moved(*numbers, by=1e-3):
    """Returns the arrays with those of some calls moved."""
    return [array + np.float32(by) if number in numbers else array for number, array in enumerate(ARRAYS)]


def alone(**arrays):
    """Makes what the layers give alone."""
    whole = passes(**arrays)
    return LayerPasses(whole.evaluation[:-1], whole.training[:-1], whole.tracked[:-1])


def judged_layers(in_place=LAYERS.in_place, by_itself=None, reference=LAYERS):
    """Judges a candidate; returns the checks by subject."""
    candidate = LayerOutputs(in_place=in_place, alone=by_itself or alone())
    return {check.subject: check for check in judge_layers(reference, candidate, make_context())}


def failed(checks):
    return [subject for subject, check in checks.items() if check.status != "pass"]


def test_the_same_layers_pass():
    checks = judged_layers(passes(*[moved(0, 1, 2, 3, 4, by=5e-6)] * 3))
    assert list(checks) == SUBJECTS and not failed(checks)
    assert checks["layers"].detail.startswith("5 of 5 outputs compared") and checks["layers"].limit > 9e-6
    assert checks["layers-in-isolation"].detail == "12 compared, given Keras's input: each layer alone agrees"


def test_every_layer_of_a_mode_is_in_its_check():
    checks = judged_layers(passes(moved(1, 2, 3, 4)), alone(evaluation=moved(1)))
    rows = checks["layers"].more["layers"]
    assert [row["layer"] for row in rows] == list(NAMES)
    assert [row["departs"] for row in rows] == [False, True, True, True, True]
    assert [row["alone"] and row["alone"]["departs"] for row in rows] == [False, True, False, False, None]
    assert rows[1]["measured"] == pytest.approx(1e-3, rel=1e-2) and 0 < rows[1]["noise_floor"] * 9 < rows[1]["limit"]
    assert not any(row["departs"] for row in checks["layers-in-training-mode"].more["layers"])


def test_a_layer_without_a_number_says_why():
    in_place = passes([*ARRAYS[:3], ARRAYS[3] * np.nan, ARRAYS[4] * np.nan])
    shape = [*in_place.training[:4], replace(in_place.training[4], output=ARRAYS[4][:2])]
    missing = [replace(in_place.tracked[0], output=None, why_not="it is called twice"), *in_place.tracked[1:]]
    checks = judged_layers(replace(in_place, training=shape, tracked=missing))
    nothing, odd, none = (checks[subject].more["layers"][at] for subject, at in zip(SUBJECTS, (3, 4, 0), strict=False))
    assert (nothing["why"], nothing["measured"], nothing["departs"]) == ("not a number", None, True)
    assert odd["why"] == "the model's output has the shape (2, 3), not (8, 3)" and odd["limit"] is None
    assert (none["why"], none["departs"]) == ("it is called twice", False)


@pytest.mark.parametrize(("mode", "subject"), list(zip(("evaluation", "training", "tracked"), SUBJECTS, strict=False)))
def test_the_first_layer_that_departs_is_named_and_whether_it_does_so_alone(mode, subject):
    checks = judged_layers(passes(**{mode: moved(1, 2, 3, 4)}), alone(**{mode: moved(1)}))
    assert failed(checks) == [subject, "layers-in-isolation"]
    assert checks[subject].detail.startswith("the first to depart is norm") and checks[subject].more["first"] == "norm"
    assert "the difference is inside norm" in checks["layers-in-isolation"].detail
    checks = judged_layers(passes(**{mode: moved(1, 2, 3, 4)}))
    assert failed(checks) == [subject] and "starts behind conv and before norm" in checks["layers-in-isolation"].detail


def test_what_a_later_call_of_a_shared_layer_departs_by_is_not_told_of_the_first():
    checks = judged_layers(passes(moved(2, 3, 4)))
    assert "behind norm and before conv" in checks["layers-in-isolation"].detail


def test_no_number_fails():
    checks = judged_layers(passes([*ARRAYS[:3], ARRAYS[3] * np.nan, ARRAYS[4] * np.nan]))
    assert failed(checks) == ["layers"] and checks["layers"].measured == "not a number"


def test_a_layer_may_be_cut_before_or_behind_its_own_activation():
    relu = [*ARRAYS[:3], np.maximum(ARRAYS[3], 0), ARRAYS[4]]
    assert not failed(judged_layers(passes(relu, relu, relu), alone(evaluation=relu)))
    checks = judged_layers(passes([*ARRAYS[:3], np.abs(ARRAYS[3]), ARRAYS[4] + 1]))
    assert failed(checks) == ["layers"] and checks["layers"].more["first"] == "dense"


def test_a_layer_that_its_neighbours_make_up_for_is_told_and_does_not_fail():
    checks = judged_layers(passes(moved(0)), alone(evaluation=moved(0)))
    assert not failed(checks) and "the output agrees, though conv departs" in checks["layers"].detail
    assert failed(judged_layers(passes(moved(0, 4)), alone(evaluation=moved(0)))) == ["layers", "layers-in-isolation"]


def test_what_is_not_compared_is_told_and_does_not_fail():
    twice = [replace(call, output=None, why_not="called twice") for call in calls_of(ARRAYS)[:3]]
    in_place = replace(passes(), evaluation=[*twice, *calls_of(ARRAYS)[3:]])
    by_itself = replace(alone(), training=[replace(call, output=None, why_not="padded") for call in alone().training])
    checks = judged_layers(in_place, by_itself)
    assert failed(checks) == ["layers-not-compared"] and checks["layers-not-compared"].status == "info"
    assert checks["layers-not-compared"].detail.startswith("conv, norm: called twice; conv alone, norm alone, dense al")
    assert checks["layers"].detail.startswith("2 of 5 outputs compared")


def test_where_nothing_could_be_compared_nothing_is_decided():
    none = [replace(call, output=None, why_not="no module") for call in calls_of(ARRAYS)]
    checks = judged_layers(LayerPasses(none, none, none), LayerPasses(none[:-1], none[:-1], none[:-1]))
    assert {check.status for check in checks.values()} == {"info"} and len(checks) == 5


def test_calls_that_are_missing_fail_and_no_calls_at_all_are_an_error():
    in_place = replace(passes(), evaluation=calls_of(ARRAYS)[1:])
    assert failed(judged_layers(in_place)) == ["layers"]
    nothing = LayerOutputs(in_place=LayerPasses([], []), variants=[LayerPasses([], [])])
    checks = judged_layers(LayerPasses([], []), LayerPasses([], []), nothing)
    assert checks["layers"].status == "error"


def test_without_statistics_there_is_nothing_to_track():
    reference = replace(LAYERS, in_place=replace(LAYERS.in_place, tracked=[]))
    assert list(judged_layers(reference=reference)) == [SUBJECTS[0], SUBJECTS[1], SUBJECTS[3]]
