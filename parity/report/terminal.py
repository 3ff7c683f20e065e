"""Prints the report in one screen: a line for each rung; the first failure and the differences come last."""

import math
import textwrap

from rich.console import Console
from rich.table import Table
from rich.text import Text

from parity.report import findings
from parity.report.build import sentence, shown
from parity.report.differences import heading, paragraphs
from parity.rungs import QUESTIONS

COLOURS = {"fail": "bold red", "error": "bold yellow", "pass": "green", "info": "dim"}  # the worst status first
VERDICT_COLOURS = {"pass": "bold green", "fail": "bold red", "could-not-run": "bold yellow"}
LOG_WIDTH = 10_000


def show(report: dict, folder: str, console: Console | None = None) -> None:
    """Prints the report; `folder` is where its files are."""
    console = widen_for_logs(console or Console(highlight=False))
    if lines := findings.describe(report):
        console.print(build_list("Found:", lines, console.width), "", sep="\n")
    console.print(build_table(report["checks"]))
    failed = [check for check in report["checks"] if check["status"] == "fail"]
    undecided = [check for check in report["checks"] if check["status"] == "error"]
    for detail in dict.fromkeys(check["detail"] for check in undecided):  # one error, once
        names = ", ".join(dict.fromkeys(full_name(check) for check in undecided if check["detail"] == detail))
        console.print(Text(f"\n{names}: {detail}", style=COLOURS["error"] if failed else ""))
    if others := failed[1:]:
        rungs = dict.fromkeys(check["rung"] for check in others)
        lines = [(rung, "; ".join(short_name(check) for check in others if check["rung"] == rung)) for rung in rungs]
        console.print("", build_list("Also failed:", lines, console.width), sep="\n")
    for check in failed[:1]:
        console.print(Text(f"\n{full_name(check)}: {check['detail']}"))
    if differences := report.get("differences"):
        console.print(Text(f"\n{heading(differences)}:", style="bold"))
        for text in paragraphs(report)[: len(differences["found"]) or None]:  # the verdict says the rest
            console.print(Text(text))
    devices = ", ".join(f"{name} on {device or 'nothing'}" for name, device in report["environment"]["devices"].items())
    console.print(Text(f"\nDevices: {devices}\nReport: {folder}/report.html"), soft_wrap=True)
    console.print(Text(sentence(report), style=VERDICT_COLOURS[report["verdict"]]))


def widen_for_logs(console: Console) -> Console:
    """Keeps each sentence on its line where there is no terminal: a log or a pipe has no width to wrap at."""
    if not console.is_terminal:
        console.width = max(console.width, LOG_WIDTH)
    return console


def build_list(title: str, lines: list[tuple[str, str]], width: int) -> Text:
    """Builds a list with a subject and a text on each line; a long text goes on below itself.

    Args:
        title: above it.
        lines: subjects and texts.
        width: of the terminal.
    """
    column = 2 + max(len(subject) for subject, _ in lines)
    wrapped = [
        textwrap.fill(text, width, initial_indent=subject.ljust(column), subsequent_indent=" " * column)
        for subject, text in lines
    ]
    return Text.assemble((title, "bold"), *(f"\n{line}" for line in wrapped))


def build_table(checks: list[dict]) -> Table:
    """Builds the table: a line for each rung, with the check that is nearest to its limit, or beyond it."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("rung", no_wrap=True)
    table.add_column("checks", no_wrap=True)
    table.add_column("nearest to its limit", overflow="fold")
    for name in ("measured", "limit", "floor"):
        table.add_column(name, justify="right", overflow="fold")
    order = {rung: index for index, rung in enumerate(QUESTIONS)}  # a rung that is not on the ladder comes last
    rungs = dict.fromkeys(check["rung"] for check in checks)
    for rung in sorted(rungs, key=lambda rung: order.get(rung, len(order))):
        checks_of_rung = [check for check in checks if check["rung"] == rung]
        nearest = max(checks_of_rung, key=closeness_to_limit)
        # Text, not markup: a name in brackets is a name.
        numbers = (Text(shown(nearest[key])) for key in ("measured", "limit", "noise_floor"))
        table.add_row(Text(rung), count_statuses(checks_of_rung), Text(nearest["name"]), *numbers)
    return table


def count_statuses(checks: list[dict]) -> Text:
    """Counts how a rung's checks ended: `2 pass`, or `1 fail, 1 pass`."""
    statuses = [check["status"] for check in checks]
    counts = {status: statuses.count(status) for status in COLOURS}
    return Text(", ").join(Text(f"{count} {status}", COLOURS[status]) for status, count in counts.items() if count)


def closeness_to_limit(check: dict) -> tuple[int, float]:
    """Orders checks: failed ones are the greatest, then undecided ones, then by how much of its limit was measured."""
    measured, limit = check["measured"], check["limit"]
    are_numbers = all(isinstance(value, int | float) and math.isfinite(value) for value in (measured, limit))
    share = measured / limit if are_numbers and limit > 0 else 0.0
    return -list(COLOURS).index(check["status"]), share


def full_name(check: dict) -> str:
    """Returns a check's rung and name."""
    return f"{check['rung']} / {check['name']}"


def short_name(check: dict) -> str:
    """Returns a check's name, with the first layer that departs where it has one."""
    return check["name"] + (f" (first: {check['first']})" if check.get("first") else "")
