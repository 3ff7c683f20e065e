"""A check's id, name and JSON; and how a gap is judged against the reference's own noise floor."""

import json

import numpy as np
import pytest
from sample_records import make_facts

from parity.protocol.user_data import joined
from parity.rungs import check
from parity.rungs.check import (
    MULTIPLE,
    OF_STEPS,
    ULPS,
    Check,
    Context,
    Gap,
    compare,
    distance,
    floor_of,
    horizon_of,
    running_floor,
    without_random_steps,
    worst,
)

EPS = np.finfo(np.float32).eps


# ---- a check


def test_a_check_has_an_id_of_its_rung_and_subject():
    assert Check("scale", "initial weights", "pass").id == "initial-weights/scale"
    assert Check("batch-loss-free-run", "lockstep", "pass").id == "lockstep/batch-loss-free-run"


def test_a_check_is_named_by_its_title_or_its_subjects_words():
    assert Check("batch-loss", "loss", "pass").name == "batch loss"
    assert Check("batch-loss-free-run", "lockstep", "pass", title="batch loss, free run").name == "batch loss, free run"


def test_a_check_is_plain_json():
    one = Check("batch-loss", "loss", "fail", 2.5, 1.0, "why", 0.1, {"step": 3}, "the loss")
    assert one.to_dict() == {
        "id": "loss/batch-loss",
        "name": "the loss",
        "rung": "loss",
        "status": "fail",
        "measured": 2.5,
        "limit": 1.0,
        "detail": "why",
        "noise_floor": 0.1,
        "step": 3,
    }
    assert json.loads(json.dumps(one.to_dict())) == one.to_dict()


def test_a_decision_is_pass_or_fail():
    assert [check.judged(passed) for passed in (True, False)] == ["pass", "fail"]


# ---- the noise floor


def test_the_floor_is_the_references_own_and_never_below_a_few_ulp():
    reference = np.array([2.0, 1.0], np.float32)
    assert floor_of(reference, [reference, reference]) == pytest.approx(ULPS * EPS * 2)
    assert floor_of(reference, [reference, reference + np.float32(0.5)]) == 0.5
    assert floor_of(reference.astype(np.float64), []) == pytest.approx(ULPS * 2**-52 * 2)


def test_a_candidates_own_noise_never_widens_a_limit():
    reference = np.ones(3, np.float32)
    gap = compare("x", reference, reference + np.float32(1e-3), [reference])
    assert gap.limit == pytest.approx(MULTIPLE * ULPS * EPS)
    assert worst("x", "loss", [gap], "").status == "fail"


def test_the_largest_gap_is_found_with_its_place():
    reference = np.zeros((2, 3), np.float32)
    candidate = reference.copy()
    candidate[1, 2] = 0.25
    gap = compare("x", reference, candidate, [reference + np.float32(0.01)])
    assert (gap.where, gap.measured, gap.index) == ("x[1, 2]", 0.25, (1, 2))
    assert gap.limit == pytest.approx(0.1) and gap.ratio == pytest.approx(2.5)


def test_arrays_that_cannot_be_compared_are_words():
    some = np.ones(3)
    assert compare("x", np.ones(0), np.ones(0), []) == "x is empty"
    assert compare("x", some, np.ones((1, 3)), []) == "x has the shape (1, 3), not (3,)"


@pytest.mark.parametrize(
    ("ours", "theirs", "gap"),
    [
        (1.0, 1.5, 0.5),
        (1.0, np.nan, np.inf),
        (np.nan, 1.0, np.inf),
        (np.nan, np.nan, 0.0),
        (np.inf, np.inf, 0.0),
        (np.inf, -np.inf, np.inf),
        (1.0, np.inf, np.inf),
    ],
)
def test_no_number_is_infinitely_far_from_a_number(ours, theirs, gap):
    assert distance(np.array([ours]), np.array([theirs])).tolist() == [gap]


def test_a_ratio_of_nothing_to_nothing_is_none_and_of_something_infinite():
    assert Gap("x", 0.0, 0.0).ratio == 0.0 and Gap("x", 1e-30, 0.0).ratio == np.inf


# ---- many gaps at once


def test_the_gap_nearest_to_its_limit_is_shown_and_all_are_kept():
    one = worst("x", "loss", [Gap("wide", 5.0, 1.0), Gap("narrow", 0.9, 0.1)], "why", "the loss")
    assert (one.status, one.measured, one.limit, one.noise_floor, one.name) == ("pass", 0.9, 1.0, 0.1, "the loss")
    assert one.detail == "why; worst at narrow" and one.more["largest"] == 5.0 and len(one.more["all"]) == 2
    assert worst("x", "loss", [Gap("wide", 5.0, 1.0), Gap("narrow", 1.1, 0.1)], "").status == "fail"


def test_nothing_to_compare_is_an_error():
    one = worst("x", "loss", [], "")
    assert one.status == "error" and one.detail == "nothing was compared"


def test_words_fail_and_are_shown():
    one = worst("x", "loss", [Gap("a", 0.0, 1.0), "b is missing", "c is empty"], "")
    assert one.status == "fail" and one.detail == "b is missing; c is empty"
    assert one.measured == "b is missing and 1 more"


def test_no_number_fails_and_stays_json():
    one = worst("x", "loss", [Gap("a", np.inf, 1.0)], "")
    assert one.status == "fail" and one.measured == "not a number" and one.more["largest"] is None
    json.dumps(one.to_dict(), allow_nan=False)


