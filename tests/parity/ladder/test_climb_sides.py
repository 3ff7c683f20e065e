"""Climbing with both sides: what is judged when, who waits for whom, and what ends early; the processes are made up."""

import threading
from dataclasses import replace

import numpy as np
import pytest
import sample_records
from sample_records import LAB_PARTS, LAB_REFERENCE_PARTS

from parity.ladder import climb
from parity.ladder.climb import Climb, Side
from parity.pair import Pair, Settings
from parity.protocol.task import KERAS, LIGHTNING, Task


def bad(checks: list) -> list:
    """Takes the checks that keep a run from passing."""
    return [check for check in checks if check.status in ("fail", "error")]


def test_lockstep_waits_for_the_noise_floor():
    reference, candidate = sample_records.make_sides()
    judged, floor = [], reference.parts.pop("floor")
    one = Climb(reference, candidate, sample_records.EXPERIMENT, lambda part, _: judged.append(part))
    one.judge_answered()
    assert {"facts", "restarts"} <= set(judged) and "lockstep" not in judged
    reference.parts["floor"] = floor
    one.judge_answered()
    assert {"lockstep", "interchange"} <= set(judged)


def test_what_was_never_answered_is_judged_at_the_end():
    judged, sides = [], sample_records.make_sides()
    facts = [Side(parts={"facts": side.parts["facts"]}) for side in sides]
    one = Climb(*facts, sample_records.EXPERIMENT, lambda part, _: judged.append(part))
    one.judge_answered()
    assert judged == ["facts"]
    checks = bad(one.finish(LAB_PARTS).checks)
    assert {check.status for check in checks} == {"error"} and len(checks) == len(LAB_PARTS) - 1
    assert judged == list(LAB_PARTS)


def test_without_facts_there_is_one_error():
    (check,) = Climb().finish(LAB_PARTS).checks
    assert check.status == "error" and check.id == "experiment/keras-could-not-answer"


def test_events_are_passed_on_before_parts_are_judged():
    reference, candidate = sample_records.make_sides()
    order = []
    one = Climb(reference, candidate, sample_records.EXPERIMENT, lambda part, _: order.append(part))
    one.then_judge(lambda event: order.append(event["event"]))({"event": "part"})
    assert order == ["part", *LAB_PARTS]


WHY = "keras_model() is not compiled"


def make_untrained_sides() -> tuple[Side, Side]:
    """Makes what both sides of a pair file answer where nothing is trained: no loss, no gradient, nothing after."""
    settings = Settings("mine", "0" * 64)
    sides = sample_records.make_sides()
    for side in sides:
        cases, own = side.parts["cases"], {"experiment_hash": settings.hash, "run_id": settings.run_id}
        bare = {name: replace(one, loss=np.empty(0), gradients={}) for name, one in cases.answers.items()}
        own |= {"experiment": settings.to_dict(), "rates": [], "untrained": WHY}
        facts = replace(side.parts["facts"], **own)
        side.parts = {"facts": facts, "cases": replace(cases, answers=bare), "interchange": side.parts["interchange"]}
    rows = {"samples": 400, "random": False}
    found = {**rows, "compared": 400, "different": 0, "largest": 0.0, "forms": [], "order": "the same"}
    for side, data in zip(sides, (rows, found), strict=True):
        side.parts["facts"] = replace(side.parts["facts"], data={"train": data, "test": data})
    return sides


def test_what_needs_a_training_is_not_compared_where_there_is_none():
    judged, (reference, candidate) = [], make_untrained_sides()
    one = Climb(reference, candidate, Settings("mine", "0" * 64), lambda part, _: judged.append(part))
    one.judge_answered()  # the noise floor, and all that was skipped, is waited for by nobody
    assert set(judged) == {
        "facts", "cases", "interchange", "callbacks", "optimizer", "metrics", "lockstep", "restarts"
    }  # fmt: skip
    left_out = [(check.rung, check.status, check.detail) for check in one.checks if check.subject == "training"]
    assert left_out == [
        (rung, "info", f"not compared: {WHY}")
        for rung in ("loss", "gradients", "callbacks", "optimizer", "metrics", "speed", "lockstep")
    ]
    others = [check.id for check in one.checks if check.subject != "training"]
    assert others == [
        "experiment/rates-of-dropout", "data/train-rows", "data/test-rows", "architecture/parameters",
        "architecture/same-start", "forward/probabilities", "interchange/probabilities-keras-weights",
    ]  # fmt: skip
    assert not bad(one.checks)


