"""The rung random layers: do both draw by chance in the same places, and from the same law?

Two samples of draws are compared by ranks (Mann-Whitney, exact): nothing is assumed of the law, so that two that are
the same differ as rarely as is stated, however few the draws. What is drawn twice in the same law may stand in another
place (before or behind a ReLU), be cut otherwise, or be drawn by other functions: then the law of the model's output
decides.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from parity.protocol.law import TOLERANCE, RandomCall
from parity.protocol.records import RandomOutputs
from parity.rungs.check import MULTIPLE, Check, Context, compare, floor_of, judged, worst
from parity.rungs.forward import limit_text

RUNG = "random layers"
# How often a check may accuse a pair of the same law. It is shared by all the numbers that the check compares.
FALSE_ALARMS = 1e-6
NEITHER = "neither draws by chance in training mode"


@dataclass(frozen=True)
class Samples:
    """One number of many draws of both sides, (draws,) each; means that are nearer than the tolerance are the same."""

    name: str
    ours: np.ndarray
    theirs: np.ndarray
    tolerance: float


def judge(reference: RandomOutputs, candidate: RandomOutputs, context: Context) -> list[Check]:
    """Checks where both draw, what each layer draws, and what all of them do to the output."""
    if (names := context.augmented_elsewhere) and reference.draws_without_augmentation is not None:
        without = replace(reference, draws=reference.draws_without_augmentation, draws_without_augmentation=None)
        detail = f"not compared: Keras's model augments its rows ({names}), the candidate's data set its own"
        return [*judge(without, candidate, context), Check("augmentation", RUNG, "info", None, None, detail)]
    ours, theirs = bool(len(reference.draws)), bool(len(candidate.draws))
    if not ours and not theirs:
        return [Check("randomness", RUNG, "pass", "none", "none", NEITHER)]
    words = [f"{name} {'draws' if one else 'does not draw'}" for name, one in (("Keras", ours), ("Lightning", theirs))]
    randomness = Check(
        "randomness", RUNG, judged(ours == theirs), *("random" if one else "none" for one in (theirs, ours))
    )
    randomness = replace(randomness, detail=f"{' and '.join(words)} by chance in training mode, given the same weights")
    if ours and not theirs and context.draws_elsewhere:
        why = "the candidate draws in its training step, and not in forward(): its law is not compared"
        return [replace(randomness, status="info", detail=why)]
    output = judge_output(reference, candidate) if ours and theirs else None
    is_same = output is not None and output.status == "pass"
    checks = [randomness, judge_places(reference, candidate, is_same), judge_layers(reference, candidate, is_same)]
    return [*checks, output] if output else checks


def judge_places(reference: RandomOutputs, candidate: RandomOutputs, is_same_law: bool) -> Check:
    """Checks that each random layer is given what Keras's is, while nothing is drawn.

    Args:
        reference, candidate: the records.
        is_same_law: whether the model's output has the same law.
    """  # fmt: skip
    gaps, notes, pairs = [], [], list(zip(reference.calls, candidate.calls, strict=False))
    for number, (ours, theirs) in enumerate(pairs):
        if ours.input is None or theirs.input is None:
            notes.append(f"{words_of(theirs)} is not compared: {ours.why_not or theirs.why_not}")
            continue
        runs = [run.inputs[number] for run in reference.variants if number < len(run.inputs)]
        known = [array for array in runs if array is not None]
        gaps.append(compare(f"the input of {words_of(theirs)}", ours.input, theirs.input, known))
    both = " and ".join(
        f"{name} {', '.join(map(words_of, side.calls)) or 'nothing'}"
        for name, side in (("Keras has", reference), ("Lightning", candidate))
    )
    if len(reference.calls) != len(candidate.calls):
        gaps.append(f"there are {len(candidate.calls)} places, not {len(reference.calls)}")
    if not gaps:
        return Check("places", RUNG, "info", None, None, "; ".join([both, *notes]))
    check = worst("places", RUNG, gaps, limit_text(len(reference.variants)))
    return softened(replace(check, detail="; ".join([both, *notes, check.detail])), is_same_law or bool(notes))


def words_of(call: RandomCall) -> str:
    """Names a call."""
    return call.layer if call.rate is None else f"{call.layer} ({call.rate:g})"


def softened(check: Check, is_same_law: bool) -> Check:
    """Returns a check that informs in place of failing where the law of the model's output is what decides."""
    if check.status != "fail" or not is_same_law:
        return check
    return replace(check, status="info", detail=f"{check.detail}; the law of the output decides")


