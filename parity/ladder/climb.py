"""Climbs the ladder: has one process a framework answer part by part, and judges each part as it arrives."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from pathlib import Path

from mlp_spec.experiment import Experiment
from mlp_spec.support.errors import ProjectError
from parity import process
from parity.pair import Settings
from parity.process import Follow, Side, ask
from parity.protocol.task import (
    CANDIDATE_PARTS,
    KERAS,
    LIGHTNING,
    NAMES,
    REFERENCE_PARTS,
    TRAINING_PARTS,
    Task,
    parts_of,
)
from parity.rungs import NEEDED, Rung, own_rung, rungs_of
from parity.rungs.check import Check, Context, without_random_steps


class StopClimbing(ProjectError):
    """A rung failed, and the rest is not wanted."""


@dataclass
class Climb:
    """A climb: both sides, and the checks so far."""

    # reference, candidate: what Keras and Lightning have answered
    reference: Side = field(default_factory=Side)
    candidate: Side = field(default_factory=Side)
    asked: Experiment | Settings | None = None  # what was asked for
    # called with each part that is judged, and its checks
    judged: Callable[[str, list[Check]], None] = lambda part, checks: None
    judgements: dict[str, list[Check]] = field(default_factory=dict)  # the checks by part
    task: Task | None = None  # the reference's, once it was asked
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def checks(self) -> list[Check]:
        """The checks from cause to effect."""
        return [check for part in CANDIDATE_PARTS for check in self.judgements.get(part, ())]

    def judge_answered(self) -> None:
        """Judges each part that both sides have answered what it needs; once, whichever thread comes first."""
        with self.lock:
            for part in CANDIDATE_PARTS:
                if part not in self.judgements and self.is_answered(part):
                    self.judge(part)

    def then_judge(self, follow: Follow) -> Follow:
        """Returns what passes an event on, and then judges what can be judged by now."""

        def on_event(event: dict) -> None:
            """Passes the event on, and judges."""
            follow(event)
            self.judge_answered()

        return on_event

    def spare_reference(self, part: str) -> None:
        """Has the reference stop where the candidate says that nothing is trained, once all that it reads is there.

        Args:
            part: of either side, that has just arrived.
        """
        if part in ("facts", "interchange") and why_untrained(self.candidate) and "interchange" in self.reference.parts:
            self.reference.enough.set()

    def is_answered(self, part: str) -> bool:
        """Says whether both sides have answered, well or not, what a part is judged from."""
        reference, candidate = ({*side.parts, *side.errors} for side in (self.reference, self.candidate))
        needed, own = needed_parts(part, why_untrained(self.candidate))
        return {"facts", *needed} <= reference and {"facts", *own} <= candidate

    def judge(self, part: str) -> list[Check]:
        """Judges a part."""
        self.judgements[part] = judge(part, self.reference, self.candidate, self.asked)
        self.judged(part, self.judgements[part])
        return self.judgements[part]

    def finish(self, parts: tuple[str, ...]) -> "Climb":
        """Judges what has not been judged of some parts, after both processes have ended; returns the climb.

        A side that could not say its facts has nothing else to be judged: it is one error.
        """
        both = all("facts" in side.parts for side in (self.reference, self.candidate))
        for part in parts if both else ("facts",):
            if part not in self.judgements:
                self.judge(part)
        return self


def judge(part: str, reference: Side, candidate: Side, asked: Experiment | Settings | None) -> list[Check]:
    """Judges one part; what could not be answered is an error of its first rung, never a pass."""
    first, why = own_rung(part).name, why_untrained(candidate)
    rungs = [rung for rung in rungs_of(part) if not (why and rung.trains)]
    left_out = [not_compared(rung, why) for rung in rungs_of(part) if rung not in rungs and [*rung.judges][-1] == part]
    if why and part in TRAINING_PARTS:
        return left_out
    for side, name, parts in zip((reference, candidate), (KERAS, LIGHTNING), needed_parts(part, why), strict=True):
        for one in parts:
            if one not in side.parts:
                why, title = side.errors.get(one, "not answered"), f"{NAMES[name]} could not answer"
                return [Check(f"{name}-could-not-answer", first, "error", None, None, why, title=title)]
    if "facts" not in reference.parts:
        return [Check("not-judged", first, "error", None, None, "the reference's facts are missing")]
    ours, theirs = reference.parts[part], candidate.parts[part]
    if ours.run_id != theirs.run_id and part != "facts" and not are_mixed(reference, candidate):
        detail = f"Keras answered for {ours.run_id}, Lightning for {theirs.run_id}"
        return [Check("same-run", first, "fail", None, None, detail)]
    context = Context(reference.parts["facts"], reference.parts.get("floor"), asked, candidate.parts.get("facts"))
    checks = []
    for rung in rungs:
        try:
            found = rung.judges[part](ours, theirs, context)
            checks += [without_random_steps(check, context.why_random) for check in found]
        except Exception as error:  # a record can be wrong in any way; it must end in a report all the same
            detail = f"the records cannot be compared ({type(error).__name__}: {error})"
            checks.append(Check("comparison", rung.name, "error", None, None, detail))
    checks = [with_quirks(check, context) for check in checks]
    checks = checks or [Check("comparison", first, "error", None, None, "nothing was compared")]
    return [*checks, *left_out]


def why_untrained(candidate: Side) -> str:
    """Says why one side or both cannot be trained; empty where both can, and as long as it is not known."""
    return candidate.parts["facts"].untrained if "facts" in candidate.parts else ""


def needed_parts(part: str, why: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Returns what the reference and the candidate must have answered beside their facts before a part is judged.

    Args:
        part: that is judged.
        why: nothing is trained; empty where all is.
    """
    if why:
        return ((), ()) if part in TRAINING_PARTS else ((part,), (part,))
    return (part, *NEEDED.get(part, ())), (part,)


