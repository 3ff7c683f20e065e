"""Runs of the reference from further away: what a training that alone departs is judged beside."""

import re
from dataclasses import replace

import numpy as np
import pytest
import sample_records

from parity.ladder import float64, further
from parity.ladder.climb import Climb
from parity.pair import Pair, Settings
from parity.process import Side
from parity.protocol import task as tasks
from parity.protocol.inputs import HORIZON
from parity.protocol.records import Cases, LayerCall, LayerOutputs, LayerPasses, Restarts, Run
from parity.protocol.task import KERAS, LIGHTNING, Task, read_record
from parity.rungs.check import Check, horizon_of, running_floor

JUMP = np.float32(3e-5)  # of a batch loss of about 1, at a kink
STEP = 70
LOSSES = sample_records.make_sides()[0].parts["lockstep"].losses


def shifted(array: np.ndarray, by: float) -> np.ndarray:
    """Moves all values, those of batch losses from the kink on."""
    return array + np.where(np.arange(len(array)) < STEP, 0, by).astype(array.dtype)


def moved(run: Run, by: float) -> Run:
    """Returns a run that departs."""
    final = {path: array + np.float32(by) for path, array in run.final.items()}
    return replace(run, losses=shifted(run.losses, by), final=final)


def whole(parts: dict) -> Run:
    """Takes the reference's free run as a run of the noise floor."""
    trained = parts["lockstep"]
    return Run(trained.losses, trained.curves, trained.final, parts["interchange"].probabilities)


def make_climb(folder, by: float) -> Climb:
    """Makes a pair file's climb whose candidate departs in its training alone."""
    reference, candidate = sample_records.make_sides()
    settings = Settings("mine", "0" * 64)
    parts = reference.parts
    for side in (reference, candidate):
        side.parts["lockstep"] = replace(side.parts["lockstep"], curves={})
    floor = replace(parts["floor"], variants=[moved(whole(parts), 1e-7), moved(whole(parts), -1e-7)])
    facts = {name: replace(side.parts["facts"], experiment=settings.to_dict()) for name, side in
             (("ours", reference), ("theirs", candidate))}  # fmt: skip
    parts |= {"floor": floor, "facts": facts["ours"]}
    trained = candidate.parts["lockstep"]
    final = {path: array + np.float32(by) for path, array in trained.final.items()}
    candidate.parts |= {"facts": facts["theirs"]}
    candidate.parts["lockstep"] = replace(trained, losses=shifted(trained.losses, by), final=final)
    own = candidate.parts["interchange"]
    candidate.parts["interchange"] = replace(own, own_probabilities=parts["interchange"].probabilities)
    pair = Pair(settings, file="/nowhere/mine.py")
    (folder / KERAS).mkdir()
    climb = Climb(reference, candidate, asked=settings, task=Task(tasks.REFERENCE_PARTS, str(folder / KERAS), pair))
    for part in further.TRAINED:
        climb.judge(part)
    return climb


def ids_of(climb: Climb, status: str) -> set[str]:
    """Takes the checks that have a status."""
    return {check.subject for check in climb.checks if check.status == status}


@pytest.fixture
def asked(monkeypatch):
    """Puts made runs from further away in the process's place; returns what makes them and what was asked."""
    said = {"tasks": []}

    def ask(name, task, path, stall, follow, arrived=None, side=None):
        said["tasks"].append((name, task, Task.read(path) == task))
        parts = said["climb"].reference.parts
        if task.pair.experiment.training.precision == "float64":
            side, exact = side or Side(), said.get("exact", ({}, {}))[name == LIGHTNING]
            side.parts |= {part: exact[part] for part in task.parts if part in exact}
            return side
        runs = [moved(whole(parts), by) for by in said["departures"]]
        runs = said.get("cut", {}).get("variants", runs)
        restarts = replace(parts["restarts"], variants=[shifted(parts["restarts"].losses, said.get("again", 0.0))])
        answers = {"lockstep": parts["lockstep"], "restarts": restarts}
        return Side(parts=answers | {"floor": replace(parts["floor"], variants=runs)} if runs else answers)

    monkeypatch.setattr(further, "ask", ask)
    monkeypatch.setattr(float64, "ask", ask)

    def look(climb, *departures, **more):
        said.update(climb=climb, departures=departures, **more)
        judged = []
        further.look_further(climb, 10.0, lambda side: lambda event: None, lambda part, checks: judged.append(part))
        return said["tasks"], judged

    return look


