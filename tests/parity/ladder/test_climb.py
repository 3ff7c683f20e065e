"""Climbing the ladder: the recordings of a real run pass, and nothing in them that is damaged ever does."""

import json
from dataclasses import replace

import numpy as np
import pytest
import sample_records
from sample_records import LAB_PARTS, LAB_REFERENCE_PARTS

from mlp_spec.experiment import Experiment
from parity.ladder import climb
from parity.ladder.climb import Climb, Side
from parity.protocol.recording import BadRecordingError, Recording
from parity.protocol.records import Quirk, Record
from parity.protocol.task import KERAS, LIGHTNING, read_record
from parity.rungs.lockstep import FEWEST_STEPS


@pytest.fixture(scope="module")
def sides(parity_run) -> tuple[Side, Side]:
    """What both frameworks recorded in a short run of `small`."""
    folder, ended = parity_run
    assert ended.status == 0, ended
    return tuple(
        Side({part: read_record(folder / name, part) for part in parts})
        for name, parts in ((KERAS, LAB_REFERENCE_PARTS), (LIGHTNING, LAB_PARTS))
    )


def judge(sides, part: str, candidate: Record | None = None, reference: Record | None = None) -> list:
    """Judges a part, with another record in place of a side's own."""
    ours, theirs = sides
    asked = Experiment.from_dict(ours.parts["facts"].experiment)
    ours = Side({**ours.parts, part: reference or ours.parts[part]})
    theirs = Side({**theirs.parts, part: candidate or theirs.parts[part]})
    return climb.judge(part, ours, theirs, asked)


def bad(checks: list) -> list:
    """Takes the checks that keep a run from passing."""
    return [check for check in checks if check.status in ("fail", "error")]


def with_array(record: Record, name: str, array: np.ndarray | None) -> Record:
    """Returns a record with one of its arrays replaced, by the name in its recording; or without it.

    Raises:
        BadRecordingError: it is no record without that array.
    """
    whole = record.to_recording()
    arrays = {key: value for key, value in whole.arrays.items() if key != name}
    return type(record).from_recording(Recording(arrays if array is None else {**arrays, name: array}, whole.metadata))


def spoil(array: np.ndarray, value: float) -> np.ndarray:
    """Returns a copy whose last number is `value`."""
    copy = array.astype(np.result_type(array, np.float32))
    copy.reshape(-1)[-1] = value
    return copy


# ---- damaged records of a real run


@pytest.mark.parametrize("part", LAB_PARTS)
def test_the_pair_passes(sides, part):
    checks = judge(sides, part)
    assert any(check.status == "pass" for check in checks) and not bad(checks), checks


DAMAGE = {
    "missing": lambda array: None,
    "empty": lambda array: array[:0],
    "of another shape": lambda array: array[None],
    "not a number": lambda array: spoil(array, np.nan),
    "infinite": lambda array: spoil(array, -np.inf),
    "all not a number": lambda array: np.full(array.shape, np.nan, np.float32),
}


def passes(sides, part: str, name: str, damage: str) -> bool:
    """Says whether a part passes with one of the candidate's arrays damaged; no record at all is an error."""
    record = sides[1].parts[part]
    try:
        damaged = with_array(record, name, DAMAGE[damage](record.to_recording().arrays[name]))
    except BadRecordingError as error:
        theirs = Side({key: value for key, value in sides[1].parts.items() if key != part}, {part: str(error)})
        return not bad(climb.judge(part, sides[0], theirs, None))
    return not bad(judge(sides, part, damaged))


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("part", LAB_PARTS)
def test_no_damaged_array_of_the_candidate_passes(sides, part, damage):
    names = list(sides[1].parts[part].to_recording().arrays)
    passed = [name for name in names if passes(sides, part, name, damage)]
    assert names and passed == []


@pytest.mark.parametrize("part", LAB_PARTS)
def test_a_recording_with_a_missing_or_an_extra_array_is_no_record(sides, part):
    record = sides[1].parts[part]
    for name in record.to_recording().arrays:
        with pytest.raises(BadRecordingError, match="the recording is damaged"):
            with_array(record, name, None)
    with pytest.raises(BadRecordingError, match="unknown arrays: dense_9/kernel"):
        with_array(record, "dense_9/kernel", np.ones(2))