def test_a_module_without_training_stops_the_reference(monkeypatch, tmp_path):
    reference, answered = make_untrained_sides()

    def ask(name, task, path, stall, follow=None, arrived=None, side=None):
        if name == LIGHTNING:
            side.parts |= answered.parts
            assert both_there.wait(20)
            arrived("facts")
            assert sides[0].enough.is_set(), "the reference measures its noise floor until the candidate has ended"
            return side
        sides.append(side)
        side.parts |= reference.parts
        arrived("facts")
        arrived("interchange")
        both_there.set()
        assert climb.process.STOPPING.wait(20), "nobody stopped the reference's noise floor"
        raise climb.process.Stopped

    sides, both_there = [], threading.Event()
    monkeypatch.setattr(climb, "ask", ask)
    one = climb_both(tmp_path)
    assert any(check.subject == "training" for check in one.checks)


# ---- climbing, with what the processes answer made up


class Processes:
    """Stands for both frameworks' processes: each side's answers come one by one; what was asked is kept.

    Args:
        sides: what they answer, by name.
        hold: of the reference, parts that wait until the candidate has answered everything.
    """

    def __init__(self, sides: tuple[Side, Side], hold: tuple[str, ...] = ()):
        self.sides, self.hold = dict(zip((KERAS, LIGHTNING), sides, strict=True)), hold
        self.tasks, self.finished, self.answered = {}, threading.Event(), []

    def ask(self, name, task, path, stall, follow=lambda event: None, arrived=lambda part: None, side=None):
        assert Task.read(path) == task
        self.tasks[name] = task
        side = side or Side()
        for part in task.parts:
            if name == KERAS and part in self.hold:
                assert self.finished.wait(20), "the candidate was never asked"
            self.answered.append((name, part))
            if part in self.sides[name].errors:
                side.errors[part] = self.sides[name].errors[part]
                follow({"event": "failed", "part": part})
                continue
            side.parts[part] = self.sides[name].parts[part]
            arrived(part)
            follow({"event": "part", "part": part})
        if name == LIGHTNING:
            self.finished.set()
        return side


@pytest.fixture
def processes(monkeypatch):
    """Puts made answers in the processes' place; returns what makes them."""

    def stand_in(sides, hold=()):
        stands = Processes(sides, hold)
        monkeypatch.setattr(climb, "ask", stands.ask)
        return stands

    return stand_in


def make_task(folder) -> Task:
    return Task((), str(folder / KERAS), Pair(sample_records.EXPERIMENT, "auto"), level="quick")


def climb_both(folder, **options) -> Climb:
    return climb.climb_both(make_task(folder), "cpu", folder, 10.0, lambda side: lambda event: None, **options)


def test_lightning_starts_as_soon_as_it_is_known_what_keras_trains(processes, tmp_path):
    stands, judged = processes(sample_records.make_sides(), hold=LAB_REFERENCE_PARTS[1:]), []
    one = climb_both(tmp_path, judged=lambda part, checks: judged.append(part))
    assert not bad(one.checks) and sorted(judged) == sorted(LAB_PARTS)
    assert stands.answered.index((LIGHTNING, "interchange")) < stands.answered.index((KERAS, LAB_REFERENCE_PARTS[1]))
    asked = stands.tasks[LIGHTNING]
    assert asked.parts == LAB_PARTS and asked.pair.dataset == "mnist-sample" and asked.together
    assert asked.reference_dir == str(tmp_path / KERAS) and asked.output_dir == str(tmp_path / LIGHTNING)


def test_a_reference_whose_candidate_is_not_trained_goes_on_until_all_that_it_reads_is_there():
    reference, candidate = make_untrained_sides()
    one = Climb(Side(), candidate)
    one.spare_reference("facts")
    assert not one.reference.enough.is_set()
    one.reference.parts |= reference.parts
    one.spare_reference("interchange")
    assert one.reference.enough.is_set()


@pytest.mark.parametrize("facts", [{"device": "gpu"}, {"backend": "torch"}])
def test_lightning_waits_where_both_cannot_work_at_once(facts, processes, tmp_path):
    reference, candidate = sample_records.make_sides()
    reference.parts["facts"] = replace(reference.parts["facts"], **facts)
    stands = processes((reference, candidate))
    climb_both(tmp_path)
    names = [name for name, _ in stands.answered]
    assert names == sorted(names)  # all of Keras's, then all of Lightning's


def test_without_the_references_facts_the_candidate_is_not_asked(processes, tmp_path):
    stands = processes((Side(errors=dict.fromkeys(LAB_REFERENCE_PARTS, "no TensorFlow")), Side()))
    one = climb_both(tmp_path)
    assert LIGHTNING not in stands.tasks
    assert [(check.id, check.status, check.detail) for check in one.checks] == [
        ("experiment/keras-could-not-answer", "error", "no TensorFlow")
    ]


