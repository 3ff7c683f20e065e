"""Differences that the user accepts: they are shown, and do not decide."""

from collections.abc import Iterable
from dataclasses import replace

from parity.causes.undoing import Undone
from parity.rungs.check import Check


def accept(checks: list[Check], names: Iterable[str], undone: Undone | None = None) -> list[Check]:
    """Returns the checks, failed ones that are accepted as ones that inform.

    What could not be decided stays so: only a difference that was measured can be accepted.

    Args:
        checks: from cause to effect.
        names: ids of checks or of differences; those that nothing here has are said in a check of their own.
        undone: the differences that were found by undoing them, and the ladder with those that are accepted undone:
            what passes there fails for them alone.
    """
    names = list(dict.fromkeys(names))
    known = {check.id for check in checks} | {one.id for one in (undone.found if undone else ())}
    result = [with_acceptance(check) if check.id in names else check for check in checks]
    if undone and undone.accepted:
        why = f"passes with {', '.join(undone.accepted)} undone; "
        result = [with_acceptance(check, why) if passes(check, undone.beside) else check for check in result]
    if unknown := [name for name in names if name not in known]:
        detail = (
            f"nothing here is called {', '.join(unknown)}; the checks are: {', '.join(check.id for check in checks)}"
        )
        result.append(Check("accepted-differences", "experiment", "info", len(unknown), None, detail))
    return result


def passes(check: Check, beside: list[Check]) -> bool:
    """Says whether a check does not fail beside others: neither it itself, nor, where it is not there, its rung."""
    same = [one for one in beside if one.id == check.id] or [one for one in beside if one.rung == check.rung]
    return bool(beside) and all(one.status not in ("fail", "error") for one in same)


def with_acceptance(check: Check, why: str = "") -> Check:
    """Returns a failed check as one that informs; any other as it is.

    Args:
        check: any.
        why: it is accepted.
    """
    if check.status != "fail":
        return check
    return replace(check, status="info", detail=f"accepted; {why}{check.detail}", more={**check.more, "accepted": True})
