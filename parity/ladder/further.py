"""Trains the reference again, from starts further away, where a candidate's training alone departs.

Where a value passes the kink of a ReLU, or the largest of a pool changes places, two runs depart at once by more than
rounding. A port may lie up to ten noise floors away: a kink that is nearer than that, and further away than the
rounding of the runs that measure the floor, is crossed by an honest port and by none of them. Runs of Keras from starts
ten units in the last place away cross it, too. Those that cross one, and no others, raise the floor: where nothing is
crossed, the limit stays what it was.
"""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from parity.ladder.climb import Climb, judge
from parity.process import Follow, ask
from parity.protocol.records import Floor, Predictions, Restarts, Run, Steps
from parity.protocol.task import KERAS, write_record
from parity.rungs.check import MULTIPLE, Check, distance, floor_of, running_floor

# Parts that a departed training can fail; where another one fails, the port is not the same in any case.
TRAINED = ("lockstep", "restarts", "interchange")
AWAY = int(MULTIPLE)
# A start so many times as far away departs as many times as far. What departs twice as far has crossed a kink.
CROSSED = 2 * MULTIPLE
# What crossed where the reference did not lies within rounding of what such a run departs: within twice as much.
COUNTED = 2 / MULTIPLE


def is_training_alone(climb: Climb) -> bool:
    """Says whether checks failed, and only such as a departed training fails, of a pair that is not the lab's."""
    failed = {part for part, checks in climb.judgements.items() for check in checks if check.status == "fail"}
    answered = all(part in side.parts for part in TRAINED for side in (climb.reference, climb.candidate))
    if not failed or not failed <= {*TRAINED} or not answered or climb.task is None:
        return False
    return not climb.task.pair.is_lab


def look_further(
    climb: Climb,
    stall: float,
    follow: Callable[[str], Follow],
    judged: Callable[[str, list[Check]], None] = lambda part, checks: None,
) -> None:
    """Judges a training that alone failed once more, beside runs of Keras that start further away.

    The climb, and the recordings of the reference, have the further runs from then on; checks that had failed say so.

    Args:
        climb: that has ended.
        stall: how many seconds the process may be silent.
        follow: from a side to what is called with its events.
        judged: called with each part that is judged again.
    """
    if not is_training_alone(climb):
        return
    before = {check.id for part in TRAINED for check in climb.judgements[part] if check.status == "fail"}
    own = Path(climb.task.output_dir)
    folder = own.with_name(f"{own.name}-further")
    task = replace(climb.task, parts=("lockstep", "floor", "restarts"), away=AWAY, output_dir=str(folder))
    try:
        further = ask(KERAS, task, task.write(folder.with_suffix(".json")), stall, follow(KERAS)).parts
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if not {*task.parts} <= further.keys():
        return
    parts = climb.reference.parts
    parts |= {"floor": with_further_runs(parts, further), "restarts": with_further_restarts(parts, further)}
    for part in ("floor", "restarts"):
        write_record(own, part, parts[part])
    runs = len(further["floor"].variants)
    for part in TRAINED:
        checks = judge(part, climb.reference, climb.candidate, climb.asked)
        climb.judgements[part] = [explained(check, runs) if check.id in before else check for check in checks]
        judged(part, climb.judgements[part])


def explained(check: Check, runs: int) -> Check:
    """Returns a check that had failed, with what further runs have to do with it."""
    beside = f"; beside {runs} further runs of Keras from starts {AWAY} units in the last place away"
    found = "which do not depart as far" if check.status == "fail" else "which depart as far, over a kink"
    return replace(check, detail=f"{check.detail}{beside}, {found}", more={**check.more, "further_runs": runs})


def with_further_runs(parts: dict, further: dict) -> Floor:
    """Returns the noise floor with those of some further runs that crossed a kink.

    Args:
        parts: the reference's records.
        further: those of the process that made the further runs: its own free run is what they depart from.
    """
    floor, trained, runs = parts["floor"], further["lockstep"], further["floor"].variants
    losses = running_floor(trained.losses, [run.losses for run in floor.variants])
    finals = {path: floor_of(ours, [run.final[path] for run in floor.variants]) for path, ours in trained.final.items()}
    found = []
    for run in runs:
        count = len(run.losses)
        steps = distance(trained.losses[:count], run.losses) / losses[:count]
        tensors = [
            distance(ours, run.final[path]).max(initial=0.0) / finals[path]
            for path, ours in trained.final.items()
            if finals[path]
        ]
        if max(*steps, *tensors) > CROSSED:
            found.append(counted_run(run, trained, parts["interchange"]))
    reached = floor.horizon_reached or further["floor"].horizon_reached
    return replace(floor, variants=[*floor.variants, *found], horizon_reached=reached)


def with_further_restarts(parts: dict, further: dict) -> Restarts:
    """Returns the restarted epochs with the floor of those that crossed a kink; see `with_further_runs`."""
    restarts, ours = parts["restarts"], further["restarts"].losses
    losses = running_floor(ours, restarts.variants)
    found = [
        counted(run, ours)
        for run in further["restarts"].variants
        if (distance(ours[: len(run)], run) / losses[: len(run)]).max() > CROSSED
    ]
    return replace(restarts, variants=[*restarts.variants, *found])


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