def not_compared(rung: Rung, why: str) -> Check:
    """Says that a rung needs a training, and why there is none."""
    return Check("training", rung.name, "info", None, None, f"not compared: {why}", more={"not_compared": why})


def with_quirks(check: Check, context: Context) -> Check:
    """Returns a failed check with the quirks of the reference's backend that may have failed it; any other as it is."""
    found = [quirk.id for quirk in context.facts.quirks if check.status == "fail" and check.rung in quirk.rungs]
    said = f"; mind a quirk of Keras on {context.facts.backend}: experiment/{', '.join(found)}"
    return replace(check, detail=check.detail + said) if found else check


def are_mixed(reference: Side, candidate: Side) -> bool:
    """Says whether the two sides were asked for different experiments on purpose: the facts tell it then."""
    both = [side.parts.get("facts") for side in (reference, candidate)]
    return all(both) and both[0].experiment_hash != both[1].experiment_hash


def record_reference(task: Task, folder: Path, stall: float) -> tuple[Side, Task]:
    """Has the reference answer everything; returns what it answered, and the task of its candidates.

    Args:
        task: the reference's; its parts are set here.
        folder: where tasks and logs are left.
        stall: how many seconds a process may be silent.
    """
    task = replace(task, parts=parts_of(task.pair, REFERENCE_PARTS), pair=task.pair.for_reference())
    reference = ask(KERAS, task, task.write(folder / "keras.json"), stall)
    return reference, candidates_task(task, reference) if "facts" in reference.parts else task


def candidates_task(task: Task, reference: Side) -> Task:
    """Returns what a candidate is asked after its reference: the same, on the data set that the reference found."""
    pair = task.pair.for_candidate(reference.parts["facts"].experiment)
    return replace(task, pair=pair, parts=parts_of(pair, CANDIDATE_PARTS), reference_dir=task.output_dir)


def climb_with(reference: Side, task: Task, folder: Path, stall: float, stop_early: bool = False) -> Climb:
    """Puts a candidate through the ladder against a reference that has answered already.

    Args:
        reference: what `record_reference` returned.
        task: the candidate's.
        folder: where tasks and logs are left.
        stall: how many seconds a process may be silent.
        stop_early: whether the first failed rung ends it.
    """
    own = replace(task, output_dir=task.reference_dir, reference_dir=None)
    climb = Climb(reference, asked=task.pair.experiment, task=own)

    def arrived(part: str) -> None:
        if any(check.status == "fail" for check in climb.judge(part)):
            raise StopClimbing

    try:
        stop = {"arrived": arrived} if stop_early else {}
        ask(LIGHTNING, task, task.write(folder / "lightning.json"), stall, side=climb.candidate, **stop)
    except StopClimbing:
        return climb.finish(tuple(part for part in task.parts if part in climb.candidate.errors))
    return climb.finish(task.parts)


def climb_both(
    task: Task,
    accelerator: str,
    folder: Path,
    stall: float,
    follow: Callable[[str], Follow],
    judged: Callable[[str, list[Check]], None] = lambda part, checks: None,
) -> Climb:
    """Climbs with both sides; Lightning starts as soon as it is known what Keras trains, and waits where it must.

    So a module that cannot be loaded or bound is told before anything is trained, and Keras's noise floor, which takes
    as long as everything else, is measured meanwhile. Where both do not run on the CPU, one comes after the other.

    Args:
        task: the reference's; the candidate is asked the same, on the data set that the reference found.
        accelerator: the candidate's.
        folder: where tasks and logs are left.
        stall: how many seconds a process may be silent.
        follow: from a side to what is called with its events.
        judged: called with each part that has been judged, and its checks.
    """
    ready = threading.Event()
    climb = Climb(asked=task.pair.experiment, judged=judged)
    reference, candidate = climb.reference, climb.candidate

    with ThreadPoolExecutor(1) as pool:

        def arrived(part: str) -> None:
            if part == "facts" and can_run_together(reference):
                ready.set()
            climb.spare_reference(part)

        first = replace(task, parts=parts_of(task.pair, REFERENCE_PARTS), pair=task.pair.for_reference())
        path, climb.task = first.write(folder / "keras.json"), first
        asking = pool.submit(ask, KERAS, first, path, stall, climb.then_judge(follow(KERAS)), arrived, reference)
        asking.add_done_callback(lambda _: ready.set())
        try:
            ready.wait()
            if "facts" not in reference.parts:
                asking.result()
                climb.judge("facts")
                return climb
            second = candidates_task(task, reference)
            second = replace(second, accelerator=accelerator, output_dir=str(folder / LIGHTNING), together=True)
            climb.asked = second.pair.experiment
            path = second.write(folder / "lightning.json")
            follower = climb.then_judge(follow(LIGHTNING))
            ask(LIGHTNING, second, path, stall, follower, climb.spare_reference, candidate)
            if "facts" in candidate.errors or why_untrained(candidate):
                process.STOPPING.set()  # the reference need not go on
            else:
                asking.result()
        except BaseException:  # Ctrl-C comes here; the thread stops its process and itself
            process.STOPPING.set()
            raise
        finally:
            wait([asking])
            process.STOPPING.clear()
    return climb.finish(second.parts)


def can_run_together(reference: Side) -> bool:
    """Says whether both frameworks can work at once: not on one GPU, nor with PyTorch's threads twice."""
    facts = reference.parts["facts"]
    return facts.device == "cpu" and facts.backend != "torch"
