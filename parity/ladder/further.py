"""Asks further where little departs: is it rounding, and which kinks are near?

The noise floor is what runs of the reference that differ in rounding depart from each other. Two things do not show in
it, and each is asked for where checks failed that it can explain, and no others.

Rounding that is the same in every run of a side: a sum of many equal values, one after the other, loses digits always
in the same direction. What both sides answer in float64 shows it (`parity.ladder.float64`). In float64 there is no more
exact answer to ask for; there, what departs by little is judged beside what such a sum may round
(`parity.ladder.sums`).

Kinks: where a value passes the kink of a ReLU, or the largest of a pool changes places, two runs depart at once by more
than rounding. A port may lie up to ten noise floors away: a kink that is nearer than that, and further away than the
rounding of the runs that measure the floor, is crossed by an honest port and by none of them. Runs of Keras from starts
ten units in the last place away cross it, too. Those that cross one, and no others, raise the floor: where nothing is
crossed, the limit stays what it was.
"""

import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from parity.ladder.climb import Climb, judge
from parity.ladder.float64 import SINGLE, is_within_a_floor, judge_in_float64
from parity.ladder.sums import longest_sum, with_rounded_sums
from parity.process import Follow, ask
from parity.protocol.inputs import HORIZON, largest_so_far
from parity.protocol.records import Answer, Floor, Predictions, Restarts, Run, Steps
from parity.protocol.task import KERAS, write_record
from parity.rungs.check import MULTIPLE, ULPS, Check, distance, floor_of, running_floor

# Parts that a departed training can fail; where another one fails, the port is not the same in any case.
TRAINED = ("lockstep", "restarts", "interchange")
AWAY = int(MULTIPLE)
# A start so many times as far away departs as many times as far. What departs twice as far has crossed a kink.
CROSSED = 2 * MULTIPLE
# What crossed where the reference did not lies within rounding of what such a run departs: within twice as much.
COUNTED = 2 / MULTIPLE

# Parts that both sides compute from the same weights and rows: where they depart by little, it may be rounding.
COMPUTED = {"cases", "layers", "metrics", *TRAINED}

# What a training ends with. Where one of its steps departs by little, that goes on, over a kink by any factor; where
# the training alone departs, kinks are asked for.
STEPS = {"batch-loss-free-run", "batch-loss-restarted-epochs"}
ENDS = {"tensors-after-training", "evaluation-mode-after-training"}

NEARLY = 0.99  # of the horizon: rounded to float32, it is not yet reached
# What fails by more has other causes than rounding that is the same in every run of a side, which was seen to make 83.
LIKE_ROUNDING = 100.0


def look_further(
    climb: Climb,
    stall: float,
    follow: Callable[[str], Follow],
    judged: Callable[[str, list[Check]], None] = lambda part, checks: None,
) -> None:
    """Judges once more, beside what the reference says further, checks that may have failed for want of it.

    The climb, and the recordings of the reference, have from then on what was found; checks that had failed say so.

    Args:
        climb: that has ended.
        stall: how many seconds the process may be silent.
        follow: from a side to what is called with its events.
        judged: called with each part that is judged again.
    """
    if climb.task is None:
        return

    ask_again = partial(ask_reference, climb, stall, follow(KERAS))

    def take(found: dict, parts: tuple[str, ...], passed: str, failed: str) -> None:
        """Keeps records of the reference and judges parts again; what had failed says what it stands beside."""
        for part, record in found.items():
            climb.reference.parts[part] = record
            write_record(climb.task.output_dir, part, record)
        for part in parts:
            before = {check.id: check for check in climb.judgements[part] if check.status != "fail"}
            checks = judge(part, climb.reference, climb.candidate, climb.asked)
            climb.judgements[part] = [before.get(check.id) or explained(check, passed, failed) for check in checks]
            judged(part, climb.judgements[part])

    parts = climb.reference.parts
    if may_be_sums(climb):
        failed, terms = failed_parts(climb), longest_sum(parts)
        beside = f"; beside what a sum of {terms:,} values may round in float64, which is"
        judged_again = tuple(part for part in ("cases", *TRAINED) if part in failed)
        take(with_rounded_sums(parts, failed), judged_again, f"{beside} as far away", f"{beside} nearer")
    if is_like_rounding(climb) and (exact := judge_in_float64(climb, failed_parts(climb), stall, follow)):
        for part, checks in exact.items():
            climb.judgements[part] = decided(climb.judgements[part], {check.id: check for check in checks})
            judged(part, climb.judgements[part])
    if is_training_alone(climb) and (further := ask_again(parts=("lockstep", "floor", "restarts"), away=AWAY)):
        failed, is_lab = failed_parts(climb), climb.task.pair.is_lab
        found = {"floor": with_further_runs(parts, further)} if failed - {"restarts"} else {}
        if "restarts" in failed:
            found["restarts"] = with_further_restarts(parts, further, is_lab)
        count = len(further["floor"].variants)
        beside = f"; beside {count} further runs of Keras from starts {AWAY} units in the last place away, which"
        take(found, TRAINED, f"{beside} depart as far, over a kink", f"{beside} do not depart as far")


