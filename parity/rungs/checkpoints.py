"""Checks of the rung callbacks on files: whose weights are in the one that is loaded, and which are kept?"""

from dataclasses import replace

import numpy as np

from parity.protocol.callbacks import FILES, Callback
from parity.protocol.records import Decisions
from parity.rungs import settings
from parity.rungs.check import Check, Context, judged
from parity.rungs.decisions import epochs_of, made, monitor_of, named, of_role, one_sided


def files_of(side: Decisions) -> list[Callback]:
    """Returns the callbacks that save when epochs end, in the order of `loaded`."""
    saving = [one for one in of_role(side, FILES) if not one.settings.get("by_batches")]
    return [one for one in saving if "save_best_only" in one.settings or not one.lacks_metric]


def judge_files(reference: Decisions, candidate: Decisions, context: Context) -> Check | None:
    """Checks whose weights are in the file that is loaded after every epoch, or batch, and that all kept ones are."""
    ours, theirs = of_role(reference, FILES), of_role(candidate, FILES)
    if not ours:
        saving = [one for one in theirs if not one.is_implied]
        detail = f"not compared: Lightning's {named(saving)} saves files, which changes no weights; Keras saves none"
        return made("checkpoints", "info", None, None, detail) if saving else None
    if why := why_not_compared(ours + theirs):
        return made("checkpoints", "info", None, None, f"not compared: {why}", not_compared=why)
    plain = [as_it_saves(one) for one in ours]
    if check := one_sided("checkpoints", ours, theirs, advice_of(plain[0], candidate, context)):
        return check
    if any(one.lacks_metric for one in theirs):  # the check of metrics says that the training ends there
        return None
    implied = " (the Trainer's own, as lightning_trainer() has none)" if all(one.is_implied for one in theirs) else ""
    by_batches = any(one.settings.get("by_batches") for one in ours + theirs)
    wrong = []
    for one, said in zip(ours, plain, strict=True):
        if by_batches and one.saves_any:
            number = [other for other in ours if other.saves_any].index(one)
            words = compare_batches(reference, candidate, number)
        else:
            words = compare_files(reference, candidate, files_of(reference).index(one))
        wrong += [f"{words}{implied}. Use {advice_of(said, candidate, context)}"] if words else []
    detail = f"{len(reference.lists)} lists of metrics, {epochs_of(reference)} epochs each"
    detail = f"{reference.saved.shape[1]:,} batches, {reference.steps:,} an epoch" if by_batches else detail
    return made("checkpoints", judged(not wrong), len(wrong), 0, wrong[0] if wrong else detail)


def why_not_compared(saving: list[Callback]) -> str:
    """Says which callbacks that save cannot be compared; empty where all can."""
    timed = [one for one in saving if one.settings.get("by_time")]
    looking = [one for one in saving if one.settings.get("by_batches") and one.looks_at_metric]
    whys = [
        f"{named(timed)} saves by the time that has passed (train_time_interval)" if timed else "",
        f"{named(looking)} looks at {looking[0].monitor} within epochs" if looking else "",
    ]
    return "; ".join(filter(None, whys))


def as_it_saves(one: Callback) -> Callback:
    """Returns a callback of Keras's as one that saves every epoch, where that is what it does without its metric."""
    return replace(one, settings={**one.settings, "save_best_only": False}) if one.lacks_metric else one


def advice_of(one: Callback, candidate: Decisions, context: Context) -> str:
    """Returns the settings that save as one of Keras's callbacks does."""
    return settings.saving_like(one, monitor_of(one, candidate, context), candidate.accumulation)


def compare_files(reference: Decisions, candidate: Decisions, number: int) -> str:
    """Says where one of Keras's callbacks saves otherwise than all of Lightning's; empty where one saves alike."""
    ours, found = reference.loaded[number], []
    if not len(candidate.loaded):
        return "Keras saves when epochs end, Lightning within them alone"
    for theirs in candidate.loaded:
        if not (different := np.argwhere(ours != theirs)).size:
            break
        found.append(different[0])
    else:
        place, epoch = max(map(tuple, found))
        both = (int(side[place, epoch]) for side in (ours, candidate.loaded[0]))
        mine, its = (f"epoch {one}'s weights" if one else "none" for one in both)
        where = f"on the list '{list(reference.lists)[place]}', after epoch {epoch + 1}"
        return f"{where}, Keras's file holds {mine}, Lightning's {its}"
    missing = np.argwhere(reference.kept[number] & ~candidate.kept.any(axis=0))
    if missing.size:
        place, epoch = missing[0]
        lists = list(reference.lists)
        return f"on the list '{lists[place]}', Keras keeps epoch {epoch + 1}'s file to the end, and Lightning does not"
    return ""


def compare_batches(reference: Decisions, candidate: Decisions, number: int) -> str:
    """Says in which batch one of Keras's callbacks saves otherwise than all of Lightning's; empty in none."""
    ours = reference.saved[number]
    different = [np.flatnonzero(ours != theirs) for theirs in candidate.saved]
    if not different:
        return "Lightning saves by a metric alone, Keras whatever it is"
    if all(map(len, different)):
        nearest = int(np.argmax([places[0] for places in different]))
        batch = int(different[nearest][0])
        held, other = (f"batch {one}'s" if one else "none" for one in (ours[batch], candidate.saved[nearest][batch]))
        where = f"batch {batch % reference.steps + 1} of epoch {batch // reference.steps + 1}"
        return f"after {where}, Keras's file holds {held} weights, Lightning's {other} (batches counted from the start)"
    missing = np.flatnonzero(reference.left[number] & ~candidate.left.any(axis=0))
    if missing.size:
        return f"Keras keeps batch {missing[0] + 1}'s file to the end, and Lightning does not"
    return ""
