"""The rung callbacks: given the same metrics, do both stop, lower the rate, save and update weights alike?

Nothing is trained for it: both sides' own callbacks and schedulers are given one set of recorded lists of metrics.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from parity.protocol.callbacks import BY_HAND, FILES, OTHER, PLATEAU, RATE, SILENT, STOP, WEIGHTS, Callback
from parity.protocol.metric_names import ALIASES, find_logged, meaning
from parity.protocol.records import Decisions
from parity.rungs import settings
from parity.rungs.check import Check, Context, judged

RUNG = "callbacks"
NEITHER = "neither side has callbacks, a schedule of the learning rate, or accumulated gradients"
# Keras's schedules are computed in float32, torch's schedulers in float64; of the largest rate.
RATE_LIMIT = 2e-6
TORCH_EPS = 1e-8  # of its ReduceLROnPlateau, unless one is given
TITLES = {
    "decisions": "callbacks",
    "metrics": "monitored metrics",
    "stopping": "when the training stops",
    "evaluated-weights": "which weights evaluation uses",
    "plateau": "learning rate on a plateau",
    "schedule": "scheduled learning rates",
    "checkpoints": "what checkpoints hold",
    "updates": "accumulated gradients",
    "others": "other callbacks",
    "watching": "callbacks that watch",
}
IGNORED = "the training in lockstep leaves callbacks out"


def judge(reference: Decisions, candidate: Decisions, context: Context) -> list[Check]:
    """Checks every decision that one side's callbacks, schedules or accumulation make."""
    theirs = [one for one in candidate.callbacks if not one.is_implied]
    if not reference.callbacks and not theirs and reference.accumulation == candidate.accumulation == 1:
        return [made("decisions", "pass", "none", "none", NEITHER)]
    judges = (
        judge_monitors, judge_stops, judge_weights, judge_plateau, judge_schedule, judge_files, judge_updates,
        judge_others, list_silent,
    )  # fmt: skip
    return [check for one in judges if (check := one(reference, candidate, context))]


def of_role(decisions: Decisions, role: str) -> list[Callback]:
    """Returns the callbacks that decide something."""
    return [one for one in decisions.callbacks if one.role == role]


def named(callbacks: list[Callback]) -> str:
    """Names callbacks."""
    return ", ".join(one.kind for one in callbacks) or "none"


def monitor_of(callback: Callback, candidate: Decisions, context: Context) -> str:
    """Returns Lightning's name of the metric that one of Keras's callbacks looks at; empty where it is not known."""
    names = [one.monitor for one in candidate.callbacks if one.monitor]
    return next(iter(find_logged(callback.monitor, names, context.facts.metrics)), "") if callback.monitor else ""


def made(subject: str, status: str, measured: object, limit: object, detail: str, **more) -> Check:
    """Makes a check of this rung.

    Args:
        subject, status, measured, limit, detail: as for `Check`.
        more: its further fields.
    """  # fmt: skip
    return Check(subject, RUNG, status, measured, limit, detail, more=more, title=TITLES[subject])


def one_sided(subject: str, ours: list, theirs: list, advice: str = "") -> Check | None:
    """Checks that both sides have what decides something, or neither; None where both have.

    Args:
        subject: the check's.
        ours, theirs: Keras's and Lightning's callbacks.
        advice: which settings make Lightning decide as Keras.
    """
    if bool(ours) == bool(theirs):
        return None
    detail = f"Keras has {named(ours)}, Lightning has none" if ours else f"Lightning has {named(theirs)}, Keras none"
    detail += f". Use {advice}" if ours else ""
    return made(subject, "fail", named(theirs), named(ours), detail)


# ---- metrics


def judge_monitors(reference: Decisions, candidate: Decisions, context: Context) -> Check | None:
    """Checks that callbacks of a kind look at the same metrics."""
    wrong, unsure, compared = [], [], 0
    for role in (STOP, PLATEAU, FILES):
        ours = [one for one in of_role(reference, role) if one.monitor and looks_at_metric(one)]
        theirs = [one for one in of_role(candidate, role) if one.monitor]
        if not ours or not theirs:
            continue
        names = [one.monitor for one in theirs]
        for one in ours:
            compared += 1
            if not find_logged(one.monitor, names, context.facts.metrics):
                words = f"Keras's {one.kind} looks at {one.monitor}, Lightning's at {', '.join(names)}"
                (wrong if are_other(one.monitor, names) or one.monitor in context.facts.metrics else unsure).append(
                    words
                )
    if not compared:
        return None
    said = "; METRICS in a pair file says it if they are the same"
    status = "fail" if wrong else "error" if unsure else "pass"
    detail = "; ".join(wrong + unsure) + said if wrong or unsure else "callbacks of a kind look at the same metrics"
    return made("metrics", status, len(wrong + unsure), 0, detail)