def ask_reference(climb: Climb, stall: float, follow: Follow, **changes) -> dict:
    """Asks the reference once more; returns its records, all of them or none.

    Args:
        climb: both sides.
        stall: how many seconds the process may be silent.
        follow: called with its events.
        changes: of the task that it had.
    """
    own = Path(climb.task.output_dir)
    folder = own.with_name(f"{own.name}-further")
    task = replace(climb.task, output_dir=str(folder), reference_dir=str(own), **changes)
    try:
        records = ask(KERAS, task, task.write(folder.with_suffix(".json")), stall, follow).parts
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return records if {*task.parts} <= records.keys() else {}


def failed_parts(climb: Climb) -> set[str]:
    """Names the parts that have failed checks."""
    return {part for part, checks in climb.judgements.items() for check in checks if check.status == "fail"}


def is_like_rounding(climb: Climb) -> bool:
    """Says whether a pair in float32 failed, by little, in what both sides compute from the same weights and rows."""
    failed, parts = failed_parts(climb), climb.reference.parts
    if not failed or not failed <= COMPUTED or not {*failed, "cases", "floor"} <= parts.keys():
        return False
    largest = max(map(largest_gradient, parts["cases"].answers.values()), default=0.0)
    wrong = [check for checks in climb.judgements.values() for check in checks if check.status == "fail"]
    if not failed <= {*TRAINED} and any(check.subject in STEPS for check in wrong):
        wrong = [check for check in wrong if check.subject not in ENDS]
    return departs_by_little(wrong, largest) and precision_of(climb) == "float32"


def decided(checks: list[Check], exact: dict[str, Check]) -> list[Check]:
    """Returns a part's checks, those that had failed as both sides' answers in float64 decide them.

    Args:
        checks: in float32.
        exact: those in float64, by their ids.
    """

    def decide(check: Check) -> Check:
        """Returns what is said of a check that had failed."""
        other = exact.get(check.id)
        if is_within_a_floor(other):
            said = f"{check.detail}; judged in float64; rounding makes it {check.measured:.3g} in float32"
            return replace(other, detail=said, more={**other.more, "looked_further": True})
        found = f" it is {other.measured:.3g}:" if other and isinstance(other.measured, float) else ""
        return explained(check, "", f"; in float64{found} it does not vanish there")

    return [decide(check) if check.status == "fail" else check for check in checks]


def may_be_sums(climb: Climb) -> bool:
    """Says whether a pair in float64 failed, by little, in single batches and what is trained on them."""
    failed, parts = failed_parts(climb), climb.reference.parts
    by_little = all(map(departs_by_little, climb.judgements.values()))
    is_known = all(part in parts for part in ("cases", "layers", "floor", *TRAINED))
    return (
        bool(failed) and failed <= {"cases", *TRAINED} and by_little and is_known and precision_of(climb) == "float64"
    )


def departs_by_little(checks: list[Check], largest: float = 0.0) -> bool:
    """Says whether those that failed, if any, did so by as many noise floors as rounding may have made.

    Args:
        checks: of a part.
        largest: gradient, of which a few units in the last place are little, whatever the floor.
    """
    least = {"gradients": ULPS * SINGLE * largest}  # by rung
    return all(
        isinstance(check.measured, float)
        and isinstance(check.noise_floor, float)
        and check.measured <= max(LIKE_ROUNDING * check.noise_floor, least.get(check.rung, 0.0))
        for check in checks
        if check.status == "fail"
    )


def largest_gradient(answer: Answer) -> float:
    """Returns the largest value of all gradients of a case."""
    return max((float(np.abs(array).max(initial=0.0)) for array in answer.gradients.values()), default=0.0)


def precision_of(climb: Climb) -> str:
    """Returns the precision of a climb."""
    return climb.task.pair.experiment.training.precision


