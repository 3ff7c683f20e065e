"""The rung callbacks: given the same metrics, do both stop, lower the rate, save and update weights alike?

Nothing is trained for it: both sides' own callbacks and schedulers are given one set of recorded lists of metrics.
"""

from dataclasses import replace

import numpy as np

from parity.protocol.callbacks import (
    BY_HAND,
    NAN_FIRST,
    OTHER,
    PLATEAU,
    RATE,
    SILENT,
    STOP,
    UPDATES,
    WEIGHTS,
    Callback,
    batches_of_accumulation,
)
from parity.protocol.records import Decisions
from parity.rungs import settings
from parity.rungs.check import Check, Context, judged
from parity.rungs.checkpoints import files_of, judge_files
from parity.rungs.decisions import (
    IGNORED,
    compare_lists,
    epochs_of,
    made,
    monitor_of,
    named,
    of_lists,
    of_role,
    one_sided,
)
from parity.rungs.monitors import ends_training, judge_monitors, judge_unlogged

NEITHER = "neither side has callbacks, a schedule of the learning rate, or accumulated gradients"
# Keras's schedules are computed in float32, torch's schedulers in float64; of the largest rate.
RATE_LIMIT = 2e-6
TORCH_EPS = 1e-8  # of its ReduceLROnPlateau, unless one is given


def judge(reference: Decisions, candidate: Decisions, context: Context) -> list[Check]:
    """Checks every decision that one side's callbacks, schedules or accumulation make."""
    theirs = [one for one in candidate.callbacks if not one.is_implied]
    if not reference.callbacks and not theirs and reference.accumulation == candidate.accumulation == 1:
        return [made("decisions", "pass", "none", "none", NEITHER)]
    lists = list(reference.lists)
    first = np.array([name == NAN_FIRST for name in lists], bool)
    ours, theirs = (of_lists(side, ~first, lists) for side in (reference, candidate))
    judges = (
        judge_unlogged, judge_monitors, *OVER_LISTS, judge_schedule, judge_updates, judge_others, list_silent,
    )  # fmt: skip
    checks = [check for one in judges if (check := one(ours, theirs, context))]
    passed = [check.subject for check in checks if check.status == "pass"]
    ours, theirs = (of_lists(side, first, lists) for side in (reference, candidate))
    return checks + judge_first_nan(ours, theirs, context, passed)


def judge_first_nan(reference: Decisions, candidate: Decisions, context: Context, passed: list[str]) -> list[Check]:
    """Shows what both decide where the first epoch's metric is no number, by those who decide alike elsewhere.

    Keras keeps it for the best, since nothing is above or below it; torch and Lightning take the next number. No
    setting of theirs changes that, so that it fails no port; a class of one's own may.

    Args:
        reference, candidate: over the one list.
        context: of the check.
        passed: the subjects of the checks of all other lists that pass.
    """  # fmt: skip
    found = [check for one in OVER_LISTS if (check := one(reference, candidate, context)) and check.subject in passed]
    different = [check.detail.split(". Use ")[0] for check in found if check.status == "fail"]
    if not found:
        return []
    detail = "they decide alike" if not different else "; ".join(different)
    why = ": for Keras a NaN stays the best, for Lightning the next number is better; only a class of one's own can"
    status = "info" if different else "pass"
    return [made("first-nan", status, len(different), None if different else 0, detail + why * bool(different))]


# ---- stopping, and the weights behind it


def judge_stops(reference: Decisions, candidate: Decisions, context: Context) -> Check | None:
    """Checks after which epoch the training stops, list by list."""
    ours, theirs = of_role(reference, STOP), of_role(candidate, STOP)
    ends = any(one.role == STOP and ends_training(one, candidate) for one in candidate.callbacks)
    if (not ours and not theirs) or ends:
        return None
    monitor = next((name for one in ours if (name := monitor_of(one, candidate, context))), "")
    advice = settings.stopping_like(ours, monitor) if ours else ""
    if check := one_sided("stopping", ours, theirs, advice):
        return check
    thresholds = [
        f"{name}={one.settings[name]:g}"
        for one in theirs
        for name in ("stopping_threshold", "divergence_threshold")
        if one.settings.get(name) is not None
    ]
    if thresholds:
        detail = f"Lightning's {named(theirs)} has {', '.join(thresholds)}, which Keras has not. Use {advice}"
        return made("stopping", "fail", ", ".join(thresholds), "none", detail)
    return compare_lists("stopping", reference, reference.stops, candidate.stops, stop_in_words, advice)


def stop_in_words(epoch: int) -> str:
    """Says after which epoch a training stops."""
    return f"stops after epoch {epoch}" if epoch else "does not stop"