def test_a_kink_that_runs_from_further_away_cross_is_no_difference(tmp_path, asked):
    climb = make_climb(tmp_path, JUMP)
    assert ids_of(climb, "fail") == {"batch-loss-free-run", "tensors-after-training"}
    told, judged = asked(climb, 1e-6, JUMP * 0.9)
    ((name, task, written),) = told
    assert (name, task.away, task.parts, written) == (KERAS, 10, ("lockstep", "floor", "restarts"), True)
    assert not ids_of(climb, "fail") and judged == [*further.TRAINED]
    (check,) = [check for check in climb.checks if check.subject == "batch-loss-free-run"]
    assert (
        "2 further runs of Keras from starts 10 units in the last place away, which depart as far, over a kink"
        in check.detail
    )
    (other,) = [check for check in climb.checks if check.subject == "batch-loss-restarted-epochs"]
    assert "further" not in other.detail
    # the recordings are those that were judged
    assert len(read_record(tmp_path / KERAS, "floor").variants) == 3
    assert not (tmp_path / "keras-further").exists()


def test_runs_that_depart_with_the_distance_of_their_start_change_no_limit(tmp_path, asked):
    climb = make_climb(tmp_path, JUMP)
    limits = {check.id: check.limit for check in climb.checks}
    asked(climb, 2e-6, -2e-6, 1e-6)  # up to twenty noise floors
    assert ids_of(climb, "fail") == {"batch-loss-free-run", "tensors-after-training"}
    assert {check.id: check.limit for check in climb.checks} == limits
    details = [check.detail for check in climb.checks if check.status == "fail"]
    assert all(detail.endswith("away, which do not depart as far") for detail in details)


@pytest.mark.parametrize(("by", "is_left"), [(1e-6, True), (JUMP, False)])
def test_a_run_that_passes_the_horizon_counts_where_it_crossed_a_kink_alone(by, is_left, tmp_path, asked):
    climb = make_climb(tmp_path, JUMP)
    cut = {"variants": [replace(moved(whole(climb.reference.parts), by), losses=shifted(LOSSES, by)[: STEP + 20])]}
    asked(climb, by, cut=cut)  # its weights are those of another step, and say nothing
    floor = climb.reference.parts["floor"]
    assert floor.horizon_reached is not is_left and len(floor.variants) == 3 - is_left
    assert ("tensors-after-training" in ids_of(climb, "fail")) is is_left


def test_a_difference_that_is_larger_than_a_kink_still_fails(tmp_path, asked):
    climb = make_climb(tmp_path, 4 * JUMP)
    asked(climb, JUMP, JUMP)
    assert ids_of(climb, "fail") == {"batch-loss-free-run", "tensors-after-training"}


def test_restarted_epochs_have_further_runs_too(tmp_path, asked):
    climb = make_climb(tmp_path, 0.0)
    fail_restarts(climb)
    before, floor = climb.reference.parts["restarts"].variants, climb.reference.parts["floor"]
    asked(climb, JUMP, again=JUMP)
    assert len(climb.reference.parts["restarts"].variants) == len(before) + 1
    assert climb.reference.parts["floor"] is floor  # the free run had not failed: its limits stay
    fail_restarts(climb)
    asked(climb, JUMP, again=1e-7)
    assert len(climb.reference.parts["restarts"].variants) == len(before) + 1


@pytest.mark.parametrize("size", [1.0, 50.0])
def test_restarted_epochs_stay_judged_where_a_further_run_passes_the_horizon(size):
    """What is judged there is judged within the horizon, and not less."""
    ours = np.full(120, size, np.float32)
    run = shifted(ours, 0.1 * size)
    parts = {"restarts": Restarts(losses=ours, variants=[shifted(ours, 1e-7)])}
    found = further.with_further_restarts(parts, {"restarts": Restarts(losses=ours, variants=[run])}, size == 1)
    floor = running_floor(ours, found.variants)
    assert len(found.variants) == 2
    assert horizon_of(floor, None if size == 1 else ours) == 120 and floor[-1] > 0.9 * HORIZON * size


