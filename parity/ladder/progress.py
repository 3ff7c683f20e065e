"""The ladder while it is climbed: a live table of rungs on a terminal, plain lines elsewhere."""

import sys
import threading
import time
from typing import TextIO

from mlp_spec.runs.progress import epoch_line
from parity.rungs import RUNGS

SIDES = ("Keras", "Lightning")
STATES = {"working": ("at work", "cyan"), "answered": ("answered", "dim"), "failed": ("no answer", "bold yellow")}
RESULTS = {"pass": "green", "fail": "bold red", "error": "bold yellow", "info": "dim"}
ORDER = ("fail", "error", "pass", "info")  # the state of a rung is the first of these that one of its checks has


class LadderProgress:
    """Shows what both processes are at, and each rung's result as soon as both have answered; a context.

    Args:
        epochs: how many epochs each process trains.
        sample_note: printed when the first process says that it uses the offline sample.
        stream: where everything is shown; standard output unless given.
    """

    def __init__(self, epochs: int, sample_note: str = "", stream: TextIO | None = None):
        self.epochs, self.sample_note = epochs, sample_note
        self.stream = stream or sys.stdout
        self.live = None
        self.started = time.monotonic()
        self.states: dict[str, dict[str, str]] = {side: {} for side in SIDES}
        self.now = dict.fromkeys(SIDES, "waiting")
        self.results: dict[str, str] = {}
        self.lock = threading.Lock()  # events come from two threads

    def __enter__(self):
        if self.stream.isatty():
            from rich.console import Console
            from rich.live import Live

            console = Console(file=self.stream, highlight=False)
            self.live = Live(console=console, refresh_per_second=4, transient=True, get_renderable=self.table)
            self.live.start()
        return self

    def __exit__(self, *_):
        if self.live:
            self.live.stop()

    def table(self):
        """Returns the table of rungs as it is now."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, header_style="bold")
        for name, width in (("rung", 20), *((side, 11) for side in SIDES), ("result", 12)):
            table.add_column(name, min_width=width, no_wrap=True)
        with self.lock:
            for part, rungs in RUNGS.items():
                states = [STATES.get(self.states[side].get(part, ""), ("", "")) for side in SIDES]
                for rung in rungs if part != "restarts" else ("lockstep, restarted",):
                    result = self.results.get(rung, "")
                    cells = [Text(word, style=style) for word, style in states]
                    table.add_row(rung, *cells, Text(result, style=RESULTS.get(result, "")))
            lines = [Text(f"{side:<10} {self.now[side]}", no_wrap=True, overflow="ellipsis") for side in SIDES]
        return Group(table, *lines, Text(f"{time.monotonic() - self.started:.0f} s", style="dim"))

    def follow(self, name: str):
        """Returns what to call with each event of the process `name`, `Keras` or `Lightning`."""
        self.now[name] = "starting"
        self.plain(f"{name:<9}  starting")

        def on_event(event: dict) -> None:
            """Shows one event of the process."""
            kind, part = event["event"], event.get("part")
            if kind == "start":
                self.tell_sample(event["dataset"])
                self.now[name] = f"training on {event['dataset']} on {event['device']}"
                self.plain(f"{name:<9}  {self.now[name]}")
            elif kind == "begin":
                self.states[name][part], self.now[name] = "working", part
                self.plain(f"{name:<9}  {part}")
            elif kind == "alive":
                self.now[name] = event["what"]
            elif kind in ("part", "failed"):
                self.states[name][part] = "answered" if kind == "part" else "failed"
                self.now[name] = "waiting"
            elif kind == "epoch":
                line = epoch_line(event["epoch"] - 1, self.epochs, event["seconds"], event["metrics"])
                self.now[name] = line
                self.plain(f"{name:<9}  {line}")

        return on_event

    def judged(self, part: str, checks: list) -> None:
        """Shows the result of each rung that a part answers."""
        for rung in dict.fromkeys(check.rung for check in checks):
            statuses = {check.status for check in checks if check.rung == rung}
            if statuses == {"info"} and rung == "speed":
                continue
            result = next(status for status in ORDER if status in statuses)
            name = "lockstep, restarted" if part == "restarts" else rung
            with self.lock:
                before = self.results.get(name, result)  # the rung data has a check in a later part, too
                self.results[name] = min(before, result, key=ORDER.index)
            self.plain(f"{'ladder':<9}  {name}: {result}")

    def tell_sample(self, dataset: str) -> None:
        """Prints once that the offline sample is used."""
        note, self.sample_note = (self.sample_note, "") if dataset == "mnist-sample" else ("", self.sample_note)
        if note and self.live:
            self.live.console.print(note, soft_wrap=True)
        elif note:
            self.plain(note)

    def plain(self, line: str) -> None:
        """Prints a line where there is no live table."""
        if not self.live:
            print(line, file=self.stream, flush=True)
