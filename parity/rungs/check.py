"""What a check is, and how a gap is judged against the reference's own noise floor."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace

import numpy as np

from mlp_spec.experiment import Experiment
from parity.pair import Settings
from parity.protocol.inputs import HORIZON, largest_so_far
from parity.protocol.records import Facts, Floor

# A gap of this many times the noise floor fails. Measured on the full MNIST, two frameworks stay below one floor;
# the worst of many thousand steps in float32 and float64 stayed below three.
MULTIPLE = 10
# The floor is never below this many units in the last place of the quantity: with one run that happens to
# round alike it would be 0.
ULPS = 4


@dataclass(frozen=True)
class Check:
    """One check's result, as `report.json` holds it."""

    subject: str  # what was compared, in words joined by hyphens; with the rung it makes the check's stable id
    rung: str  # the ladder's rung
    status: str  # `pass`, `fail`, `error` (it could not be decided) or `info` (it does not decide)
    measured: float | int | str | None = None  # the number or text that was found, also on a pass
    limit: float | int | str | None = None  # what `measured` may be at most
    detail: str = ""  # the reason for the limit, or what differs
    noise_floor: float | None = None  # how far the reference departs from itself; None where there is no noise
    more: dict = field(default_factory=dict)  # further fields of this check, such as the step of the largest gap
    title: str = ""  # what was compared, for people; the subject's words unless given

    @property
    def id(self) -> str:
        """The check's name for machines, such as `initial-weights/scale`: no other check of a run has it."""
        return f"{self.rung.replace(' ', '-')}/{self.subject}"

    @property
    def name(self) -> str:
        """The check's name for people."""
        return self.title or self.subject.replace("-", " ")

    def to_dict(self) -> dict:
        """Returns the check as plain JSON values."""
        fields = asdict(self)
        more = fields.pop("more")
        del fields["subject"], fields["title"]
        return {"id": self.id, "name": self.name, **fields, **more}


@dataclass(frozen=True)
class Context:
    """What every rung may look at beside the two records that it judges."""

    facts: Facts  # the reference's
    floor: Floor | None = None  # the runs that measure the noise floor of its free run; None where they are not needed
    asked: Experiment | Settings | None = None  # what was asked for
    candidate: Facts | None = None  # the candidate's

    @property
    def untrained(self) -> str:
        """Says why nothing is trained, of a pair file; empty where all is."""
        return self.candidate.untrained if self.candidate else ""

    @property
    def why_random(self) -> str:
        """Says why two training steps cannot be the same, of a pair file; empty where they can."""
        whys = [facts.unsilenced for facts in (self.facts, self.candidate) if facts and facts.unsilenced]
        return f"not compared: {'; '.join(whys)}; the rung random layers compares the laws" if whys else ""

    @property
    def draws_elsewhere(self) -> bool:
        """Says whether something draws in the candidate's training step."""
        return self.candidate is not None and bool(self.candidate.rates or self.candidate.draws)

    @property
    def augmented_elsewhere(self) -> str:
        """Names Keras's layers that augment rows, where the candidate's data set does so; else empty."""
        ours, theirs = (facts.data.get("train", {}) if facts else {} for facts in (self.facts, self.candidate))
        return ", ".join(ours.get("augments", ())) if theirs.get("random") else ""

    @property
    def is_lab(self) -> bool:
        """Says whether the lab's pair is judged; a pair file's layers, curves and outputs may be of any kind."""
        return "model" in self.facts.experiment


# By rung, the subjects of what only two training steps that are not random have in common; all of them where none is
# named.
OF_STEPS = {
    "forward": ("layers-in-training-mode", "layers-after-training-passes", "layers-in-isolation"),
    "loss": (),
    "gradients": (),
    "metrics": (),
    "lockstep": ("batch-loss-free-run", "batch-loss-restarted-epochs", "tensors-after-training"),
    "interchange": ("evaluation-mode-after-training",),
}


def without_random_steps(check: Check, why_random: str) -> Check:
    """Returns a check that informs in place of failing, where it compares training steps and they are random.

    Args:
        check: what was judged.
        why_random: why they are; empty where they are not.
    """
    subjects = OF_STEPS.get(check.rung)
    is_of_steps = subjects is not None and (not subjects or check.subject in subjects)
    if not why_random or not is_of_steps or check.status not in ("fail", "error") or check.measured == "not a number":
        return check
    more = {"not_compared": why_random.removeprefix("not compared: ")}
    return replace(check, status="info", limit=None, noise_floor=None, detail=why_random, more=more)


