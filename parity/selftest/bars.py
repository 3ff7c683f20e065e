"""Progress of processes that train: a bar each on a terminal, plain lines elsewhere."""

import sys

from mlp_spec.runs.progress import epoch_line


class TrainingBars:
    """Shows the epochs of every process; a context.

    Args:
        epochs: how many epochs each process trains.
        sample_note: printed when the first process says that it uses the offline sample.
    """

    def __init__(self, epochs: int, sample_note: str = ""):
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self.epochs, self.sample_note = epochs, sample_note
        self.live = sys.stdout.isatty()
        self.progress = Progress(
            TextColumn("{task.description:<9}"),
            BarColumn(bar_width=16),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[last]}"),
            disable=not self.live,
        )

    def __enter__(self):
        self.progress.start()
        return self

    def __exit__(self, *_):
        self.progress.stop()

    def follow(self, name: str):
        """Returns what to call with each event of the process `name`."""
        task = self.progress.add_task(name, total=self.epochs, last="starting")

        def on_event(event: dict) -> None:
            """Shows one event of the process."""
            if event["event"] == "start":
                if event["dataset"] == "mnist-sample" and self.sample_note:
                    self.progress.console.print(self.sample_note, highlight=False, soft_wrap=True)
                    self.sample_note = ""
                text = f"{event['dataset']} on {event['device']}"
                self.progress.update(task, last=text)
                self._plain(f"{name:<9}  training on {text}")
            elif event["event"] in ("begin", "alive"):
                text = event.get("what") or event["part"]
                self.progress.update(task, last=text)
                if event["event"] == "begin":
                    self._plain(f"{name:<9}  {text}")
            elif event["event"] == "epoch":
                metrics = event["metrics"]
                last = f"val_loss {metrics['val_loss']:.4f}  val_acc {metrics['val_acc']:.4f}"
                self.progress.update(task, completed=event["epoch"], last=last)
                line = epoch_line(event["epoch"] - 1, self.epochs, event["seconds"], metrics)
                self._plain(f"{name:<9}  {line}")

        self._plain(f"{name:<9}  starting")
        return on_event

    def _plain(self, line: str) -> None:
        if not self.live:
            print(line, flush=True)
