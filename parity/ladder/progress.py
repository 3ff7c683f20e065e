"""The one progress display: rows with bars on a terminal, plain lines elsewhere; and the ladder while it is climbed."""

import sys
import threading
import time
from dataclasses import dataclass
from typing import TextIO

from mlp_spec.runs.progress import epoch_line
from parity.process import Follow
from parity.protocol.task import NAMES
from parity.rungs import RUNGS

BAR_WIDTH = 16


@dataclass
class Row:
    """What one process, or one side, is at."""

    name: str  # for people
    total: int | None = None  # of what is counted; None if nothing is
    completed: int = 0  # how many are finished, `before` of them when the display began
    before: int = 0
    text: str = "waiting"  # what is done now

    def bar(self) -> str:
        """Returns the row's bar and count; empty where nothing is counted."""
        if not self.total:
            return ""
        full = BAR_WIDTH * self.completed // self.total
        return f"{'━' * full}{'╌' * (BAR_WIDTH - full)} {self.completed}/{self.total}"


class Progress:
    """Shows rows while work goes on; a context.

    Args:
        stream: where everything is shown; standard output unless given.
        sample_note: printed once, when a process says that it uses the offline sample.
    """

    def __init__(self, stream: TextIO | None = None, sample_note: str = ""):
        self.stream, self.sample_note = stream or sys.stdout, sample_note
        self.live, self.started = None, time.monotonic()
        self.rows: dict[str, Row] = {}
        self.lock = threading.Lock()  # events come from several threads

    def __enter__(self):
        if self.stream.isatty():
            from rich.console import Console
            from rich.live import Live

            console = Console(file=self.stream, highlight=False)
            self.live = Live(console=console, refresh_per_second=4, transient=True, get_renderable=self.render)
            self.live.start()
        return self

    def __exit__(self, *_):
        if self.live:
            self.live.stop()

    def render(self):
        """Returns the rows as they are now, and the time."""
        from rich.console import Group
        from rich.text import Text

        with self.lock:
            texts = ("  ".join(filter(None, (row.bar(), row.text))) for row in self.rows.values())
            lines = [f"{row.name:<10} {text}" for row, text in zip(self.rows.values(), texts, strict=True)]
        seconds = f"{time.monotonic() - self.started:.0f} s"
        lines.append("  ".join(filter(None, (seconds, self.time_left()))))
        return Group(*(Text(line, no_wrap=True, overflow="ellipsis") for line in lines))

    def add_row(self, name: str, total: int | None = None, completed: int = 0) -> Row:
        """Adds a row; see `Row`."""
        with self.lock:
            row = self.rows[name] = Row(name, total, completed, completed, "")
        return row

    def time_left(self) -> str:
        """Says when everything will be finished, from what was finished since the start; empty if that is unknown."""
        rows = [row for row in self.rows.values() if row.total]
        done, total = sum(row.completed for row in rows), sum(row.total for row in rows)
        new = done - sum(row.before for row in rows)
        if not new or done == total:
            return ""
        seconds = (time.monotonic() - self.started) / new * (total - done)
        until = time.strftime("%H:%M", time.localtime(time.time() + seconds))
        return f"about {format_duration(seconds)} left, until {until}"

    def print(self, line: str) -> None:
        """Prints a line that stays, above the rows."""
        if self.live:
            self.live.console.print(line, soft_wrap=True, markup=False)
        else:
            print(line, file=self.stream, flush=True)

    def print_plain(self, line: str) -> None:
        """Prints a line where there are no rows to show it."""
        if not self.live:
            print(line, file=self.stream, flush=True)

    def follow(self, name: str, epochs: int) -> Follow:
        """Returns what to call with each event of a framework's process.

        Args:
            name: of the process, for people.
            epochs: that it trains.
        """
        row = self.add_row(name)
        row.text = "starting"
        self.print_plain(f"{name:<9}  starting")

        def on_event(event: dict) -> None:
            """Shows one event of the process."""
            nonlocal epochs
            kind = event["event"]
            if kind == "start":
                epochs = event.get("epochs", epochs)
                self.print_sample_note(event["dataset"])
                row.text = f"training on {event['dataset']} on {event['device']}"
            elif kind == "begin":
                row.text = event["part"].replace("_", " ")
            elif kind == "alive":
                row.text = event["what"]
            elif kind == "note":
                self.show_note(row, event["text"])
            elif kind == "epoch":
                row.text = epoch_line(event["epoch"] - 1, epochs, event["seconds"], event["metrics"])
            elif kind in ("part", "failed"):
                row.text = "waiting"
            if kind in ("start", "begin", "epoch"):
                self.print_plain(f"{name:<9}  {row.text}")

        return on_event

    def show_note(self, row: Row, text: str) -> None:
        """Prints what a process says for people."""
        self.print(f"{row.name}: {text}")

    def print_sample_note(self, dataset: str) -> None:
        """Prints once that the offline sample is used."""
        if dataset == "mnist-sample" and self.sample_note:
            note, self.sample_note = self.sample_note, ""
            self.print(note)


