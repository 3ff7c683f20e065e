"""The report in the terminal: a table of checks, the verdict last, where the eye is."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from parity.report import sentence, shown

COLOURS = {"pass": "green", "fail": "bold red", "error": "bold yellow", "info": "dim"}
VERDICT_COLOURS = {"pass": "bold green", "fail": "bold red", "could-not-run": "bold yellow"}


def show(report: dict, folder: str, console: Console | None = None) -> None:
    """Prints the report; `folder` is where its files are."""
    console = console or Console(highlight=False)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("status", "rung", "check"):
        table.add_column(name, no_wrap=True)
    table.add_column("measured", justify="right", no_wrap=True)
    table.add_column("limit", justify="right", no_wrap=True)
    for check in report["checks"]:
        # Text, not markup: a name in brackets is a name.
        status = Text(check["status"], style=COLOURS[check["status"]])
        values = (check["rung"], check["name"], shown(check["measured"]), shown(check["limit"]))
        table.add_row(status, *(Text(value) for value in values))
    console.print(table)
    for check in report["checks"]:
        if check["status"] in ("fail", "error"):
            console.print(Text(f"\n{check['rung']} / {check['name']}: {check['detail']}"))
    for check in report["checks"]:
        if check["status"] == "info":
            console.print(Text(f"\n{check['name']}: {check['detail']}"))
    devices = ", ".join(f"{name} on {device or 'nothing'}" for name, device in report["environment"]["devices"].items())
    console.print(Text(f"Devices: {devices}\nReport: {folder}"), soft_wrap=True)
    console.print(Text(sentence(report), style=VERDICT_COLOURS[report["verdict"]]), soft_wrap=True)
