"""Checks of the rung callbacks on the metrics that callbacks look at: are they logged, and the same on both sides?"""

import difflib

from parity.protocol.callbacks import FILES, PLATEAU, STOP, Callback
from parity.protocol.metric_names import ALIASES, find_logged, meaning
from parity.protocol.records import Decisions
from parity.rungs.check import Check, Context
from parity.rungs.decisions import made, of_role


def judge_unlogged(reference: Decisions, candidate: Decisions, context: Context) -> Check | None:
    """Checks that every metric that a callback looks at is logged.

    Lightning ends a training whose callback misses its metric, unless it is told not to; Keras warns, and goes on
    without the callback. What neither side decides by is no failure.
    """
    failing, ignored = [], []
    for side, other in ((reference, candidate), (candidate, reference)):
        for one in (one for one in side.callbacks if one.lacks_metric):
            words = describe_lack(one, side, other, context)
            differs = ends_training(one, side) or (one.role != FILES and of_role(other, one.role))
            (failing if differs else ignored).append(words)
    if not failing and not ignored:
        return None
    count, detail = len(failing + ignored), "; ".join(failing + ignored)
    return made("unlogged-metrics", "fail" if failing else "info", count, 0 if failing else None, detail)


def ends_training(one: Callback, side: Decisions) -> bool:
    """Says whether a training ends with an error, as a callback's metric is not there."""
    is_keras = bool(side.lists)
    return one.lacks_metric and not is_keras and (one.role == FILES or one.settings.get("strict") is not False)


def describe_lack(one: Callback, side: Decisions, other: Decisions, context: Context) -> str:
    """Says which metric a callback misses, what its side logs, what happens, and what to write.

    Args:
        one: the callback.
        side, other: its own, and the other one.
        context: of the check.
    """  # fmt: skip
    is_keras = bool(side.lists)
    name, logs = ("Keras", "fit logs") if is_keras else ("Lightning", "the module logs")
    if one.monitor in side.logged:
        option = "check_on_train_epoch_end" if one.role == STOP else "save_on_train_epoch_end"
        logged = f"which is logged when the epoch of training ends, and {option}=False looks before"
        advice = f"Leave {option} out"
    else:
        logged = f"and {logs} {', '.join(side.logged) or 'nothing'}"
        written = written_for(one, side, other, context)
        advice = f"Use monitor={written!r}" if written else f"Log {one.monitor}, or use another monitor"
    if ends_training(one, side):
        happens = "the training ends with an error"
    else:
        happens = "it saves every epoch" if one.role == FILES else "it is left out, with no more than a warning"
    return f"{name}'s {one.kind} looks at {one.monitor}, {logged}: {happens}. {advice}"


def written_for(one: Callback, side: Decisions, other: Decisions, context: Context) -> str:
    """Returns the logged metric that was meant: the other side's, the one of this meaning, or of a like name."""
    if not side.lists:
        for theirs in of_role(other, one.role):
            if found := find_logged(theirs.monitor, side.logged, context.facts.metrics):
                return found[0]
    like = find_logged(one.monitor, side.logged, {}) or difflib.get_close_matches(one.monitor, side.logged, 1)
    return like[0] if like else ""


def judge_monitors(reference: Decisions, candidate: Decisions, context: Context) -> Check | None:
    """Checks that callbacks of a kind look at the same metrics."""
    wrong, unsure, compared = [], [], 0
    for role in (STOP, PLATEAU, FILES):
        ours = [one for one in of_role(reference, role) if one.looks_at_metric and not one.lacks_metric]
        theirs = [one for one in of_role(candidate, role) if one.looks_at_metric and not one.lacks_metric]
        if not ours or not theirs:
            continue
        names = [one.monitor for one in theirs]
        for one in ours:
            compared += 1
            if not (found := find_logged(one.monitor, names, context.facts.metrics)):
                words = f"Keras's {one.kind} looks at {one.monitor}, Lightning's at {', '.join(names)}"
                (wrong if are_other(one.monitor, names) or one.monitor in context.facts.metrics else unsure).append(
                    words
                )
            elif set(found) <= set(candidate.at_steps):
                wrong.append(
                    f"Lightning's {theirs[0].kind} looks at {found[0]} of the last batch, and Keras's {one.kind} at "
                    f"{one.monitor} of the whole epoch: log it with on_epoch=True, and look when the epoch ends"
                )
    if not compared:
        return None
    said = "; METRICS in a pair file says it if they are the same"
    status = "fail" if wrong else "error" if unsure else "pass"
    detail = "; ".join(wrong + unsure) + said if wrong or unsure else "callbacks of a kind look at the same metrics"
    return made("metrics", status, len(wrong + unsure), 0, detail)


def are_other(name: str, others: list[str]) -> bool:
    """Says whether words tell that none of the metrics is the named one: of other rows, or known to be another."""
    known = {*ALIASES.values(), "loss"}
    own = meaning(name)
    return all(meaning(o)[0] != own[0] or {meaning(o)[1], own[1]} <= known for o in others)
