"""The report in the terminal, in one screen: a line a rung, the first failure and its cause last, where the eye is."""

import math

from rich.console import Console
from rich.table import Table
from rich.text import Text

from parity.report.build import sentence, shown
from parity.rungs import QUESTIONS

COLOURS = {"pass": "green", "fail": "bold red", "error": "bold yellow", "info": "dim"}
VERDICT_COLOURS = {"pass": "bold green", "fail": "bold red", "could-not-run": "bold yellow"}

LOG_WIDTH = 10_000


def show(report: dict, folder: str, console: Console | None = None) -> None:
    """Prints the report; `folder` is where its files are."""
    console = console or Console(highlight=False)
    if not console.is_terminal:  # a log or a pipe has no width to wrap at: a sentence stays on its line
        console.width = max(console.width, LOG_WIDTH)
    console.print(table(report["checks"]))
    failed, undecided = (
        [check for check in report["checks"] if check["status"] == status] for status in ("fail", "error")
    )
    for check in undecided:
        console.print(Text(f"\n{named(check)}: {check['detail']}", style=COLOURS["error"] if failed else ""))
    # the first failure, and (where experiments differ, the next) one whose cause was searched for
    told = failed[:1] + [check for check in failed[1:] if check["cause"]]
    if others := [named(check) for check in failed if check not in told]:
        console.print(Text(f"\nAlso failed: {', '.join(others)}"))
    for check in told:
        console.print(Text(f"\n{named(check)}: {check['detail']}"))
        if check["cause"]:
            console.print(Text(cause_text(check["cause"]), style="bold"))
    devices = ", ".join(f"{name} on {device or 'nothing'}" for name, device in report["environment"]["devices"].items())
    console.print(Text(f"\nDevices: {devices}\nReport: {folder}/report.html"), soft_wrap=True)
    console.print(Text(sentence(report), style=VERDICT_COLOURS[report["verdict"]]), soft_wrap=True)


def table(checks: list[dict]) -> Table:
    """Makes the table: a line a rung, with the check that is nearest to its limit, or beyond it."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    made.add_column("rung", no_wrap=True)
    made.add_column("checks", no_wrap=True)
    made.add_column("nearest to its limit", overflow="fold")
    for name in ("measured", "limit", "floor"):
        made.add_column(name, justify="right", overflow="fold")
    known = list(QUESTIONS)
    for rung in sorted(dict.fromkeys(check["rung"] for check in checks), key=lambda rung: place(rung, known)):
        of_rung = [check for check in checks if check["rung"] == rung]
        top = max(of_rung, key=nearness)
        # Text, not markup: a name in brackets is a name.
        numbers = (Text(shown(top[key])) for key in ("measured", "limit", "noise_floor"))
        made.add_row(Text(rung), tally(of_rung), Text(top["name"]), *numbers)
    return made


def place(rung: str, known: list[str]) -> int:
    """Returns a rung's place on the ladder; one that is not known stands at the end."""
    return known.index(rung) if rung in known else len(known)


def tally(checks: list[dict]) -> Text:
    """Says how a rung's checks ended: `2 pass`, or `1 fail, 1 pass`."""
    told = Text()
    for status, colour in sorted(COLOURS.items(), key=lambda item: ("fail", "error", "pass", "info").index(item[0])):
        count = sum(check["status"] == status for check in checks)
        if count:
            told.append(", " if told.plain else "")
            told.append(f"{count} {status}", style=colour)
    return told


def nearness(check: dict) -> tuple[int, float]:
    """Orders checks: failed ones first, then undecided ones, then by how much of its limit was measured."""
    measured, limit = check["measured"], check["limit"]
    both = all(isinstance(value, int | float) and math.isfinite(value) for value in (measured, limit))
    share = measured / limit if both and limit > 0 else 0.0
    return ("info", "pass", "error", "fail").index(check["status"]), share


def named(check: dict) -> str:
    """Returns a check's rung and name."""
    return f"{check['rung']} / {check['name']}"


def cause_text(cause: dict) -> str:
    """Says a named cause in three lines, or what was tried."""
    if cause["id"] is None:
        return f"  cause: not known. {cause['title']}"
    formulas = "\n".join(f"    {side}: {formula}" for side, formula in cause["formulas"].items())
    return f"  cause: {cause['title']} [{cause['id']}], explains {cause['explained']:.1%} of the gap\n{formulas}"
