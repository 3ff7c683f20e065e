"""Climbs the ladder: starts one process a framework, part by part, and judges each as it arrives."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from pathlib import Path

from mlp_spec.experiment import Experiment
from parity import process as children
from parity.protocol import recording
from parity.protocol.recording import Recording
from parity.protocol.task import PARTS, Job, recording_path
from parity.rungs import JUDGES, RUNGS
from parity.rungs.check import Check
from parity.rungs.lockstep import compare_speed

PACKAGES = {"keras": "parity.adapters.keras", "lightning": "parity.adapters.torch"}


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
    side: Side | None = None,
) -> Side:
    """Runs a framework's process through a job's parts; one that ends early goes on behind the part it ended in.

    Args:
        name: `keras` or `lightning`.
        task: the job; recordings that lie in its folder already are removed: nothing stale is read.
        folder: where the job and the log are written.
        stall: how many seconds the process may be silent.
        follow: called with every event, for the display.
        arrived: called with each part that was recorded, when it can be read.
        side: is filled with the answers as they come; a new one unless given.
    """  # fmt: skip
    side, waiting = side or Side(), list(task.parts)
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
    floor = ("floor",) if part in ("lockstep", "interchange") else ()
    for side, name, needed in ((reference, "Keras", (part, *floor)), (candidate, "Lightning", (part,))):
        for one in needed:
            if one not in side.parts:
                why = side.errors.get(one, "not answered")
                subject, title = f"{name.lower()}-could-not-answer", f"{name} could not answer"
                return [Check(subject, RUNGS[part][0], "error", None, None, why, title=title)]
    if part != "facts" and "facts" not in reference.parts:
        return [Check("not-judged", RUNGS[part][0], "error", None, None, "the reference's facts are missing")]
    ours, theirs = with_floor(part, reference), candidate.parts[part]
    if ours.metadata["run_id"] != theirs.metadata["run_id"] and part != "facts" and not mixed(reference, candidate):
        detail = f"Keras answered for {ours.metadata['run_id']}, Lightning for {theirs.metadata['run_id']}"
        return [Check("same-run", RUNGS[part][0], "fail", None, None, detail)]
    try:
        checks = JUDGES[part](ours, theirs, asked if part == "facts" else reference.parts["facts"])
    except Exception as error:  # a recording can be wrong in any way; it must end in a report all the same
        detail = f"the recordings cannot be compared ({type(error).__name__}: {error})"
        return [Check("comparison", RUNGS[part][0], "error", None, None, detail)]
    if part == "lockstep":
        checks.append(compare_speed(ours, theirs, reference.parts["facts"]))
    return checks or [Check("comparison", RUNGS[part][0], "error", None, None, "nothing was compared")]


def with_floor(part: str, reference: Side) -> Recording:
    """Returns a part of the reference, with the runs that measure the noise floor of the free run."""
    ours = reference.parts[part]
    if part not in ("lockstep", "interchange"):
        return ours
    floor = reference.parts["floor"]
    arrays = {**floor.arrays, **ours.arrays} if part == "lockstep" else ours.arrays
    return Recording(arrays, {**floor.metadata, **ours.metadata})


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


@dataclass
class Judging:
    """Judges each part as soon as both sides have answered what it needs; once, whichever thread comes first.

    Attributes:
        climb: both sides, filled while they answer.
        asked: the experiment that was asked for.
        told: called with each part that is judged, and its checks.
        found: the checks by part.
    """

    climb: Climb
    asked: Experiment
    told: Callable[[str, list[Check]], None] = lambda part, checks: None
    found: dict[str, list[Check]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def look(self) -> None:
        """Judges what can be judged by now."""
        with self.lock:
            for part in PARTS:
                if part not in self.found and self.answered(part):
                    self.judge(part)

    def after(self, follow: Callable[[dict], None]) -> Callable[[dict], None]:
        """Returns what passes an event on, and then looks."""

        def on_event(event: dict) -> None:
            """Passes the event on, and looks."""
            follow(event)
            self.look()

        return on_event

    def answered(self, part: str) -> bool:
        """Says whether both sides have answered, well or not, what a part is judged from."""
        needed = {part, "facts", "floor"} if part in ("lockstep", "interchange") else {part, "facts"}
        keras, lightning = ({*side.parts, *side.errors} for side in (self.climb.keras, self.climb.lightning))
        return needed <= keras and {part, "facts"} <= lightning

    def judge(self, part: str) -> None:
        """Judges a part."""
        self.found[part] = judge(part, self.climb.keras, self.climb.lightning, self.asked)
        self.told(part, self.found[part])

    def finish(self, parts: tuple[str, ...]) -> Climb:
        """Judges the rest, after both processes have ended; returns the climb with all its checks."""
        for part in parts:
            if part not in self.found:
                self.judge(part)
        self.climb.checks = [check for part in parts for check in self.found[part]]
        return self.climb


def climb_both(
    task: Job,
    asked: Experiment,
    candidate_of: Callable[[Recording], Job],
    folder: Path,
    stall: float,
    followers: tuple[Callable[[dict], None], Callable[[], Callable[[dict], None]]],
    told: Callable[[str, list[Check]], None] = lambda part, checks: None,
) -> tuple[Climb, Experiment]:
    """Climbs with both sides; Lightning starts as soon as Keras has recorded what Lightning reads.

    Keras's noise floor is measured meanwhile, if both run on the CPU: it takes as long as everything else.

    Args:
        task: the reference's job.
        asked: the experiment that was asked for.
        candidate_of: from the reference's facts to the candidate's job, whose experiment is the one asked for.
        folder, stall: as for `ask`.
        followers: called with Keras's events; returns what is called with Lightning's.
        told: called with each part that has been judged, and its checks.

    Returns:
        the climb, and the experiment that was run.
    """
    ready = threading.Event()
    facts_path = recording_path(task.output_dir, "facts")
    judging = Judging(Climb(), asked, told)

    with ThreadPoolExecutor(1) as pool:

        def arrived(part: str) -> None:
            if part == "interchange" and facts_path.exists() and side_by_side(recording.read(facts_path)):
                ready.set()

        sides = judging.climb.keras, judging.climb.lightning
        asking = pool.submit(ask, "keras", task, folder, stall, judging.after(followers[0]), arrived, sides[0])
        asking.add_done_callback(lambda _: ready.set())
        try:
            ready.wait()
            try:
                job = candidate_of(recording.read(facts_path))
            except recording.BadRecordingError:
                keras = asking.result()
                return Climb(keras, Side(), judge("facts", keras, Side(), asked)), asked
            judging.asked = job.experiment
            ask("lightning", job, folder, stall, judging.after(followers[1]()), side=sides[1])
            asking.result()
        except BaseException:  # Ctrl-C comes here; the thread stops its process and itself
            children.STOPPING.set()
            raise
        finally:
            wait([asking])
            children.STOPPING.clear()
    return judging.finish(job.parts), job.experiment


def side_by_side(facts: Recording) -> bool:
    """Says whether both frameworks can work at once: not on one GPU, nor with PyTorch's threads twice."""
    return facts.metadata["device"] == "cpu" and facts.metadata["backend"] != "torch"
