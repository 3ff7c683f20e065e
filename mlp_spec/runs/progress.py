"""Shows the progress of training: a bar in a terminal, and a line for each finished epoch."""

import sys


def epoch_line(epoch: int, epochs: int, seconds: float, metrics: dict[str, float]) -> str:
    """Returns the line for a finished epoch; `epoch` counts from 0."""
    numbers = "  ".join(f"{name} {value:.4f}" for name, value in metrics.items())
    return f"Epoch {epoch + 1:{len(str(epochs))}}/{epochs}  {seconds:5.1f} s  {numbers}"


class EpochBar:
    """A progress bar over the batches of an epoch, shown if the output is a terminal.

    Args:
        epochs: number of epochs of the run.
        batches: number of batches of an epoch.
    """

    def __init__(self, epochs: int, batches: int):
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        self.epochs, self.batches = epochs, batches
        # Another thread redraws the bar: `advance` costs one comparison.
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
        """Shows that `done` batches of the epoch are finished; redraws at most 50 times per epoch."""
        if done >= self.next:
            self.next = done + self.every
            self.progress.update(self.task, completed=min(done, self.batches))

    def end_epoch(self, epoch: int, seconds: float, metrics: dict[str, float]) -> None:
        """Removes the bar and prints the epoch's line."""
        last = " ".join(f"{name} {value:.3f}" for name, value in metrics.items())
        self.progress.update(self.task, last=last)  # shown beside the next epoch's bar
        self.progress.stop()
        print(epoch_line(epoch, self.epochs, seconds, metrics), flush=True)

    def stop(self) -> None:
        """Removes the bar, also in the middle of an epoch."""
        self.progress.stop()