STATES = {"working": ("at work", "cyan"), "answered": ("answered", "dim"), "failed": ("no answer", "bold yellow")}
RESULTS = {"pass": "green", "fail": "bold red", "error": "bold yellow", "info": "dim"}
ORDER = ("fail", "error", "pass", "info")  # the state of a rung is the first of these that one of its checks has
# Of every line its label and its parts, of which the first one that a side was asked is shown: the rungs data, forward
# and metrics have checks in a later part, too; a pair file's metrics have them there alone.
LINES = [
    (rung.name if number == 0 else f"{rung.name}, restarted", (part, *list(rung.judges)[1:]) if several else (part,))
    for rung in RUNGS
    if rung.name != "speed"
    for several in [rung.name in ("data", "forward", "metrics")]
    for number, part in enumerate(rung.judges)
    if not (number and several)
]


class LadderProgress(Progress):
    """Shows, above its rows, what both processes have answered, and each rung's result as soon as it is judged.

    Args:
        epochs: how many epochs each process trains.
        sample_note, stream: as for `Progress`.
    """

    def __init__(self, epochs: int, sample_note: str = "", stream: TextIO | None = None):
        super().__init__(stream, sample_note)
        self.epochs = epochs
        self.states: dict[str, dict[str, str]] = {side: {} for side in NAMES}
        self.results: dict[str, dict[str, str]] = {}  # by the label of a line and the part that was judged
        for name in NAMES.values():
            self.add_row(name).text = "waiting"

    def render(self):
        """Returns the table of rungs and the rows as they are now."""
        from rich.console import Group

        return Group(self.table(), super().render())

    def table(self):
        """Returns the table of rungs as it is now."""
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, header_style="bold")
        for name, width in (("rung", 20), *((name, 11) for name in NAMES.values()), ("result", 12)):
            table.add_column(name, min_width=width, no_wrap=True)
        with self.lock:
            for label, parts in LINES:
                words = [next((own[part] for part in parts if part in own), "") for own in self.states.values()]
                states = [STATES.get(word, ("", "")) for word in words]
                result = min(self.results.get(label, {}).values(), key=ORDER.index, default="")
                cells = [Text(word, style=style) for word, style in states]
                table.add_row(label, *cells, Text(result, style=RESULTS.get(result, "")))
        return table

    def follow_side(self, side: str) -> Follow:
        """Returns what to call with each event of a side's process."""
        follow = self.follow(NAMES[side], self.epochs)

        def on_event(event: dict) -> None:
            """Shows one event of the process."""
            state = {"begin": "working", "part": "answered", "failed": "failed"}.get(event["event"])
            if state:
                self.states[side][event["part"]] = state
            follow(event)

        return on_event

    def show_note(self, row: Row, text: str) -> None:
        """Shows what a process says for people while it is new; the summary has it, too, and keeps it."""
        row.text = text

    def show_result(self, part: str, checks: list) -> None:
        """Shows the result of each rung that a part was judged on."""
        for rung in dict.fromkeys(check.rung for check in checks if check.rung != "speed"):
            statuses = {check.status for check in checks if check.rung == rung}
            result = next(status for status in ORDER if status in statuses)
            label = f"{rung}, restarted" if part == "restarts" else rung
            with self.lock:  # a rung may be judged in two parts, and a part once more
                self.results.setdefault(label, {})[part] = result
            self.print_plain(f"{'ladder':<9}  {label}: {result}")


def format_duration(seconds: float) -> str:
    """Returns a duration as people say it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