def fail_restarts(climb: Climb) -> None:
    """Has the restarted epochs fail."""
    climb.judgements["restarts"][0] = replace(climb.judgements["restarts"][0], status="fail")


LOSS = "the start"  # a case
ROUNDING = np.float32(2e-5)


def in_double(parts: dict) -> dict:
    """Returns records in float64."""
    found = {part: float64.of_arrays(lambda array: array.astype(float), record) for part, record in parts.items()}
    if "facts" in found:
        experiment = found["facts"].experiment
        experiment = {**experiment, "training": {**experiment["training"], "precision": "float64"}}
        found["facts"] = replace(found["facts"], experiment=experiment)
    return found


def answered(climb: Climb) -> tuple[dict, dict]:
    """Returns what both sides answer in float64: the same as by now."""
    return in_double(climb.reference.parts), in_double(climb.candidate.parts)


def with_loss(cases: Cases, by: float) -> Cases:
    """Moves the loss of one case, of the runs, too."""

    def off(answers: dict) -> dict:
        return {**answers, LOSS: replace(answers[LOSS], loss=answers[LOSS].loss + by)}

    return replace(cases, answers=off(cases.answers), variants=[off(run) for run in cases.variants])


def with_rounding(climb: Climb, side: str, by: float = ROUNDING) -> None:
    """Has a side's loss of a case be off, in all its runs."""
    of = climb.reference if side == KERAS else climb.candidate
    of.parts["cases"] = with_loss(of.parts["cases"], by)
    climb.judge("cases")
    assert "batch-loss" in ids_of(climb, "fail")


def loss_of(climb: Climb) -> Check:
    """Takes the check of single batches' losses."""
    (check,) = [check for check in climb.checks if check.subject == "batch-loss"]
    return check


@pytest.mark.parametrize("side", [KERAS, LIGHTNING])
def test_rounding_that_all_runs_of_a_side_share_vanishes_in_float64(side, tmp_path, asked):
    climb = make_climb(tmp_path, 0.0)
    exact = answered(climb)
    with_rounding(climb, side)
    told, judged = asked(climb, exact=exact)
    assert [(name, task.parts, written) for name, task, written in told] == [
        (KERAS, ("facts", "cases"), True),
        (LIGHTNING, ("facts", "cases"), True),
    ]
    (_, first, _), (_, second, _) = told
    assert {task.pair.experiment.training.precision for task in (first, second)} == {"float64"} and first.exact
    assert second.reference_dir == first.output_dir and judged == ["cases"]
    check = loss_of(climb)
    assert check.status == "pass" and check.measured < check.noise_floor and check.more["looked_further"]
    assert re.search(
        r"at the start: .*; judged in float64; rounding makes it (2.01|1.99)e-05 in float32$", check.detail
    )
    assert not (tmp_path / "keras-further").exists()


def test_how_far_a_training_goes_on_behind_a_kink_is_not_asked(tmp_path, asked):
    climb = make_climb(tmp_path, JUMP)
    with_rounding(climb, LIGHTNING)
    assert further.is_like_rounding(climb) and not further.departs_by_little(climb.judgements["lockstep"])


@pytest.mark.parametrize("share", [1.0, 0.05])
def test_a_difference_that_float64_has_too_still_fails(share, tmp_path, asked):
    """Also one that is within its limit there: more than a noise floor is no rounding."""
    climb = make_climb(tmp_path, 0.0)
    ours, theirs = answered(climb)
    with_rounding(climb, LIGHTNING)
    theirs["cases"] = with_loss(theirs["cases"], ROUNDING * share)
    asked(climb, exact=(ours, theirs))
    check = loss_of(climb)
    assert check.status == "fail" and re.search(r"; in float64 it is .*e-0.: it does not vanish there$", check.detail)