def judged(passed: bool) -> str:
    """Returns the status of a decided check."""
    return "pass" if passed else "fail"


@dataclass(frozen=True)
class Gap:
    """How far one array of the candidate is from the reference's."""

    where: str  # the array, and the place in it
    measured: float  # the largest gap; infinite where the candidate has no number
    floor: float  # the noise floor there
    index: tuple[int, ...] = ()  # the place
    of_all: float | None = None  # of steps of which the first that fails is shown: the largest ratio of all

    @property
    def limit(self) -> float:
        """What the gap may be at most."""
        return MULTIPLE * self.floor

    @property
    def ratio(self) -> float:
        """The gap in units of its limit; above 1 fails."""
        if self.limit == 0:
            return 0.0 if self.measured == 0 else np.inf
        return self.measured / self.limit


def epsilon(array: np.ndarray) -> float:
    """Returns the distance from 1 to the next number of the array's precision."""
    return float(np.finfo(array.dtype).eps)


def floor_of(reference: np.ndarray, variants: Iterable[np.ndarray]) -> float:
    """Returns how far the reference departs from itself, at least a few units in the last place.

    Args:
        reference: any shape.
        variants: runs that differ in rounding only, of the same shape.
    """
    scale = float(np.abs(reference).max(initial=0.0))
    departures = [float(np.abs(variant.astype(np.float64) - reference).max(initial=0.0)) for variant in variants]
    return max([*departures, ULPS * epsilon(reference) * scale])


def compare(where: str, reference: np.ndarray, candidate: np.ndarray, variants: list[np.ndarray]) -> Gap | str:
    """Compares two arrays; returns the gap, or in words why there is none to measure.

    The limit of the whole array is that of its largest value: rounding of a sum depends on what was summed. Of several
    outputs in one array (`user_data.joined`), each has its own limit; the one nearest to it counts.
    """
    if reference.size == 0:
        return f"{where} is empty"
    if reference.dtype.names:
        return compare_outputs(where, reference, candidate, variants)
    if reference.shape != candidate.shape:
        return f"{where} has the shape {candidate.shape}, not {reference.shape}"
    gaps = distance(reference, candidate)
    index = np.unravel_index(int(gaps.argmax()), gaps.shape)
    return Gap(
        f"{where}{list(map(int, index))}", float(gaps[index]), floor_of(reference, variants), tuple(map(int, index))
    )


def compare_outputs(where: str, reference: np.ndarray, candidate: np.ndarray, variants: list[np.ndarray]) -> Gap | str:
    """Compares several outputs, each by itself; returns the gap nearest to its limit, or words."""
    if reference.dtype.names != candidate.dtype.names:
        return f"{where} has the outputs {candidate.dtype.names}, not {reference.dtype.names}"
    gaps = [
        compare(f"{where}, {name}", reference[name], candidate[name], [variant[name] for variant in variants])
        for name in reference.dtype.names
    ]
    words = [gap for gap in gaps if isinstance(gap, str)]
    return words[0] if words else max(gaps, key=lambda gap: gap.ratio)


def distance(reference: np.ndarray, candidate: np.ndarray) -> np.ndarray:
    """Returns absolute differences; infinite where the candidate has no number and the reference has."""
    with np.errstate(invalid="ignore", over="ignore"):
        gaps = np.abs(candidate.astype(np.float64) - reference.astype(np.float64))
    same = (reference == candidate) | (np.isnan(reference) & np.isnan(candidate))
    return np.where(same, 0.0, np.where(np.isfinite(gaps), gaps, np.inf))