def emptied(record: Record) -> Record:
    """Returns a record in which every array is empty."""
    return sample_records.map_arrays(record, lambda array: array[:0] if array.ndim else array)


@pytest.mark.parametrize("part", LAB_PARTS)
def test_nothing_compared_never_passes(sides, part):
    nothing = [emptied(side.parts[part]) for side in sides]
    assert bad(judge(sides, part, nothing[1], nothing[0]))
    assert bad(judge(sides, part, nothing[1]))


WITHOUT_TENSORS = {
    "facts": lambda record: replace(record, start={}),
    "initial_weights": lambda record: replace(record, weights={}),
    "cases": lambda record: replace(record, answers={}),
    "optimizer": lambda record: replace(record, weights={}),
    "metrics": lambda record: replace(record, curves={}),
    "lockstep": lambda record: replace(record, final={}),
}


@pytest.mark.parametrize("part", WITHOUT_TENSORS)
def test_a_table_without_entries_never_passes(sides, part):
    nothing = [WITHOUT_TENSORS[part](side.parts[part]) for side in sides]
    assert bad(judge(sides, part, nothing[1]))
    assert bad(judge(sides, part, nothing[1], nothing[0]))


@pytest.mark.parametrize("part", [part for part in LAB_PARTS if part != "facts"])
def test_another_runs_record_never_passes(sides, part):
    stale = replace(sides[1].parts[part], run_id="small-seed1-0123456789")
    assert [check.id.partition("/")[2] for check in bad(judge(sides, part, stale))] == ["same-run"]


def test_a_tensor_too_many_fails(sides):
    extra = {"dense_2/kernel": np.ones((10, 10), np.float32)}
    facts, draws, cases, optimizer = (sides[1].parts[part] for part in LAB_PARTS[:4])
    start = cases.answers["the start"]
    answers = {**cases.answers, "the start": replace(start, gradients={**start.gradients, **extra})}
    for part, record in (
        ("facts", replace(facts, start={**facts.start, **extra})),
        ("initial_weights", replace(draws, weights={**draws.weights, **extra})),
        ("cases", replace(cases, answers=answers)),
        ("optimizer", replace(optimizer, weights={**optimizer.weights, **extra})),
    ):
        assert bad(judge(sides, part, record)), part


def test_a_gradient_that_is_missing_fails_at_the_gradients(sides):
    cases = sides[1].parts["cases"]
    start = cases.answers["the start"]
    gradients = {path: array for path, array in start.gradients.items() if path != "dense/kernel"}
    record = replace(cases, answers={**cases.answers, "the start": replace(start, gradients=gradients)})
    checks = bad(judge(sides, "cases", record))
    assert [check.rung for check in checks] == ["gradients"]
    assert "gradient of dense/kernel is missing" in checks[0].detail


def test_small_departures_fail_at_their_rung(sides):
    def scaled(part, name, by):
        record = sides[1].parts[part]
        array = record.to_recording().arrays[name] * by
        return sorted({check.rung for check in bad(judge(sides, part, with_array(record, name, array)))})

    slightly = np.float32(1 + 1e-4)
    assert scaled("initial_weights", "weights/dense/kernel", np.float32(1.01)) == ["initial weights"]
    assert "forward" in scaled("cases", "answers/with biases/probabilities", slightly)
    assert scaled("cases", "answers/the start/loss", slightly) == ["loss"]
    assert scaled("cases", "answers/the start/gradients/dense/kernel", slightly) == ["gradients"]
    assert scaled("optimizer", "weights/dense_1/bias", slightly) == ["optimizer"]
    assert scaled("metrics", "curves/val_loss", slightly) == ["metrics"]
    assert scaled("lockstep", "losses", slightly) == ["lockstep"]
    assert scaled("restarts", "losses", slightly) == ["lockstep"]
    assert scaled("interchange", "probabilities", slightly) == ["interchange"]


def test_a_single_step_that_departs_is_found(sides):
    record = sides[1].parts["restarts"]
    losses = record.losses.copy()
    losses[-3] *= np.float32(1 + 1e-4)  # in the last epoch: a rate that drops late
    (check,) = bad(judge(sides, "restarts", replace(record, losses=losses)))
    assert check.more["step"] == len(losses) - 2 and check.more["epoch"] == 5