def looks_at_metric(callback: Callback) -> bool:
    """Says whether a callback's metric matters: Keras's ModelCheckpoint saves every epoch unless it is told not to."""
    return callback.role != FILES or bool(callback.settings.get("save_best_only"))


def are_other(name: str, others: list[str]) -> bool:
    """Says whether words tell that none of the metrics is the named one: of other rows, or known to be another."""
    known = {*ALIASES.values(), "loss"}
    own = meaning(name)
    return all(meaning(o)[0] != own[0] or {meaning(o)[1], own[1]} <= known for o in others)


# ---- stopping, and the weights behind it


def judge_stops(reference: Decisions, candidate: Decisions, context: Context) -> Check | None:
    """Checks after which epoch the training stops, list by list."""
    ours, theirs = of_role(reference, STOP), of_role(candidate, STOP)
    if not ours and not theirs:
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


def compare_lists(
    subject: str, reference: Decisions, ours, theirs, in_words: Callable[[int], str], advice: str
) -> Check:
    """Checks a decision of every list.

    Args:
        subject: the check's.
        reference: has the lists.
        ours, theirs: Keras's and Lightning's, (lists,).
        in_words: says such a decision.
        advice: which settings make Lightning decide as Keras.
    """  # fmt: skip
    different = np.flatnonzero(ours != theirs)
    detail = f"{len(ours)} lists of metrics, {epochs_of(reference)} epochs each; {IGNORED}"
    if len(different):
        one = different[0]
        name = list(reference.lists)[one]
        others = f" (and on {len(different) - 1} more of {len(ours)} lists)" if len(different) > 1 else ""
        detail = (
            f"on the list '{name}', Keras {in_words(int(ours[one]))}, Lightning {in_words(int(theirs[one]))}{others}. "
            f"Use {advice}"
        )
    more = {"lists": [list(reference.lists)[one] for one in different]} if len(different) else {}
    return made(subject, judged(not len(different)), len(different), 0, detail, **more)


def epochs_of(reference: Decisions) -> int:
    """Returns how many epochs a list has."""
    return len(next(iter(reference.lists.values())))


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
    if (not ours and not theirs) or BY_HAND in candidate.callbacks:
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
    advice = settings.schedule_like(ours[0]) if ours else ""
    rates = candidate.step_rates
    if check := one_sided("schedule", ours, theirs, advice):
        if len(rates) and (rates != rates[0]).any():
            first = int(np.flatnonzero(rates != rates[0])[0])
            detail = f"{check.detail}; its rate changes at step {first + 1}"
            return replace(check, detail=detail)
        return check
    count = min(len(reference.step_rates), len(rates))  # a schedule that is asked one by one is asked less
    steps, rates = np.arange(count), rates[:count]
    steps = steps[steps % reference.accumulation == reference.accumulation - 1]  # those in which Keras updates weights
    gaps = np.abs(reference.step_rates[:count] - rates)[steps]
    limit = RATE_LIMIT * float(reference.step_rates.max())
    failing = np.flatnonzero(~(gaps <= limit))
    detail = f"{len(steps):,} updates of {reference.epochs} epochs of {reference.steps} batches"
    if len(failing):
        step = int(steps[failing[0]])
        detail = (
            f"step {step + 1} (epoch {step // reference.steps + 1}) has {reference.step_rates[step]:g} in Keras and "
            f"{rates[step]:g} in Lightning{why_other(reference.step_rates[:count], rates, theirs[0])}. Use {advice}"
        )
    more = {"step": int(steps[failing[0]]) + 1} if len(failing) else {}
    largest = float(gaps.max(initial=0.0))
    return made("schedule", judged(not len(failing)), largest, limit, detail, **more)