def test_a_training_that_departs_by_little_is_asked_for_in_float64_before_kinks_are(tmp_path, asked):
    climb = make_climb(tmp_path, 5e-6)
    exact = answered(climb)
    exact[1]["lockstep"], exact[1]["interchange"] = exact[0]["lockstep"], exact[0]["interchange"]
    failed = ids_of(climb, "fail")
    told, judged = asked(climb, exact=exact)
    assert failed == {"tensors-after-training"} and not ids_of(climb, "fail")
    assert [task.parts for _, task, _ in told] == [("facts", "lockstep")] * 2 and judged == ["lockstep"]


@pytest.mark.parametrize("side", [KERAS, LIGHTNING])
def test_a_side_that_cannot_answer_in_float64_leaves_the_checks_as_they_are(side, tmp_path, asked):
    climb = make_climb(tmp_path, 0.0)
    with_rounding(climb, LIGHTNING)
    exact, checks = answered(climb), climb.checks
    exact[side == LIGHTNING].clear()
    told, judged = asked(climb, exact=exact)
    asked_for = [(name, task.backend) for name, task, _ in told]
    own = (KERAS, "tensorflow")
    assert asked_for == ([own, (KERAS, "torch"), own] if side == KERAS else [own, (LIGHTNING, "tensorflow")])
    assert not judged and climb.checks == checks


def test_another_model_in_float64_leaves_the_checks_as_they_are(tmp_path, asked):
    climb = make_climb(tmp_path, 0.0)
    exact = answered(climb)
    with_rounding(climb, LIGHTNING)
    checks, cases = climb.checks, exact[0]["cases"]
    shorter = {name: replace(one, probabilities=one.probabilities[:3]) for name, one in cases.answers.items()}
    exact[0]["cases"] = replace(cases, answers=shorter)
    assert asked(climb, exact=exact)[1] == [] and climb.checks == checks


@pytest.mark.parametrize("why", ["large", "float64", "architecture"])
def test_float64_is_not_asked_where_it_cannot_explain(why, tmp_path, asked):
    climb = make_climb(tmp_path, 0.0)
    with_rounding(climb, LIGHTNING, 2.0 if why == "large" else ROUNDING)
    if why == "float64":
        climb.task = replace(climb.task, pair=float64.in_float64(climb.task.pair))
    if why == "architecture":
        climb.judgements["facts"] = [Check("x", "architecture", "fail")]
    assert asked(climb) == ([], [])


@pytest.mark.parametrize(("units", "is_asked"), [(2, True), (4000, False)])
def test_units_of_the_largest_gradient_are_little_in_one_that_is_small(units, is_asked, tmp_path, asked):
    """Where a tanh is saturated, gradients behind it are a few units of 1, or twice as many, in all runs of a side."""
    climb = make_climb(tmp_path, 0.0)
    ours, theirs = (side.parts["cases"] for side in (climb.reference, climb.candidate))
    one = ours.answers[LOSS]
    layer = next(iter(one.gradients)).split("/")[0]
    others = [array for path, array in one.gradients.items() if layer not in path]
    unit = np.float32(np.finfo(np.float32).eps * max(np.abs(array).max() for array in others))
    of_layer = {path: np.full_like(array, unit * 1e-3) for path, array in one.gradients.items() if layer in path}
    small = one.gradients | of_layer
    off = small | {path: array + units * unit for path, array in of_layer.items()}
    kept = {**ours.answers, LOSS: replace(one, gradients=small)}
    climb.reference.parts["cases"] = replace(ours, answers=kept, variants=[kept, kept])
    climb.candidate.parts["cases"] = replace(theirs, answers={**kept, LOSS: replace(one, gradients=off)})
    climb.judge("cases")
    assert ids_of(climb, "fail") == {"gradients"}
    exact = in_double(climb.reference.parts)
    told, _ = asked(climb, exact=(exact, exact))
    assert bool(told) is is_asked and (not ids_of(climb, "fail")) is is_asked


def have_places(climb: Climb, places: int) -> None:
    """Has all answers of cases in float64, with a map of some places behind a layer."""
    climb.task = replace(climb.task, pair=float64.in_float64(climb.task.pair))
    for side in (climb.reference, climb.candidate):
        side.parts |= in_double({"cases": side.parts["cases"]})
    calls = [LayerCall("map", np.zeros((1, places, 2)))]
    climb.reference.parts["layers"] = LayerOutputs(in_place=LayerPasses([], calls))