def is_training_alone(climb: Climb) -> bool:
    """Says whether checks failed, and only such as a departed training fails."""
    failed = failed_parts(climb)
    answered = all(part in side.parts for part in TRAINED for side in (climb.reference, climb.candidate))
    return bool(failed) and failed <= {*TRAINED} and answered


def explained(check: Check, passed: str, failed: str) -> Check:
    """Returns a check that had failed, with what it stands beside now."""
    said = failed if check.status == "fail" else passed
    return replace(check, detail=check.detail + said, more={**check.more, "looked_further": True})


def with_further_runs(parts: dict, further: dict) -> Floor:
    """Returns the noise floor with those of some further runs that crossed a kink.

    Args:
        parts: the reference's records.
        further: those of the process that made the further runs: its own free run is what they depart from.
    """
    floor, trained = parts["floor"], further["lockstep"]
    losses = running_floor(trained.losses, [run.losses for run in floor.variants])
    whole = [run.final for run in floor.variants if is_whole(run, trained)]
    finals = {path: floor_of(ours, [final[path] for final in whole]) for path, ours in trained.final.items()}

    def crossed(run: Run) -> bool:
        """Says whether a run departs by more than a start so far away explains."""
        gaps = [distance(trained.losses[: len(run.losses)], run.losses) / losses[: len(run.losses)]]
        if is_whole(run, trained):  # one that ended early has the weights of another step
            pairs = [(distance(ours, run.final[path]), finals[path]) for path, ours in trained.final.items()]
            gaps += [gap.ravel() / least for gap, least in pairs if least]
        return any(gap.max(initial=0.0) > CROSSED for gap in gaps)

    crossing = [run for run in further["floor"].variants if crossed(run)]
    reached = floor.horizon_reached or not all(is_whole(run, trained) for run in crossing)
    counting = [counted_run(run, trained, parts["interchange"]) for run in crossing]
    return replace(floor, variants=[*floor.variants, *counting], horizon_reached=reached)


def is_whole(run: Run, trained: Steps) -> bool:
    """Says whether a run went on to the end: it did not pass the horizon."""
    return len(run.losses) == len(trained.losses)


def with_further_restarts(parts: dict, further: dict, is_lab: bool = False) -> Restarts:
    """Returns the restarted epochs with the floor of those that crossed a kink; see `with_further_runs`.

    A run so far away may pass the horizon where the reference's own do not: all steps stay judged, and none by more.

    Args:
        parts: the reference's records.
        further: those of the process that made the further runs.
        is_lab: whether the horizon is the lab's, see `horizon_of`.
    """
    restarts, ours = parts["restarts"], further["restarts"].losses
    losses = running_floor(ours, restarts.variants)
    counting = [
        within_horizon(counted(run, ours), ours, np.float64(1) if is_lab else largest_so_far(ours))
        for run in further["restarts"].variants
        if (distance(ours[: len(run)], run) / losses[: len(run)]).max() > CROSSED
    ]
    return replace(restarts, variants=[*restarts.variants, *counting])


def within_horizon(losses: np.ndarray, ours: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Returns a run's losses, those beyond the chaos horizon moved to where it begins.

    Args:
        losses: of the run.
        ours: the reference's.
        size: what the horizon is relative to.
    """
    most = np.broadcast_to(NEARLY * HORIZON * size, ours.shape)[: len(losses)]
    own = ours[: len(losses)].astype(np.float64)
    return (own + np.clip(losses - own, -most, most)).astype(losses.dtype)


def counted_run(run: Run, trained: Steps, predicted: Predictions) -> Run:
    """Returns a run with as much of its departure as counts; one that ended early keeps its end."""
    known = run.probabilities is not None
    return Run(
        losses=counted(run.losses, trained.losses),
        curves={name: counted(curve, trained.curves[name]) for name, curve in run.curves.items()},
        final={path: counted(array, trained.final[path]) for path, array in run.final.items()},
        probabilities=counted(run.probabilities, predicted.probabilities) if known else None,
    )


def counted(array: np.ndarray, ours: np.ndarray) -> np.ndarray:
    """Returns values between the reference's, as many as there are, and a run's: so far away as counts as floor."""
    if array.dtype.names:  # several outputs
        both = np.empty_like(array)
        for name in array.dtype.names:
            both[name] = counted(array[name], ours[name])
        return both
    ours = ours[: len(array)].astype(np.float64) if array.ndim else ours.astype(np.float64)
    # x' = x + 2 / 10 (y - x), so that ten floors are twice what the run departs
    return (ours + COUNTED * (array.astype(np.float64) - ours)).astype(array.dtype)