def test_names_that_one_side_lacks_are_told():
    assert check.missing(["b", "a", "c"], ["c", "d"]) == ["a is missing", "b is missing", "d is extra"]
    assert check.missing(["a"], ["a"]) == []


# ---- steps


def test_the_floor_only_grows_and_is_never_below_a_few_ulp():
    # what has departed once may depart as far again
    losses = np.full(6, 2.0)
    run = losses + np.array([0, 1e-9, 0, 1e-3, 0, 0])
    floor = running_floor(losses, [run])
    assert (np.diff(floor) >= 0).all() and floor[1] == floor[2] == pytest.approx(1e-9, rel=1e-6)
    assert floor[0] == pytest.approx(4 * 2**-52 * 2) and horizon_of(floor) == 3


def test_a_loss_far_below_1_is_rounded_at_1():
    losses = np.full(3, 1e-6, np.float32)
    assert running_floor(losses, [losses]).tolist() == [np.finfo(np.float32).eps] * 3


def test_a_run_that_ended_beyond_the_horizon_ends_the_judging():
    losses = np.full(6, 2.0)
    assert horizon_of(running_floor(losses, [losses[:4]])) == 3
    assert horizon_of(running_floor(losses, [losses])) == 6


def test_no_number_in_the_floor_is_beyond_the_horizon():
    assert horizon_of(np.array([1e-9, np.nan, 1e-9])) == 1


def test_the_horizon_of_a_large_loss_is_relative_to_it():
    losses = np.linspace(5000, 100, 6).astype(np.float32)  # squares of prices, say
    floor = running_floor(losses, [losses + np.array([0, 0, 0, 0.4, 0.6, 0], np.float32)])
    assert horizon_of(floor) == 0 and horizon_of(floor, losses) == 4
    assert horizon_of(running_floor(losses, [losses[:4]]), losses) == 3
    assert horizon_of(np.full(3, 2e-4), np.full(3, 0.5)) == 0  # never relative to less than 1


# ---- random steps


def test_random_steps_are_not_compared_and_all_else_is():
    for rung, subject, status in [
        ("loss", "batch-loss", "info"), ("gradients", "gradients", "info"), ("metrics", "val_loss", "info"),
        ("lockstep", "batch-loss-free-run", "info"), ("interchange", "evaluation-mode-after-training", "info"),
        ("forward", "layers-in-training-mode", "info"), ("forward", "probabilities", "fail"),
        ("lockstep", "trained-weights", "fail"), ("optimizer", "weights", "fail"),
        ("random layers", "law-of-the-output", "fail"), ("interchange", "probabilities-keras-weights", "fail"),
    ]:  # fmt: skip
        one = Check(subject, rung, "fail", 3.0, 1.0, "it differs", 0.1)
        found = without_random_steps(one, "it draws")
        assert found.status == status and (status == "fail" or (found.detail, found.limit) == ("it draws", None)), one
        assert without_random_steps(one, "") == one


def test_what_passes_or_is_no_number_stays():
    for status, measured in (("pass", 1.0), ("fail", "not a number")):
        one = Check("batch-loss", "loss", status, measured)
        assert without_random_steps(one, "it draws") == one
    assert without_random_steps(Check("batch-loss", "loss", "error"), "it draws").status == "info"


def test_either_side_may_be_random():
    assert not Context(make_facts(), candidate=make_facts("lightning")).why_random
    for ours, theirs in (("a", ""), ("", "a"), ("a", "a")):
        one = Context(make_facts(unsilenced=ours), candidate=make_facts("lightning", unsilenced=theirs))
        assert one.why_random.startswith("not compared: a") and one.why_random.endswith("compares the laws")
    assert (
        Context(make_facts(), candidate=make_facts(rates=[0.5])).draws_elsewhere
        and not Context(make_facts()).draws_elsewhere
    )


def test_the_rungs_of_random_steps_are_rungs():
    from parity.rungs import QUESTIONS

    assert OF_STEPS.keys() < QUESTIONS.keys()


OUTPUTS = joined({"kind": np.full((4, 2), 0.5, np.float32), "size": np.full(4, 1000.0, np.float32)})


def with_output(name, change):
    """Returns the outputs with a change of one of them."""
    arrays = {field: OUTPUTS[field] + np.float32(change if field == name else 0) for field in OUTPUTS.dtype.names}
    return joined(arrays)


def test_each_of_several_outputs_has_a_limit_of_its_own():
    variants = [with_output("size", 1e-3)]
    assert compare("row", OUTPUTS, OUTPUTS, variants).ratio == 0
    # within the floor of the large output, and far beyond the small one's
    gap = compare("row", OUTPUTS, with_output("kind", 1e-4), variants)
    assert gap.where == "row, kind[0, 0]" and gap.ratio > 1
    assert compare("row", OUTPUTS, with_output("size", 1e-3), variants).ratio < 1
    words = compare("row", OUTPUTS, joined({"kind": OUTPUTS["kind"], "other": OUTPUTS["size"]}), variants)
    assert words == "row has the outputs ('kind', 'other'), not ('kind', 'size')"
    assert compare("row", OUTPUTS, OUTPUTS["kind"], variants).startswith("row has the outputs None, not")
    assert compare("row", OUTPUTS, with_output("kind", np.nan), variants).ratio == np.inf