def test_a_candidate_without_facts_is_one_error_and_stops_the_reference(monkeypatch, tmp_path):
    reference, _ = sample_records.make_sides()

    def ask(name, task, path, stall, follow=None, arrived=None, side=None):
        if name == LIGHTNING:
            side.errors["facts"] = "it cannot be bound"
            return side
        side.parts |= reference.parts
        arrived("facts")
        arrived("interchange")
        assert climb.process.STOPPING.wait(20), "nobody stopped the reference"
        raise climb.process.Stopped

    monkeypatch.setattr(climb, "ask", ask)
    one = climb_both(tmp_path)
    assert [(check.id, check.status, check.detail) for check in one.checks] == [
        ("experiment/lightning-could-not-answer", "error", "it cannot be bound")
    ]
    assert not climb.process.STOPPING.is_set()


def test_a_part_that_failed_leaves_the_others_judged(processes, tmp_path):
    reference, candidate = sample_records.make_sides()
    candidate.errors["metrics"] = "no means today"
    processes((reference, candidate))
    checks = climb_both(tmp_path).checks
    assert [(check.rung, check.detail) for check in bad(checks)] == [("metrics", "no means today")]
    assert {"interchange", "lockstep"} <= {check.rung for check in checks}


def test_an_interruption_stops_the_other_side_and_is_raised(monkeypatch, tmp_path):
    reference, _ = sample_records.make_sides()

    def ask(name, task, path, stall, follow=None, arrived=None, side=None):
        if name == LIGHTNING:
            raise KeyboardInterrupt
        side.parts |= reference.parts
        arrived("facts")
        arrived("interchange")
        assert climb.process.STOPPING.wait(20), "nobody stopped the reference"
        raise climb.process.Stopped

    monkeypatch.setattr(climb, "ask", ask)
    with pytest.raises(KeyboardInterrupt):
        climb_both(tmp_path)
    assert not climb.process.STOPPING.is_set()


def test_a_reference_is_recorded_once_for_many_candidates(processes, tmp_path):
    stands = processes(sample_records.make_sides())
    reference, task = climb.record_reference(make_task(tmp_path), tmp_path, 10.0)
    assert stands.tasks[KERAS].parts == LAB_REFERENCE_PARTS
    assert task.parts == LAB_PARTS and task.reference_dir == str(tmp_path / KERAS)
    assert task.pair.dataset == "mnist-sample" and task.level == "quick"
    for _ in range(2):
        one = climb.climb_with(reference, task, tmp_path, 10.0)
        assert not bad(one.checks) and list(one.judgements) == list(LAB_PARTS)


def test_a_reference_that_could_not_answer_is_returned_with_its_errors(processes, tmp_path):
    processes((Side(errors=dict.fromkeys(LAB_REFERENCE_PARTS, "no TensorFlow")), Side()))
    reference, _ = climb.record_reference(make_task(tmp_path), tmp_path, 10.0)
    assert reference.parts == {} and reference.errors["facts"] == "no TensorFlow"


def test_the_first_failed_rung_ends_a_climb_that_is_to_stop_early(processes, tmp_path):
    reference, candidate = sample_records.make_sides()
    candidate.parts["optimizer"] = replace(
        candidate.parts["optimizer"], weights=sample_records.map_arrays(reference.parts["optimizer"].weights, abs)
    )
    stands = processes((reference, candidate))
    _, task = climb.record_reference(make_task(tmp_path), tmp_path, 10.0)
    one = climb.climb_with(reference, task, tmp_path, 10.0, stop_early=True)
    assert list(one.judgements) == ["facts", "initial_weights", "cases", "optimizer"]
    assert [part for name, part in stands.answered if name == LIGHTNING][-1] == "optimizer"
    assert [check.rung for check in bad(one.checks)] == ["optimizer"]
    assert list(climb.climb_with(reference, task, tmp_path, 10.0).judgements) == list(LAB_PARTS)


def test_two_experiments_on_purpose_are_no_other_run():
    reference, candidate = sample_records.make_sides()
    other = sample_records.make_experiment(epochs=9)
    mixed = {
        part: replace(record, run_id=other.run_id, experiment_hash=other.hash)
        for part, record in candidate.parts.items()
    }
    assert not bad(climb.judge("cases", reference, Side(mixed), sample_records.EXPERIMENT))
    alone = Side({**candidate.parts, "cases": mixed["cases"]})
    assert [check.subject for check in climb.judge("cases", reference, alone, None)] == ["same-run"]


def test_steps_that_stay_random_are_not_compared():
    ours, theirs = sample_records.make_sides()
    theirs.parts["lockstep"] = replace(theirs.parts["lockstep"], losses=theirs.parts["lockstep"].losses + 1)
    assert bad(climb.judge("lockstep", ours, theirs, sample_records.EXPERIMENT))
    theirs.parts["facts"] = replace(theirs.parts["facts"], unsilenced="it draws")
    checks = climb.judge("lockstep", ours, theirs, sample_records.EXPERIMENT)
    (check,) = [check for check in checks if check.subject == "batch-loss-free-run"]
    assert check.status == "info" and check.detail.startswith("not compared: it draws")