def judge_layers(reference: RandomOutputs, candidate: RandomOutputs, is_same_law: bool) -> Check:
    """Checks what each layer draws by itself, given the same."""
    samples, notes, does_more = [], [], False
    for ours, theirs in zip(reference.calls, candidate.calls, strict=False):
        if not ours.law or ours.law.keys() != theirs.law.keys():
            notes.append(f"{words_of(theirs)} is not compared: {ours.why_not or theirs.why_not or 'other axes'}")
            continue
        does_more |= theirs.does_more
        for name, numbers in ours.law.items():
            size = max(np.abs(numbers).max(), np.abs(theirs.law[name]).max())
            samples.append(Samples(f"{theirs.layer}, {name}", numbers, theirs.law[name], TOLERANCE * size))
    if not samples:
        return Check("law-of-each-layer", RUNG, "info", None, None, "; ".join(notes) or "there is no pair of layers")
    check = compare_samples("law-of-each-layer", samples)
    # what Keras drops inside of a layer, a port may drop in several calls: those behind it are then paired otherwise
    is_shifted = any(call.is_inside for call in reference.calls) and len(reference.calls) != len(candidate.calls)
    return softened(replace(check, detail="; ".join([check.detail, *notes])), is_same_law and (does_more or is_shifted))


def judge_output(reference: RandomOutputs, candidate: RandomOutputs) -> Check:
    """Checks the law of the model's output in training mode, unit by unit."""
    subject = "law-of-the-output"
    if reference.draws.shape != candidate.draws.shape:
        detail = f"the candidate's draws have the shape {candidate.draws.shape}, not {reference.draws.shape}"
        return Check(subject, RUNG, "error", None, None, detail)
    if not np.isfinite(candidate.draws).all():
        return Check(subject, RUNG, "fail", "not a number", None, "the candidate's output is no number in some draws")
    # what two models give while nothing is drawn is judged at forward; where that is random, too, a common centre does
    silenced = not (reference.unsilenced or candidate.unsilenced)
    departure = floor_of(reference.silent, [run.output for run in reference.variants] if silenced else [])
    rounding = max(MULTIPLE * departure, TOLERANCE * float(np.abs(reference.silent).max(initial=0.0)))
    both = [
        describe_outputs(side.draws, side.silent if silenced else reference.silent) for side in (reference, candidate)
    ]
    samples = []
    for name, (ours, power) in both[0].items():
        theirs = both[1][name][0]
        # of a square, what is lost grows with what is squared
        size = math.sqrt(max(np.abs(ours).max(), np.abs(theirs).max()))
        tolerance = rounding if power == 1 else 2 * size * rounding + rounding**2
        samples.append(Samples(name, ours, theirs, tolerance))
    check = compare_samples(subject, samples)
    return replace(check, detail=f"{check.detail}; {reference.draws.shape[1]} rows a draw")


def describe_outputs(draws: np.ndarray, centre: np.ndarray) -> dict[str, tuple[np.ndarray, int]]:
    """Describes every draw of an output by a few numbers, as (draws,); and says which power of the output each is.

    Args:
        draws: (draws, rows, units), the rows of the batch several times.
        centre: (rows of the batch, units), from which changes are taken.
    """
    repeated = np.concatenate([centre] * (draws.shape[1] // len(centre)))
    change = draws.astype(np.float64) - repeated
    numbers = {}
    for unit in range(change.shape[2]):
        numbers[f"mean of output {unit}"] = change[..., unit].mean(axis=1), 1
        numbers[f"mean square of the change of output {unit}"] = (change[..., unit] ** 2).mean(axis=1), 2
    # what all do; what rows share, and what units share
    numbers["mean square of the change of all outputs"] = (change**2).mean(axis=(1, 2)), 2
    numbers["mean square of the rows' mean change"] = (change.mean(axis=1) ** 2).mean(axis=1), 2
    numbers["mean square of the outputs' mean change"] = (change.mean(axis=2) ** 2).mean(axis=1), 2
    return numbers


def compare_samples(subject: str, samples: list[Samples]) -> Check:
    """Judges pairs of samples; the least likely is shown.

    Args:
        subject: the check's.
        samples: every number that is compared.
    """
    from scipy.stats import mannwhitneyu

    ours, theirs = (np.stack([getattr(one, side) for one in samples]) for side in ("ours", "theirs"))
    gaps = np.abs(ours.mean(axis=1) - theirs.mean(axis=1))
    likelihood = np.asarray(mannwhitneyu(ours, theirs, axis=1, method="exact").pvalue)
    likelihood = np.where(gaps <= [one.tolerance for one in samples], 1.0, likelihood)
    number, limit = int(likelihood.argmin()), FALSE_ALARMS / len(samples)
    least, top = float(likelihood[number]), samples[number]
    detail = (
        f"{top.name}: Keras {top.ours.mean():.4g}, Lightning {top.theirs.mean():.4g}; {len(top.ours)} draws a side, "
        f"{len(samples)} numbers compared by rank; a false alarm in at most {FALSE_ALARMS:g} of runs; -log10 p is shown"
    )
    passed = bool(least >= limit) and bool(np.isfinite(theirs).all())
    measured = round(-math.log10(max(least, 1e-300)), 2)
    return Check(subject, RUNG, judged(passed), abs(measured), round(-math.log10(limit), 2), detail)