@pytest.mark.parametrize(("by", "places", "passes"), [(1e-12, 100, True), (1e-12, 1, False), (1e-6, 100, False)])
def test_in_float64_a_sum_of_many_values_may_round_so_much_and_no_more(by, places, passes, tmp_path, asked):
    climb = make_climb(tmp_path, 0.0)
    have_places(climb, places)
    ours, theirs = (side.parts["cases"] for side in (climb.reference, climb.candidate))
    exact = {**ours.answers, LOSS: replace(ours.answers[LOSS], loss=ours.answers[LOSS].loss + 2e-14)}
    climb.reference.parts["cases"] = replace(ours, variants=[exact, exact])
    off = replace(ours.answers[LOSS], loss=ours.answers[LOSS].loss + by)
    climb.candidate.parts["cases"] = replace(theirs, answers={**ours.answers, LOSS: off})
    climb.judge("cases")
    assert "batch-loss" in ids_of(climb, "fail")
    told, judged = asked(climb)
    (check,) = [check for check in climb.checks if check.subject == "batch-loss"]
    rows = len(ours.cases[LOSS].images)
    said = f"a sum of {places * rows:,} values may round in float64, which is"
    assert not told and (check.status == "pass") is passes
    if by < 1e-6:
        assert judged == ["cases"] and f"{said} {'as far away' if passes else 'nearer'}" in check.detail
    else:  # too far away for rounding: nothing is judged again
        assert judged == [] and said not in check.detail


def test_a_kink_is_looked_for_behind_rounding(tmp_path, asked):
    climb = make_climb(tmp_path, 5e-6)
    exact = answered(climb)
    climb.candidate.parts["cases"] = with_loss(climb.candidate.parts["cases"], ROUNDING)
    climb.judge("cases")
    told, judged = asked(climb, JUMP, exact=exact)  # in float64, too, the training departs
    further_parts = ("lockstep", "floor", "restarts")
    assert [task.parts for _, task, _ in told] == [("facts", "cases", "lockstep")] * 2 + [further_parts]
    assert judged[-3:] == [*further.TRAINED] and {*judged[:-3]} == {"cases", "lockstep"} and not ids_of(climb, "fail")
    assert loss_of(climb).detail.count("judged in float64") == 1


@pytest.mark.parametrize("why", ["passed", "other part", "unanswered", "not asked"])
def test_nothing_is_asked_where_more_than_the_training_departs_or_nothing(why, tmp_path, asked):
    climb = make_climb(tmp_path, 0.0 if why == "passed" else JUMP)
    if why == "other part":
        climb.judgements["cases"] = [Check("x", "gradients", "fail")]
    if why == "unanswered":
        del climb.candidate.parts["interchange"]
    if why == "not asked":
        climb.task = None
    assert asked(climb, JUMP) == ([], [])


def test_a_process_that_cannot_answer_again_leaves_the_checks_as_they_are(tmp_path, asked):
    climb = make_climb(tmp_path, JUMP)
    checks = climb.checks
    told, judged = asked(climb)
    assert len(told) == 1 and not judged and climb.checks == checks


def test_several_outputs_count_each():
    kinds = [("kind", np.float32, (2,)), ("size", np.float32, (1,))]
    ours, run = np.zeros(3, kinds), np.zeros(3, kinds)
    run["kind"], run["size"] = 1, 10
    near = further.counted(run, ours)
    assert np.allclose(near["kind"], 0.2) and np.allclose(near["size"], 2)


def test_a_run_that_ended_early_keeps_its_end():
    near = further.counted(np.full(3, 2, np.float32), np.ones(5, np.float32))
    assert near.dtype == np.float32 and np.allclose(near, [1.2, 1.2, 1.2])


def test_the_parts_that_are_asked_are_known():
    assert {*further.TRAINED} < {*tasks.CANDIDATE_PARTS} and {"floor", "restarts"} < {*tasks.REFERENCE_PARTS}
