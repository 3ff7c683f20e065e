"""Progress of a study: how many seeds are finished, and when it will end; watched from its store."""

import sys
import threading
import time

from parity.protocol.seeds import StudyJob, path_of
from parity.seeds.work import NAMES


class StudyProgress:
    """Shows the finished seeds of every side while a block runs; a bar each on a terminal, plain lines elsewhere.

    It looks at the store, so that seeds are seen wherever they are trained.

    Args:
        tasks: one a side, with all of its seeds.
    """

    def __init__(self, tasks: list[StudyJob]):
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self.live, self.tasks, self.ended = sys.stdout.isatty(), tasks, threading.Event()
        self.progress = Progress(
            TextColumn("{task.description:<9}"),
            BarColumn(bar_width=16),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            disable=not self.live,
        )
        self.done = {task.side: self.finished(task) for task in tasks}
        self.before = sum(map(len, self.done.values()))
        self.total = sum(len(task.seeds) for task in tasks)
        self.bars = {
            task.side: self.progress.add_task(
                NAMES[task.side], total=len(task.seeds), completed=len(self.done[task.side]), left=""
            )
            for task in tasks
        }
        self.thread = threading.Thread(target=self.watch, daemon=True)

    def __enter__(self):
        self.started = time.monotonic()
        self.progress.start()
        for task in self.tasks:
            count = f"{len(self.done[task.side])} of {len(task.seeds)} seeds"
            self.progress.console.print(f"{NAMES[task.side]}: {count} are in the store", highlight=False)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()
        self.look()
        self.progress.stop()

    def watch(self) -> None:
        """Looks at the store, twice a second."""
        while not self.ended.wait(0.5):
            self.look()

    def look(self) -> None:
        """Shows what has been finished since the last look."""
        for task in self.tasks:
            found = self.finished(task)
            new, self.done[task.side] = found - self.done[task.side], found
            left = self.left()
            self.progress.update(self.bars[task.side], completed=len(found), left=left)
            for seed in sorted(new) if not self.live else ():
                print(
                    f"{NAMES[task.side]:<9}  seed {seed} finished, {len(found)} of {len(task.seeds)}  {left}",
                    flush=True,
                )

    def left(self) -> str:
        """Says when everything will be finished, from the seeds that were finished since the start."""
        done = sum(map(len, self.done.values()))
        if done in (self.before, self.total):
            return ""
        seconds = (time.monotonic() - self.started) / (done - self.before) * (self.total - done)
        return f"about {duration(seconds)} left, until {time.strftime('%H:%M', time.localtime(time.time() + seconds))}"

    @staticmethod
    def finished(task: StudyJob) -> set[int]:
        """Returns the seeds that have a result."""
        return {seed for seed in task.seeds if path_of(task.store, task.side, seed).exists()}


def duration(seconds: float) -> str:
    """Returns a duration as people say it."""
    return (
        f"{seconds:.0f} s"
        if seconds < 90
        else f"{seconds / 60:.0f} min"
        if seconds < 5400
        else f"{seconds / 3600:.1f} h"
    )