def test_too_few_steps_are_an_error(sides):
    few = [replace(side.parts["lockstep"], losses=side.parts["lockstep"].losses[:99]) for side in sides]
    (check,) = bad(judge(sides, "lockstep", few[1], few[0]))
    assert check.status == "error" and str(FEWEST_STEPS) in check.detail


def test_an_error_is_no_pass_when_the_judge_itself_breaks(sides):
    record = sides[1].parts["lockstep"]
    words = replace(record, losses=np.array(["a"] * len(record.losses)))
    (check,) = bad(judge(sides, "lockstep", words))
    assert check.status == "error" and "cannot be compared" in check.detail


def test_a_side_without_an_answer_is_an_error_of_its_rung(sides):
    for part in LAB_PARTS:
        checks = climb.judge(part, sides[0], Side(errors={part: "the oven is cold"}), None)
        assert [(check.status, check.detail) for check in checks] == [("error", "the oven is cold")]
        assert checks[0].id.endswith("/lightning-could-not-answer")


def test_a_failure_names_the_quirk_of_the_backend_that_may_have_made_it(sides):
    ours, theirs = sides
    quirk = Quirk("sparse-gradients-of-embedding", ("lockstep",), "squares each occurrence")
    ours = Side({**ours.parts, "facts": replace(ours.parts["facts"], quirks=[quirk])})
    losses = theirs.parts["lockstep"].losses
    steps = replace(theirs.parts["lockstep"], losses=losses + 0.01)
    for parts, mind in ({"lockstep": steps}, True), ({}, False):
        checks = climb.judge("lockstep", ours, Side({**theirs.parts, **parts}), None)
        minded = [check.id for check in checks if "experiment/sparse-gradients-of-embedding" in check.detail]
        assert minded == ([check.id for check in bad(checks)] if mind else [])
    assert minded == [] and bad(checks) == []


# ---- ids


GOLDEN_IDS = [
    "experiment/same-experiment",
    "data/train-images-and-labels",
    "data/test-images-and-labels",
    "architecture/layers",
    "architecture/parameters",
    "architecture/same-start",
    "initial-weights/scale",
    "initial-weights/distribution",
    "initial-weights/biases",
    "forward/probabilities",
    "loss/batch-loss",
    "gradients/gradients",
    "optimizer/weights-after-every-step",
    "data/batches",
    "metrics/mean-loss",
    "metrics/mean-acc",
    "metrics/mean-val_loss",
    "metrics/mean-val_acc",
    "lockstep/batch-loss-free-run",
    "lockstep/curve-loss",
    "lockstep/curve-acc",
    "lockstep/curve-val_loss",
    "lockstep/curve-val_acc",
    "lockstep/final-val_acc",
    "lockstep/trained-weights",
    "speed/seconds-an-epoch",
    "lockstep/batch-loss-restarted-epochs",
    "interchange/probabilities-keras-weights",
    "interchange/classes-keras-weights",
    "interchange/classes-own-weights",
]


def test_a_quick_run_of_small_has_exactly_these_checks(parity_run):
    report = json.loads((parity_run[0] / "report.json").read_text())
    assert [check["id"] for check in report["checks"]] == GOLDEN_IDS
    assert len(set(GOLDEN_IDS)) == len(GOLDEN_IDS)


# ---- what is judged when


def test_a_part_is_judged_once_as_soon_as_both_have_answered(sides, parity_run):
    judged = []
    one = Climb(
        asked=Experiment.from_dict(sides[1].parts["facts"].experiment), judged=lambda part, _: judged.append(part)
    )
    for part in LAB_REFERENCE_PARTS:
        one.reference.parts[part] = sides[0].parts[part]
        one.judge_answered()
    assert judged == []
    for part in LAB_PARTS:
        one.candidate.parts[part] = sides[1].parts[part]
        one.judge_answered()
        one.judge_answered()
        assert judged == list(LAB_PARTS[: LAB_PARTS.index(part) + 1])
    checks = [check.to_dict() for check in one.finish(LAB_PARTS).checks]
    report = json.loads((parity_run[0] / "report.json").read_text())
    assert [(check["name"], check["status"]) for check in checks] == [
        (check["name"], check["status"]) for check in report["checks"]
    ]
