"""The report in the terminal: a table of checks, the verdict last, where the eye is."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from parity.report import sentence, shown

COLOURS = {"pass": "green", "fail": "bold red", "error": "bold yellow", "info": "dim"}
VERDICT_COLOURS = {"pass": "bold green", "fail": "bold red", "could-not-run": "bold yellow"}

LOG_WIDTH = 10_000


def show(report: dict, folder: str, console: Console | None = None) -> None:
    """Prints the report; `folder` is where its files are."""
    console = console or Console(highlight=False)
    if not console.is_terminal:  # a log or a pipe has no width to wrap at: a sentence stays on its line
        console.width = max(console.width, LOG_WIDTH)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("status", no_wrap=True)
    for name in ("rung", "check"):
        table.add_column(name, overflow="fold")
    for name in ("measured", "limit", "floor"):
        table.add_column(name, justify="right", overflow="fold")
    for check in report["checks"]:
        # Text, not markup: a name in brackets is a name.
        status = Text(check["status"], style=COLOURS[check["status"]])
        numbers = (shown(check[key]) for key in ("measured", "limit", "noise_floor"))
        values = (check["rung"], check["name"], *numbers)
        table.add_row(status, *(Text(value) for value in values))
    console.print(table)
    for check in report["checks"]:
        if check["status"] in ("fail", "error"):
            console.print(Text(f"\n{check['rung']} / {check['name']}: {check['detail']}"))
            if check["cause"]:
                console.print(Text(cause_text(check["cause"]), style="bold"))
    for check in report["checks"]:
        if check["status"] == "info":
            console.print(Text(f"\n{check['name']}: {check['detail']}"))
    devices = ", ".join(f"{name} on {device or 'nothing'}" for name, device in report["environment"]["devices"].items())
    console.print(Text(f"Devices: {devices}\nReport: {folder}"), soft_wrap=True)
    console.print(Text(sentence(report), style=VERDICT_COLOURS[report["verdict"]]), soft_wrap=True)


def cause_text(cause: dict) -> str:
    """Says a named cause in three lines, or what was tried."""
    if cause["id"] is None:
        return f"  cause: not known. {cause['title']}"
    formulas = "\n".join(f"    {side}: {formula}" for side, formula in cause["formulas"].items())
    return f"  cause: {cause['title']} [{cause['id']}], explains {cause['explained']:.1%} of the gap\n{formulas}"