def judge_weights(reference: Decisions, candidate: Decisions, context: Context) -> Check | None:
    """Checks whose epoch's weights evaluation uses after training: those in memory, or of the best checkpoint."""
    if not of_role(reference, STOP) or not of_role(candidate, STOP):
        return None
    restoring = [one for one in of_role(reference, STOP) if one.settings.get("restore_best_weights")]
    best = [number for number, one in enumerate(files_of(candidate)) if one.monitor]
    alike = reference.stops == candidate.stops  # where they stop elsewhere, the check above fails
    ends = np.where(reference.stops == 0, epochs_of(reference), reference.stops)
    theirs, advice = candidate.weights, "callbacks that leave the last epoch's weights in place"
    if restoring:
        advice = settings.restoring_like(restoring[0], monitor_of(restoring[0], candidate, context))
        for number in best:
            theirs = candidate.loaded[number, np.arange(len(ends)), ends - 1]
            if (theirs == reference.weights)[alike].all():
                detail = "Keras restores the best epoch's weights; Lightning's are in the file of its ModelCheckpoint: "
                detail += "load best_model_path before you evaluate (ckpt_path='best')"
                return made("evaluated-weights", "pass", 0, 0, detail)
        own_ends = np.where(candidate.stops == 0, epochs_of(reference), candidate.stops)
        if not best and (candidate.weights == own_ends).all():  # it restores nothing, wherever it stops
            alike = reference.weights != ends if (reference.weights != ends).any() else alike
    if not alike.any():
        return None
    shown = replace(reference, lists={name: reference.lists[name] for name in np.array(list(reference.lists))[alike]})
    ours, theirs = reference.weights[alike], theirs[alike]
    return compare_lists("evaluated-weights", shown, ours, theirs, lambda epoch: f"uses epoch {epoch}'s", advice)


# ---- learning rates


def judge_plateau(reference: Decisions, candidate: Decisions, context: Context) -> Check | None:
    """Checks the learning rate of every epoch of every list, where a metric lowers it."""
    ours, theirs = of_role(reference, PLATEAU), of_role(candidate, PLATEAU)
    ends = any(one.role == PLATEAU and ends_training(one, candidate) for one in candidate.callbacks)
    if (not ours and not theirs) or BY_HAND in candidate.callbacks or ends:
        return None
    advice = settings.plateau_like(ours[0], monitor_of(ours[0], candidate, context)) if ours else ""
    if check := one_sided("plateau", ours, theirs, advice):
        return check
    if wrong := [one for one in theirs if one.settings["interval"] != "epoch"]:
        detail = f"Lightning's {named(wrong)} looks at its metric after every batch. Use {advice}"
        return made("plateau", "fail", "step", "epoch", detail)
    gaps = np.abs(reference.rates - candidate.rates)
    # torch leaves a rate that it would change by no more than eps: lr (1 - factor) <= eps, of any that Keras lowers on
    left = min(theirs[0].settings.get("eps", 0.0), TORCH_EPS) / (1 - ours[0].settings["factor"])
    limit = RATE_LIMIT * float(reference.rates.max()) + left
    failing = np.argwhere(~(gaps <= limit))
    detail = f"{len(gaps)} lists of metrics, {epochs_of(reference)} epochs each; {IGNORED}, and the schedulers for them"
    if len(failing):
        place, epoch = failing[failing[:, 1].argmin()]
        detail = (
            f"on the list '{list(reference.lists)[place]}', epoch {epoch + 1} has {reference.rates[place, epoch]:g} in "
            f"Keras and {candidate.rates[place, epoch]:g} in Lightning (other rates on "
            f"{len(set(failing[:, 0]))} of {len(gaps)} lists). Use {advice}"
        )
    passed = not len(failing)
    return made("plateau", judged(passed), float(gaps.max()), limit, detail)


