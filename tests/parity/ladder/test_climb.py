"""Every rung, on the recordings of a real run: the pair passes, and nothing that is damaged ever does."""

import dataclasses

import numpy as np
import pytest

from mlp_spec.experiment import Experiment
from parity.ladder import climb as ladder
from parity.ladder.climb import Side
from parity.protocol import recording
from parity.protocol.recording import Recording
from parity.protocol.task import PARTS, REFERENCE_PARTS, Job, recording_path
from parity.rungs.check import MULTIPLE, compare, floor_of, worst
from parity.rungs.lockstep import FEWEST_STEPS, horizon_of, running_floor


@pytest.fixture(scope="module")
def sides(parity_run) -> tuple[Side, Side]:
    """What both frameworks recorded in a short run of `small`."""
    folder, ended = parity_run
    assert ended.status == 0, ended
    return tuple(
        Side({part: recording.read(recording_path(folder / name, part)) for part in parts})
        for name, parts in (("keras", REFERENCE_PARTS), ("lightning", PARTS))
    )


def judged(sides, part: str, candidate: Recording | None = None, reference: Recording | None = None) -> list:
    """Judges a part, with another recording in place of a side's own."""
    ours, theirs = sides
    asked = Experiment.from_dict(ours.parts["facts"].metadata["experiment"])
    ours = Side({**ours.parts, part: reference or ours.parts[part]})
    theirs = Side({**theirs.parts, part: candidate or theirs.parts[part]})
    return ladder.judge(part, ours, theirs, asked)


def bad(checks: list) -> list:
    """Takes the checks that keep a run from passing."""
    return [check for check in checks if check.status in ("fail", "error")]


def with_array(found: Recording, name: str, array: np.ndarray | None) -> Recording:
    """Returns a recording with one array replaced, or without it."""
    arrays = {key: value for key, value in found.arrays.items() if key != name}
    return Recording(arrays if array is None else {**arrays, name: array}, found.metadata)


def spoiled(array: np.ndarray, value: float) -> np.ndarray:
    """Returns a copy whose last number is `value`."""
    copy = array.astype(np.result_type(array, np.float32))
    copy.reshape(-1)[-1] = value
    return copy


@pytest.mark.parametrize("part", PARTS)
def test_the_pair_passes(sides, part):
    checks = judged(sides, part)
    assert any(check.status == "pass" for check in checks) and not bad(checks), checks


DAMAGE = {
    "missing": lambda array: None,
    "empty": lambda array: array[:0],
    "of another shape": lambda array: array[None],
    "not a number": lambda array: spoiled(array, np.nan),
    "infinite": lambda array: spoiled(array, -np.inf),
    "all not a number": lambda array: np.full(array.shape, np.nan, np.float32),
}


# What is recorded for the search for causes alone.
EVIDENCE = {("metrics", "losses")}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("part", PARTS)
def test_no_damaged_array_of_the_candidate_passes(sides, part, damage):
    given = sides[1].parts[part]
    passed = [
        name
        for name, array in given.arrays.items()
        if (part, name) not in EVIDENCE and not bad(judged(sides, part, with_array(given, name, DAMAGE[damage](array))))
    ]
    assert given.arrays and passed == []


@pytest.mark.parametrize("part", PARTS)
def test_nothing_compared_never_passes(sides, part):
    nothing = [Recording({}, side.parts[part].metadata) for side in sides]
    assert bad(judged(sides, part, nothing[1], nothing[0]))
    assert bad(judged(sides, part, nothing[1]))


@pytest.mark.parametrize("part", [part for part in PARTS if part not in ("facts",)])
def test_another_runs_recording_never_passes(sides, part):
    given = sides[1].parts[part]
    stale = Recording(given.arrays, {**given.metadata, "run_id": "small-seed1-0123456789"})
    assert [check.name for check in bad(judged(sides, part, stale))] == ["same run"]


def test_a_tensor_too_many_fails(sides):
    extra = {
        "facts": "start/dense_2/kernel",
        "initial": "dense_2/kernel",
        "cases": "the start/gradients/dense_2/kernel",
        "optimizer": "weights/dense_2/kernel",
    }
    for part, name in extra.items():
        given = sides[1].parts[part]
        assert bad(judged(sides, part, with_array(given, name, np.ones((10, 10), np.float32)))), part


def test_a_gradient_that_is_missing_fails_at_the_gradients(sides):
    given = sides[1].parts["cases"]
    checks = bad(judged(sides, "cases", with_array(given, "the start/gradients/dense_0/kernel", None)))
    assert [check.rung for check in checks] == ["gradients"]
    assert "gradients/dense_0/kernel is missing" in checks[0].detail


