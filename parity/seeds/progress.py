"""Progress of a study: how many seeds are finished, and when it will end; watched from its store."""

import threading

from parity.ladder.progress import Progress
from parity.protocol.seeds import path_of
from parity.protocol.task import NAMES, Task


class StudyProgress(Progress):
    """Shows the finished seeds of every side while a block runs.

    It looks at the store, so that seeds are seen wherever they are trained.

    Args:
        tasks: by side, with all of its seeds.
    """

    def __init__(self, tasks: dict[str, Task]):
        super().__init__()
        self.tasks, self.ended = tasks, threading.Event()
        self.finished = {side: finished_seeds(side, task) for side, task in tasks.items()}
        for side, task in tasks.items():
            self.add_row(NAMES[side], len(task.seeds.seeds), len(self.finished[side]))
        self.thread = threading.Thread(target=self.watch, daemon=True)

    def __enter__(self):
        super().__enter__()
        for row in self.rows.values():
            self.print(f"{row.name}: {row.completed} of {row.total} seeds are in the store")
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()
        self.look()
        super().__exit__()

    def watch(self) -> None:
        """Looks at the store, twice a second."""
        while not self.ended.wait(0.5):
            self.look()

    def look(self) -> None:
        """Shows what has been finished since the last look."""
        for side, task in self.tasks.items():
            finished, row = finished_seeds(side, task), self.rows[NAMES[side]]
            new, self.finished[side] = finished - self.finished[side], finished
            row.completed = len(finished)
            for seed in sorted(new):
                count = f"{row.completed} of {row.total}"
                self.print_plain(f"{row.name:<9}  seed {seed} finished, {count}  {self.time_left()}")


def finished_seeds(side: str, task: Task) -> set[int]:
    """Returns the seeds of a task that have a result."""
    return {seed for seed in task.seeds.seeds if path_of(task.seeds.store, side, seed).exists()}
