"""The differences of a port that were proved by undoing them, in words."""

from parity.causes import effects
from parity.causes.undoing import describe


def heading(differences: dict) -> str:
    """Says how many there are."""
    count = len(differences["found"])
    if not count:
        return "No difference was found by undoing"
    return f"{count} {'difference' if count == 1 else 'differences'}, each proved by undoing it"


def lines_of(difference: dict) -> list[str]:
    """Returns one difference in lines: what it is, what both compute, and what to write where."""
    first = f"{difference['title']} [{difference['id']}]: {difference['explained']:.1%} of {difference['check']}"
    formulas = [f"  {side}: {formula}" for side, formula in difference["formulas"].items()]
    effect = [f"  {said}"] if (said := effects.describe(difference.get("effect"))) else []
    return [first, *formulas, *(f"  {change}" for change in difference["changes"]), *effect]


def paragraphs(report: dict) -> list[str]:
    """Returns the whole list, a text for each difference, and what is left with all undone; nothing if not searched."""
    if not (differences := report.get("differences")):
        return []
    texts = ["\n".join(lines_of(one)) for one in differences["found"]]
    return [*texts, describe(differences)]