def worst(subject: str, rung: str, gaps: list[Gap | str], detail: str, title: str = "") -> Check:
    """Judges many gaps at once: the one nearest to (or farthest above) its limit is shown.

    Args:
        subject, rung: the check's.
        gaps: what `compare` returned; words are failures. None at all is an error.
        detail: why the limit is what it is.
        title: the check's.
    """  # fmt: skip
    if not gaps:
        return Check(subject, rung, "error", None, 0, "nothing was compared", title=title)
    words = [gap for gap in gaps if isinstance(gap, str)]
    if words:
        more = f" and {len(words) - 1} more" if len(words) > 1 else ""
        return Check(subject, rung, "fail", f"{words[0]}{more}"[:100], 0, "; ".join(words), title=title)
    top = max(gaps, key=lambda gap: gap.ratio)
    measured = top.measured if np.isfinite(top.measured) else "not a number"
    return Check(
        subject,
        rung,
        judged(top.ratio <= 1),  # a NaN never gets here: `distance` made it infinite
        measured,
        top.limit,
        f"{detail}; {'worst' if len(gaps) > 1 else 'largest'} at {top.where}",
        top.floor,
        more={
            "largest": max((gap.measured for gap in gaps if np.isfinite(gap.measured)), default=None),
            "all": [{"where": gap.where, "measured": finite(gap.measured), "limit": gap.limit} for gap in gaps],
        },
        title=title,
    )


def running_floor(ours: np.ndarray, runs: list[np.ndarray]) -> np.ndarray:
    """Returns the noise floor so far, step by step: the largest departure of any run, at least a few ulp.

    A run that ended early (beyond the horizon) counts up to its end.
    """
    departures = np.zeros(len(ours))
    for run in runs:
        departures[: len(run)] = np.maximum(departures[: len(run)], distance(ours[: len(run)], run))
        if len(run) < len(ours):
            departures[len(run) - 1] = max(departures[len(run) - 1], HORIZON * largest_so_far(ours)[len(run) - 1])
    smallest = ULPS * epsilon(ours) * np.maximum.accumulate(np.abs(ours).astype(np.float64))
    # A loss far below 1 is log(1 + small): the sum under the logarithm is rounded at 1, however small the loss.
    smallest = np.maximum(smallest, epsilon(ours))
    return np.maximum(np.maximum.accumulate(departures), smallest)


def horizon_of(floor: np.ndarray, losses: np.ndarray | None = None) -> int:
    """Returns how many steps lie before the chaos horizon.

    Args:
        floor: of every step, as `running_floor` returns it.
        losses: the reference's, where they may be of any size: what counts is the departure relative to the largest
            so far, and at least to 1. The lab's are about 1.
    """
    size = 1.0 if losses is None else largest_so_far(losses)
    beyond = np.flatnonzero(~(floor < HORIZON * size))
    return int(beyond[0]) if len(beyond) else len(floor)


def of_steps(
    subject: str, rung: str, gaps: np.ndarray, floor: np.ndarray, horizon: int, detail: str, title: str = ""
) -> Check:
    """Judges steps up to a horizon; the first one that fails is shown, else the one nearest to its limit."""
    if horizon == 0:
        return Check(subject, rung, "error", None, None, f"nothing is left to judge: {detail}", title=title)
    ratio = gaps[:horizon] / (MULTIPLE * floor[:horizon])
    failing = np.flatnonzero(~(ratio <= 1))
    step = int(failing[0]) if len(failing) else int(ratio.argmax())
    lost = np.flatnonzero(~np.isfinite(gaps))
    if len(lost) and not len(failing):  # no number never passes, also where nothing else is judged
        step, failing = int(lost[0]), lost
    measured = float(gaps[step]) if np.isfinite(gaps[step]) else "not a number"
    what = f"first failing step {step + 1:,}" if len(failing) else f"nearest to its limit at step {step + 1:,}"
    within = gaps[:horizon]
    more = {
        "step": step + 1,
        "horizon": horizon,
        "judged_steps": horizon,
        "largest": float(within[np.isfinite(within)].max(initial=0.0)),
        "largest_ratio_to_floor": float(min(ratio.max() * MULTIPLE, 1e300)),
    }
    detail = f"{detail}; {what}; largest gap {more['largest']:.2g}, at most {more['largest_ratio_to_floor']:.2g} floors"
    limit = float(MULTIPLE * floor[step])
    status, floor_there = judged(not len(failing)), float(floor[step])
    return Check(subject, rung, status, measured, limit, detail, floor_there, more=more, title=title)


def finite(value: float) -> float | None:
    """Returns a number as JSON can say it."""
    return value if np.isfinite(value) else None


def missing(reference: Iterable[str], candidate: Iterable[str]) -> list[str]:
    """Says which names one side lacks."""
    reference, candidate = set(reference), set(candidate)
    return [f"{name} is missing" for name in sorted(reference - candidate)] + [
        f"{name} is extra" for name in sorted(candidate - reference)
    ]