def test_a_recording_of_an_earlier_run_is_not_read(sides, tmp_path, monkeypatch):
    given = sides[0].parts["facts"]
    experiment = Experiment.from_dict(given.metadata["experiment"])
    task = Job(experiment, "mnist-sample", None, "cpu", str(tmp_path / "keras"))
    (tmp_path / "keras").mkdir()
    for part in PARTS:
        recording.write(recording_path(tmp_path / "keras", part), given.arrays, given.metadata)
    monkeypatch.setitem(ladder.PACKAGES, "keras", "no_such_package")  # a process that ends without an answer
    side = ladder.ask("keras", task, tmp_path, 30.0, lambda event: None)
    assert side.parts == {} and set(side.errors) == set(PARTS)
    assert not recording_path(tmp_path / "keras", "facts").exists()


def test_a_side_without_an_answer_is_an_error_of_its_rung(sides):
    for part in PARTS:
        told = ladder.judge(part, sides[0], Side(errors={part: "the oven is cold"}), None)
        assert [(check.status, check.detail) for check in told] == [("error", "the oven is cold")]


def test_small_departures_fail_at_their_rung(sides):
    def scaled(part, name, by):
        given = sides[1].parts[part]
        return sorted({c.rung for c in bad(judged(sides, part, with_array(given, name, given.arrays[name] * by)))})

    loss = np.float32(1 + 1e-4)
    assert scaled("initial", "dense_0/kernel", np.float32(1.01)) == ["initial weights"]
    assert "forward" in scaled("cases", "with biases/probabilities", loss)
    assert scaled("cases", "the start/loss", loss) == ["loss"]
    assert scaled("cases", "the start/gradients/dense_0/kernel", loss) == ["gradients"]
    assert scaled("optimizer", "weights/dense_1/bias", loss) == ["optimizer"]
    assert scaled("metrics", "curve/val_loss", loss) == ["metrics"]
    assert scaled("lockstep", "losses", loss) == ["lockstep"]
    assert scaled("restarts", "losses", loss) == ["lockstep"]
    assert scaled("interchange", "probabilities", loss) == ["interchange"]


def test_a_single_step_that_departs_is_found(sides):
    given = sides[1].parts["restarts"]
    losses = given.arrays["losses"].copy()
    losses[-3] *= np.float32(1 + 1e-4)  # in the last epoch: a rate that drops late
    (check,) = bad(judged(sides, "restarts", with_array(given, "losses", losses)))
    assert check.more["step"] == len(losses) - 2 and check.more["epoch"] == 5


def test_too_few_steps_are_an_error(sides):
    few = [
        Recording({**side.parts["lockstep"].arrays, "losses": side.parts["lockstep"].arrays["losses"][:99]}, {})
        for side in sides
    ]
    few = [dataclasses.replace(one, metadata=sides[0].parts["lockstep"].metadata) for one in few]
    (check,) = bad(judged(sides, "lockstep", few[1], few[0]))
    assert check.status == "error" and str(FEWEST_STEPS) in check.detail


def test_an_error_is_no_pass_when_the_judge_itself_breaks(sides):
    given = sides[1].parts["lockstep"]
    words = Recording({"losses": np.array(["a"] * len(given.arrays["losses"]))}, given.metadata)
    (check,) = judged(sides, "lockstep", words)
    assert check.status == "error" and "cannot be compared" in check.detail


def test_the_floor_is_the_references_own_and_never_below_a_few_ulp():
    reference = np.array([2.0, 1.0], np.float32)
    eps = np.finfo(np.float32).eps
    assert floor_of(reference, [reference, reference]) == pytest.approx(4 * eps * 2)
    assert floor_of(reference, [reference, reference + np.float32(0.5)]) == 0.5
    # the running maximum: what has departed once may depart as far again
    losses = np.full(6, 2.0)
    run = losses + np.array([0, 1e-9, 0, 1e-3, 0, 0])
    floor = running_floor(losses, [run])
    assert (np.diff(floor) >= 0).all() and floor[1] == floor[2] == pytest.approx(1e-9, rel=1e-6)
    assert horizon_of(floor) == 3


def test_a_run_that_ended_beyond_the_horizon_ends_the_judging():
    losses = np.full(6, 2.0)
    assert horizon_of(running_floor(losses, [losses[:4]])) == 3


def test_a_candidates_own_noise_never_widens_a_limit():
    reference = np.ones(3, np.float32)
    gap = compare("x", reference, reference + np.float32(1e-3), [reference])
    assert gap.limit == pytest.approx(MULTIPLE * 4 * np.finfo(np.float32).eps)
    assert worst("x", "loss", [gap], "").status == "fail"
    assert worst("x", "loss", [], "").status == "error"
