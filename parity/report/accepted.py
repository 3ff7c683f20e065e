"""Differences that the user accepts: they are shown, and do not decide."""

from collections.abc import Iterable
from dataclasses import replace

from parity.rungs.check import Check


def accept(checks: list[Check], names: Iterable[str]) -> list[Check]:
    """Returns the checks, failed ones that are accepted as ones that inform.

    What could not be decided stays so: only a difference that was measured can be accepted.

    Args:
        checks: from cause to effect.
        names: ids of checks, or of causes; those that nothing here has are said in a check of their own.
    """
    names = list(dict.fromkeys(names))
    known = {name for check in checks for name in ids_of(check)}
    result = [with_acceptance(check) if ids_of(check) & set(names) else check for check in checks]
    if unknown := [name for name in names if name not in known]:
        detail = (
            f"nothing here is called {', '.join(unknown)}; the checks are: {', '.join(check.id for check in checks)}"
        )
        result.append(Check("accepted-differences", "experiment", "info", len(unknown), None, detail))
    return result


def with_acceptance(check: Check) -> Check:
    """Returns a failed check as one that informs; any other as it is."""
    if check.status != "fail":
        return check
    return replace(check, status="info", detail=f"accepted; {check.detail}", more={**check.more, "accepted": True})


def ids_of(check: Check) -> set[str]:
    """Returns what a check can be accepted by."""
    return {check.id} | ({check.cause["id"]} if check.cause and check.cause.get("id") else set())
