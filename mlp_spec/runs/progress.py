"""Progress of an epoch: a bar on a terminal, and a line for each finished epoch anywhere."""

import sys


def epoch_line(epoch: int, epochs: int, seconds: float, metrics: dict[str, float]) -> str:
    """Returns the line for a finished epoch; `epoch` counts from 0."""
    numbers = "  ".join(f"{name} {value:.4f}" for name, value in metrics.items())
    return f"Epoch {epoch + 1:{len(str(epochs))}}/{epochs}  {seconds:5.1f} s  {numbers}"


class EpochBar:
    """A bar that fills while the batches of an epoch are trained, where the output is a terminal.

    Args:
        epochs: how many epochs the run has.
        batches: how many batches an epoch has.
    """

    def __init__(self, epochs: int, batches: int):
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        self.epochs, self.batches = epochs, batches
        # Redrawing happens in a thread of its own: a batch costs one comparison here.
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=7),
            MofNCompleteColumn(),
            TextColumn("{task.fields[last]}"),
            transient=True,
            refresh_per_second=5,
            disable=not sys.stdout.isatty(),
        )
        self.task = self.progress.add_task("", total=batches, last="")
        self.every = max(1, batches // 50)
        self.next = self.every

    def start_epoch(self, epoch: int) -> None:
        """Shows an empty bar for epoch `epoch`, counted from 0."""
        self.next = self.every
        self.progress.start()
        self.progress.reset(self.task, description=f"Epoch {epoch + 1}/{self.epochs}", total=self.batches)

    def advance(self, done: int) -> None:
        """Shows that `done` batches of the epoch are finished; at most fifty times an epoch."""
        if done >= self.next:
            self.next = done + self.every
            self.progress.update(self.task, completed=min(done, self.batches))

    def end_epoch(self, epoch: int, seconds: float, metrics: dict[str, float]) -> None:
        """Takes the bar away and prints the epoch's line."""
        last = " ".join(f"{name} {value:.3f}" for name, value in metrics.items())
        self.progress.update(self.task, last=last)  # the next epoch's bar shows what has been reached
        self.progress.stop()
        print(epoch_line(epoch, self.epochs, seconds, metrics), flush=True)

    def stop(self) -> None:
        """Takes the bar away, also in the middle of an epoch."""
        self.progress.stop()
