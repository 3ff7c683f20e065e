"""What all checks of the rung callbacks are made with: callbacks by what they decide, and decisions list by list."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from parity.protocol.callbacks import PLATEAU, STOP, Callback
from parity.protocol.metric_names import find_logged
from parity.protocol.records import Decisions
from parity.rungs.check import Check, Context, judged

RUNG = "callbacks"
TITLES = {
    "decisions": "callbacks",
    "metrics": "monitored metrics",
    "unlogged-metrics": "monitored metrics that are not logged",
    "stopping": "when the training stops",
    "evaluated-weights": "which weights evaluation uses",
    "plateau": "learning rate on a plateau",
    "schedule": "scheduled learning rates",
    "checkpoints": "what checkpoints hold",
    "first-nan": "a first epoch without a number",
    "updates": "accumulated gradients",
    "others": "other callbacks",
    "watching": "callbacks that watch",
}
WITH_METRIC = (STOP, PLATEAU)  # what decides nothing without its metric
IGNORED = "the training in lockstep leaves callbacks out"


def of_role(decisions: Decisions, role: str) -> list[Callback]:
    """Returns the callbacks that decide something; not those that do nothing, as their metric is not logged."""
    return [one for one in decisions.callbacks if one.role == role and not (one.lacks_metric and role in WITH_METRIC)]


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


def of_lists(decisions: Decisions, chosen: np.ndarray, lists: list[str]) -> Decisions:
    """Returns the decisions over some of the lists.

    Args:
        decisions: of either side.
        chosen: (lists,) whether a list is one of them.
        lists: the names of all.
    """
    return replace(
        decisions,
        lists={name: decisions.lists[name] for name, one in zip(lists, chosen, strict=True) if one and decisions.lists},
        stops=decisions.stops[chosen],
        weights=decisions.weights[chosen],
        rates=decisions.rates[chosen] if len(decisions.rates) else decisions.rates,
        loaded=decisions.loaded[:, chosen],
        kept=decisions.kept[:, chosen],
    )
