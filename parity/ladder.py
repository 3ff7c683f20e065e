"""Climbs the ladder: starts one process a framework, part by part, and judges each as it arrives."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from mlp_spec import recording
from mlp_spec.experiment import Experiment
from mlp_spec.job import PARTS, Job, recording_path
from mlp_spec.recording import Recording
from parity import children
from parity.checks import Check
from parity.rungs import JUDGES, RUNGS
from parity.rungs.lockstep import compare_speed

PACKAGES = {"keras": "keras_reference", "lightning": "lightning_mlp"}


class StopClimbing(Exception):
    """A rung failed, and the rest is not wanted."""


@dataclass
class Side:
    """What one framework's process has answered.

    Attributes:
        parts: its recordings by part.
        errors: what went wrong, by part.
    """

    parts: dict[str, Recording] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)


@dataclass
class Climb:
    """A climb: both sides, and the checks so far.

    Attributes:
        keras, lightning: the reference and the candidate.
        checks: from cause to effect.
    """

    keras: Side = field(default_factory=Side)
    lightning: Side = field(default_factory=Side)
    checks: list[Check] = field(default_factory=list)


def ask(
    name: str,
    task: Job,
    folder: Path,
    stall: float,
    follow: Callable[[dict], None],
    arrived: Callable[[str], None] = lambda part: None,
) -> Side:
    """Runs a framework's process through a job's parts; one that ends early goes on behind the part it ended in.

    Args:
        name: `keras` or `lightning`.
        task: the job; recordings that lie in its folder already are removed: nothing stale is read.
        folder: where the job and the log are written.
        stall: how many seconds the process may be silent.
        follow: called with every event, for the display.
        arrived: called with each part that was recorded, when it can be read.
    """  # fmt: skip
    side, waiting = Side(), list(task.parts)
    Path(task.output_dir).mkdir(parents=True, exist_ok=True)
    for part in waiting:
        recording_path(task.output_dir, part).unlink(missing_ok=True)

    def on_event(event: dict) -> None:
        kind, part = event["event"], event.get("part")
        if kind == "part" and part in waiting:
            waiting.remove(part)
            try:
                side.parts[part] = recording.read(recording_path(task.output_dir, part))
            except recording.BadRecordingError as error:
                side.errors[part] = str(error)
                return
            arrived(part)
        elif kind == "failed" and part in waiting:
            waiting.remove(part)
            side.errors[part] = str(event["message"])
        follow(event)

    while waiting:
        before = len(waiting)
        message = children.run_probe(PACKAGES[name], replace(task, parts=tuple(waiting)), folder, stall, on_event)
        if not waiting:
            break
        message = message or f"{PACKAGES[name]} ended without an answer"
        if before == len(waiting) and not side.parts and not side.errors:  # it never got going: it never will
            side.errors |= dict.fromkeys(waiting, message)
            break
        side.errors[waiting.pop(0)] = message
    return side


def judge(part: str, reference: Side, candidate: Side, asked: Experiment) -> list[Check]:
    """Judges one part; what could not be answered is an error of its first rung, never a pass."""
    for side, name in ((reference, "Keras"), (candidate, "Lightning")):
        if part not in side.parts:
            why = side.errors.get(part, "not answered")
            return [Check(f"{name} could not answer", RUNGS[part][0], "error", None, None, why)]
    if part != "facts" and "facts" not in reference.parts:
        return [Check("not judged", RUNGS[part][0], "error", None, None, "the reference's facts are missing")]
    ours, theirs = reference.parts[part], candidate.parts[part]
    if ours.metadata["run_id"] != theirs.metadata["run_id"] and part != "facts" and not mixed(reference, candidate):
        detail = f"Keras answered for {ours.metadata['run_id']}, Lightning for {theirs.metadata['run_id']}"
        return [Check("same run", RUNGS[part][0], "fail", None, None, detail)]
    try:
        checks = JUDGES[part](ours, theirs, asked if part == "facts" else reference.parts["facts"])
    except Exception as error:  # a recording can be wrong in any way; it must end in a report all the same
        detail = f"the recordings cannot be compared ({type(error).__name__}: {error})"
        return [Check("comparison", RUNGS[part][0], "error", None, None, detail)]
    if part == "lockstep":
        checks.append(compare_speed(ours, theirs, reference.parts["facts"]))
    return checks or [Check("comparison", RUNGS[part][0], "error", None, None, "nothing was compared")]


def mixed(reference: Side, candidate: Side) -> bool:
    """Says whether the two sides were asked for different experiments on purpose: the facts tell it then."""
    both = [side.parts.get("facts") for side in (reference, candidate)]
    return all(both) and both[0].metadata["experiment_hash"] != both[1].metadata["experiment_hash"]


def climb_with(
    reference: Side,
    task: Job,
    folder: Path,
    stall: float,
    follow: Callable[[dict], None],
    asked: Experiment,
    stop_early: bool = False,
) -> Climb:
    """Puts a candidate through the ladder against a reference that has answered already.

    Args:
        reference: what `ask` returned for Keras.
        task: the candidate's job.
        folder, stall, follow: as for `ask`.
        asked: the experiment that was asked for.
        stop_early: whether the first failed rung ends it.
    """  # fmt: skip
    climb = Climb(keras=reference)
    early = Side()

    def arrived(part: str) -> None:
        if not stop_early:
            return
        early.parts[part] = recording.read(recording_path(task.output_dir, part))
        if any(check.status == "fail" for check in judge(part, reference, early, asked)):
            raise StopClimbing

    try:
        climb.lightning = ask("lightning", task, folder, stall, follow, arrived)
    except StopClimbing:
        climb.lightning = early
    for part in PARTS:
        if part in task.parts and not (stop_early and part not in climb.lightning.parts | climb.lightning.errors):
            climb.checks += judge(part, reference, climb.lightning, asked)
    return climb
