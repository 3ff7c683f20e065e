"""After a failed rung: the cause that explains enough is named, and no cause is named on a guess."""

from dataclasses import replace

import numpy as np
import pytest
from sample_records import (
    EXPERIMENT,
    LAB_PARTS,
    SOUND,
    make_cases,
    make_draws,
    make_experiment,
    make_replay,
    make_sides,
    map_arrays,
    train,
)

from parity.causes.search import ENOUGH, SEARCHES, explain, search
from parity.ladder.climb import Climb
from parity.protocol.records import Restarts


def climb_with(**records) -> Climb:
    """Climbs with a candidate some of whose records are others."""
    reference, candidate = make_sides()
    for part, record in records.items():
        stamp = {"run_id": EXPERIMENT.run_id, "experiment_hash": EXPERIMENT.hash}
        candidate.parts[part] = replace(record, **stamp)
    return Climb(reference, candidate, EXPERIMENT).finish(LAB_PARTS)


def first_cause(climb: Climb) -> tuple[str, dict]:
    """Returns the first failed check's id and its cause; no other check has one."""
    checks = explain(climb)
    failed = [check for check in checks if check.status == "fail"]
    assert all(check.cause is None for check in checks if check is not failed[0])
    return failed[0].id, failed[0].cause


def test_where_nothing_failed_nothing_is_explained():
    climb = climb_with()
    assert explain(climb) == climb.checks


PLANTED = [
    ({"initial_weights": make_draws(2, scale=0.9)}, "initial-weights/scale", "init-scale"),
    ({"cases": make_cases(replace(SOUND, smoothing=0.1))}, "loss/batch-loss", "label-smoothing"),
    ({"cases": make_cases(replace(SOUND, bits=8))}, "forward/probabilities", "bfloat16"),
    ({"cases": make_cases(replace(SOUND, detached=1))}, "gradients/gradients", "detached-layer"),
    ({"optimizer": make_replay(EXPERIMENT, momentum=0.9)}, "optimizer/weights-after-every-step", "momentum"),
]


@pytest.mark.parametrize(("records", "check", "cause"), PLANTED, ids=[row[2] for row in PLANTED])
def test_a_planted_fault_is_named_at_its_rung(records, check, cause):
    failed, named = first_cause(climb_with(**records))
    assert (failed, named["id"]) == (check, cause) and named["explained"] >= ENOUGH
    assert named["formulas"].keys() == {"Keras", "candidate"} and named["title"]


def test_the_first_failed_check_alone_has_a_cause():
    failed, named = first_cause(
        climb_with(cases=make_cases(replace(SOUND, smoothing=0.1)), optimizer=make_replay(EXPERIMENT, momentum=0.9))
    )
    assert (failed, named["id"]) == ("loss/batch-loss", "label-smoothing")


def test_a_run_is_explained_by_its_restarted_epochs():
    reference, candidate = make_sides()
    snapshots = reference.parts["lockstep"].snapshots

    def rate_of(epoch):
        return 0.1 if epoch >= 2 else 1.0

    failed, named = first_cause(
        climb_with(
            lockstep=replace(candidate.parts["lockstep"], losses=train(rate_of=rate_of).losses),
            restarts=Restarts(losses=train(rate_of=rate_of, snapshots=snapshots).losses),
        )
    )
    assert failed == "lockstep/batch-loss-free-run" and named["id"] == "schedule-epoch"
    assert named["title"] == "from epoch 3 on, the learning rate is 0.1 times Keras's"


def test_a_gap_that_nothing_explains_has_no_cause_and_says_so():
    weights = map_arrays(
        make_sides()[0].parts["optimizer"].weights,
        lambda array: (array * np.random.default_rng(0).random(array.shape)).astype(np.float32),
    )
    _, cause = first_cause(climb_with(optimizer=replace(make_sides()[1].parts["optimizer"], weights=weights)))
    assert cause["id"] is None and cause["explained"] == 0.0 and cause["formulas"] == {}
    assert "tested hypotheses explains the gap; the nearest (" in cause["title"]


def test_two_experiments_say_themselves_what_differs():
    reference, candidate = make_sides()
    other = make_experiment(epochs=9)
    facts = replace(candidate.parts["facts"], experiment=other.to_dict(), experiment_hash=other.hash)
    candidate.parts["facts"] = facts
    candidate.parts["optimizer"] = make_replay(EXPERIMENT, momentum=0.9)
    checks = explain(Climb(reference, candidate, other).finish(LAB_PARTS))
    causes = {check.id: check.cause for check in checks if check.status == "fail"}
    assert causes["experiment/same-experiment"] is None
    assert causes["optimizer/weights-after-every-step"]["id"] == "momentum"


def test_records_of_another_shape_say_nothing_and_break_nothing():
    climb = climb_with()
    for part in LAB_PARTS:
        record = climb.candidate.parts[part]
        broken = replace(climb.candidate, parts={part: map_arrays(record, lambda array: array.ravel()[:0])})
        cause = search(replace(climb, candidate=broken), (part,))
        assert cause["title"] and cause["explained"] <= 1.0
    assert search(replace(climb, candidate=replace(climb.candidate, parts={})), ("cases",))["title"] == (
        "None of 0 tested hypotheses explains the gap."
    )


def test_every_part_but_the_last_has_searches():
    assert set(SEARCHES) == set(LAB_PARTS) - {"interchange"}