def judge_schedule(reference: Decisions, candidate: Decisions, context: Context) -> Check | None:
    """Checks the learning rate of every batch of a training in which a weight is updated."""
    ours, theirs = of_role(reference, RATE), of_role(candidate, RATE)
    if (not ours and not theirs) or BY_HAND in candidate.callbacks:
        return None
    advice = settings.schedule_like(ours[0], reference.accumulation) if ours else ""
    rates = candidate.step_rates
    if check := one_sided("schedule", ours, theirs, advice):
        if len(rates) and (rates != rates[0]).any():
            first = int(np.flatnonzero(rates != rates[0])[0])
            detail = f"{check.detail}; its rate changes at step {first + 1}"
            return replace(check, detail=detail)
        return check
    # a schedule that is asked one by one is asked less, and one of a short training more
    count = min(len(reference.step_rates), len(rates), reference.epochs * reference.steps)
    steps, rates = np.arange(count), rates[:count]
    steps = steps[steps % reference.accumulation == reference.accumulation - 1]  # those in which Keras updates weights
    gaps = np.abs(reference.step_rates[:count] - rates)[steps]
    limit = RATE_LIMIT * float(reference.step_rates.max())
    failing = np.flatnonzero(~(gaps <= limit))
    detail = f"{len(steps):,} updates of {reference.epochs} epochs of {reference.steps} batches"
    if len(failing):
        step = int(steps[failing[0]])
        why = why_other(reference.step_rates[:count], rates, theirs[0], reference.steps)
        detail = (
            f"step {step + 1} (epoch {step // reference.steps + 1}) has {reference.step_rates[step]:g} in Keras and "
            f"{rates[step]:g} in Lightning{why}. Use {advice}"
        )
    more = {"step": int(steps[failing[0]]) + 1} if len(failing) else {}
    largest = float(gaps.max(initial=0.0))
    return made("schedule", judged(not len(failing)), largest, limit, detail, **more)


def why_other(ours: np.ndarray, theirs: np.ndarray, scheduler: Callback, steps: int) -> str:
    """Says how Lightning's rates are other than Keras's, where that is plain; else nothing.

    Args:
        ours, theirs: (steps,).
        scheduler: Lightning's.
        steps: of an epoch.
    """
    limit = RATE_LIMIT * float(ours.max())

    def same(one: np.ndarray, other: np.ndarray) -> bool:
        return len(one) > 1 and bool((np.abs(one - other) <= limit).all())

    changes = np.flatnonzero(np.abs(np.diff(ours)) > limit) + 1
    if scheduler.settings["interval"] == "epoch" and (changes % steps).any():
        return ": it steps once an epoch, and Keras's once a batch"
    if same(ours[1:], theirs[:-1]):
        return ": it is one step early"
    if same(ours[:-1], theirs[1:]):
        return ": it is one step late"
    return ""


# ---- files, updates, and the rest


def judge_updates(reference: Decisions, candidate: Decisions, context: Context) -> Check | None:
    """Checks in which batches weights are updated."""
    every, changing = reference.accumulation, of_role(candidate, UPDATES)
    if every == candidate.accumulation == 1 and not changing:
        return None
    count = max(len(reference.updates), len(candidate.updates))
    ours = (np.arange(count) + 1) % every == 0  # Keras goes on as it began; Lightning may change, epochs later
    ours[: len(reference.updates)] = reference.updates
    theirs = candidate.updates if len(candidate.updates) else np.ones(count, bool)
    advice = settings.accumulating_like(every, reference.steps)
    different = np.flatnonzero(ours != theirs)
    detail = f"an update of {every} batches on both sides"
    if len(different):
        batch, steps = int(different[0]), batches_of_accumulation(reference.steps, every)
        where = f"batch {batch % steps + 1} of epoch {batch // steps + 1}"
        updates, does_not = ("Keras", "Lightning") if ours[batch] else ("Lightning", "Keras")
        by = f" (then as {named(changing)} says)" if changing else ""
        detail = (
            f"Keras makes an update of {every} batches, Lightning of {candidate.accumulation}{by}: after {where} of "
            f"{steps}, {updates} updates weights and {does_not} does not. Use {advice}"
        )
    passed = not len(different)
    measured, limit = (f"{count} batch{'es' * (count > 1)}" for count in (candidate.accumulation, every))
    return made("updates", judged(passed), measured, limit, detail)


def judge_others(reference: Decisions, candidate: Decisions, context: Context) -> Check | None:
    """Checks that no side alone changes weights by a callback; what a class of one's own does cannot be told."""
    changing = [of_role(side, WEIGHTS) for side in (reference, candidate)]
    if check := one_sided("others", *changing, "a callback that changes weights alike"):
        return check
    own = [one for side in (reference, candidate) for one in of_role(side, OTHER)] + changing[0] + changing[1]
    if not own:
        return None
    why = f"what {named(own)} does cannot be told from recorded metrics"
    return made("others", "info", None, None, f"not compared: {why}", not_compared=why)


def list_silent(reference: Decisions, candidate: Decisions, context: Context) -> Check | None:
    """Names what only watches."""
    silent = [one for side in (reference, candidate) for one in of_role(side, SILENT)]
    if not silent:
        return None
    detail = f"not compared: {named(silent)} cannot change the weights"
    return made("watching", "info", None, None, detail)


OVER_LISTS = (judge_stops, judge_weights, judge_plateau, judge_files)
