"""Callbacks of the training command: the progress bar, and the checkpoint after every epoch."""

from lightning.pytorch.callbacks import Checkpoint, ProgressBar

from lightning_mlp.history import History
from mlp_spec.runs.folder import Results, RunFolder
from mlp_spec.runs.progress import EpochBar
from mlp_spec.runs.resume import Stamp


class Bar(ProgressBar):
    """Shows progress like Keras: a bar during an epoch, then one line with its four metrics."""

    def __init__(self, history: History):
        super().__init__()
        self.history, self.has_reported = history, False

    def on_train_start(self, trainer, pl_module):
        """Creates the bar."""
        sampler = getattr(trainer.train_dataloader, "sampler", None)
        # a batch of Lightning's is a block of many steps on the fast path; the bar counts steps on both
        self.steps_per_batch = getattr(sampler, "block", None) or 1
        self.bar = EpochBar(trainer.max_epochs, getattr(sampler, "batches", trainer.num_training_batches))
        if getattr(pl_module, "compile_steps", False):
            print("Compiling the training step ...", flush=True)

    def on_train_epoch_start(self, trainer, pl_module):
        """Empties the bar; before the first epoch, reports on compiling."""
        if not self.has_reported:
            self.has_reported = True
            self.report_compiling(pl_module)
        self.bar.start_epoch(trainer.current_epoch)

    @staticmethod
    def report_compiling(pl_module) -> None:
        """Prints how long compiling or capturing took, or why it was not done."""
        action = "compiled" if getattr(pl_module, "compile_steps", False) else "captured"
        if reason := getattr(pl_module, "why_not", None):
            instead = "run one by one" if getattr(pl_module, "whole_step", None) is None else "captured as they are"
            print(f"note: steps are not {action}, but {instead}: {reason}", flush=True)
        elif seconds := getattr(pl_module, "compile_seconds", None):
            print(f"{action.capitalize()} in {seconds:.1f} s.", flush=True)

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        """Fills the bar."""
        self.bar.advance((batch_idx + 1) * self.steps_per_batch)

    def on_train_epoch_end(self, trainer, pl_module):
        """Prints the epoch's line."""
        metrics = {name: values[-1] for name, values in self.history.history.items()}
        self.bar.end_epoch(trainer.current_epoch, self.history.epoch_seconds[-1], metrics)

    def on_exception(self, trainer, pl_module, exception):
        """Removes the bar before anything else is printed."""
        if hasattr(self, "bar"):
            self.bar.stop()


class EpochCheckpoint(Checkpoint):
    """Writes results and a checkpoint after every epoch, with the experiment they belong to.

    Lightning calls a `Checkpoint` after all other callbacks, so that `history` holds the epoch.

    Args:
        history: the curves.
        run: the run folder; None in a process that does not write.
        name: the checkpoint's file name; the file is replaced after every epoch.
        experiment: what is trained.
    """

    def __init__(self, history: History, run: RunFolder | None, name: str, experiment):
        self.history, self.run, self.experiment = history, run, experiment
        self.path = run.path / name if run else name
        self.startup_seconds, self.compile_seconds = 0.0, None

    @property
    def results(self) -> Results:
        """The results of the finished epochs."""
        return Results(self.history.history, self.history.epoch_seconds, self.startup_seconds, self.compile_seconds)

    def on_save_checkpoint(self, trainer, pl_module, checkpoint):
        """Adds the stamp."""
        checkpoint["run"] = Stamp(self.experiment, self.results).to_dict()

    def on_train_epoch_end(self, trainer, pl_module):
        """Writes history, timing and checkpoint."""
        self.compile_seconds = getattr(pl_module, "compile_seconds", None)
        if self.run:
            self.run.write_results(self.results)
        trainer.save_checkpoint(self.path)  # all processes take part, the main one writes