def why_other(ours: np.ndarray, theirs: np.ndarray, scheduler: Callback) -> str:
    """Says how Lightning's rates are other than Keras's, where that is plain; else nothing.

    Args:
        ours, theirs: (steps,).
        scheduler: Lightning's.
    """
    limit = RATE_LIMIT * float(ours.max())

    def same(one: np.ndarray, other: np.ndarray) -> bool:
        return len(one) > 1 and bool((np.abs(one - other) <= limit).all())

    if scheduler.settings["interval"] == "epoch" and (np.abs(np.diff(ours)) > limit).any():
        return ": it steps once an epoch, and Keras's once a batch"
    if same(ours[1:], theirs[:-1]):
        return ": it is one step early"
    if same(ours[:-1], theirs[1:]):
        return ": it is one step late"
    return ""


# ---- files, updates, and the rest


def files_of(candidate: Decisions) -> list[Callback]:
    """Returns the callbacks that save, in the order of `loaded`."""
    return [one for one in of_role(candidate, FILES) if not one.settings.get("by_batches")]


def judge_files(reference: Decisions, candidate: Decisions, context: Context) -> Check | None:
    """Checks whose epoch's weights are in the file that is loaded after every epoch, and that all kept ones are."""
    ours, theirs = of_role(reference, FILES), of_role(candidate, FILES)
    if not ours:
        saving = [one for one in theirs if not one.is_implied]
        detail = f"not compared: Lightning's {named(saving)} saves files, which changes no weights; Keras saves none"
        return made("checkpoints", "info", None, None, detail) if saving else None
    by_batches = [one for one in ours if one.settings["save_freq"] != "epoch"]
    by_batches += [one for one in theirs if one.settings.get("by_batches")]
    if by_batches:
        why = "a ModelCheckpoint saves within epochs (save_freq, every_n_train_steps, train_time_interval)"
        return made("checkpoints", "info", None, None, f"not compared: {why}", not_compared=why)
    advice = settings.saving_like(ours[0], monitor_of(ours[0], candidate, context))
    if check := one_sided("checkpoints", ours, theirs, advice):
        return check
    implied = " (the Trainer's own, as lightning_trainer() has none)" if all(one.is_implied for one in theirs) else ""
    wrong = [
        words
        for number, one in enumerate(ours)
        if (words := compare_files(reference, candidate, number))
    ]  # fmt: skip
    detail = f"{len(reference.lists)} lists of metrics, {epochs_of(reference)} epochs each"
    if wrong:
        detail = f"{wrong[0]}{implied}. Use {advice}"
    return made("checkpoints", judged(not wrong), len(wrong), 0, detail)


def compare_files(reference: Decisions, candidate: Decisions, number: int) -> str:
    """Says where one of Keras's callbacks saves otherwise than all of Lightning's; empty where one saves alike."""
    ours, found = reference.loaded[number], []
    for theirs in candidate.loaded:
        if not (different := np.argwhere(ours != theirs)).size:
            break
        found.append(different[0])
    else:
        place, epoch = max(map(tuple, found))
        held = candidate.loaded[0][place, epoch]
        return (
            f"on the list '{list(reference.lists)[place]}', after epoch {epoch + 1}, Keras's file holds epoch "
            f"{ours[place, epoch]}'s weights, Lightning's {f'epoch {held}' if held else 'none'}"
        )
    missing = np.argwhere(reference.kept[number] & ~candidate.kept.any(axis=0))
    if missing.size:
        place, epoch = missing[0]
        lists = list(reference.lists)
        return f"on the list '{lists[place]}', Keras keeps epoch {epoch + 1}'s file to the end, and Lightning does not"
    return ""


def judge_updates(reference: Decisions, candidate: Decisions, context: Context) -> Check | None:
    """Checks in which batches weights are updated."""
    every = reference.accumulation
    if every == candidate.accumulation == 1:
        return None
    count = max(len(reference.updates), len(candidate.updates))
    ours, theirs = (one if len(one) else np.ones(count, bool) for one in (reference.updates, candidate.updates))
    advice = settings.accumulating_like(every, reference.steps)
    different = np.flatnonzero(ours != theirs)
    detail = f"an update of {every} batches on both sides"
    if len(different):
        batch = int(different[0])
        steps = count // 2
        where = f"batch {batch % steps + 1} of epoch {batch // steps + 1}"
        updates, does_not = ("Keras", "Lightning") if ours[batch] else ("Lightning", "Keras")
        detail = (
            f"Keras makes an update of {every} batches, Lightning of {candidate.accumulation}: after {where} of "
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
