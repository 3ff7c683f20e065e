"""Callbacks of the training command: the bar, and what is kept after every epoch."""

from lightning.pytorch.callbacks import Checkpoint, ProgressBar

from lightning_mlp.history import History
from mlp_spec.runs.folder import Results, RunFolder
from mlp_spec.runs.progress import EpochBar
from mlp_spec.runs.resume import Stamp


class Bar(ProgressBar):
    """Shows Keras-like progress: a bar within an epoch, one line with four numbers after it."""

    def __init__(self, history: History):
        super().__init__()
        self.history, self.said = history, False

    def on_train_start(self, trainer, pl_module):
        """Makes the bar."""
        sampler = getattr(trainer.train_dataloader, "sampler", None)
        # with many steps per execution, the bar still counts steps
        self.steps_of_batch = getattr(sampler, "block", None) or 1
        self.bar = EpochBar(trainer.max_epochs, getattr(sampler, "batches", trainer.num_training_batches))
        if getattr(pl_module, "compile_steps", False):
            print("Compiling the training step ...", flush=True)

    def on_train_epoch_start(self, trainer, pl_module):
        """Empties the bar; before the first epoch, says what became of compiling."""
        if not self.said:
            self.said = True
            self.say(pl_module)
        self.bar.start_epoch(trainer.current_epoch)

    @staticmethod
    def say(pl_module) -> None:
        """Says how long compiling took, or why it was not done."""
        if why := getattr(pl_module, "why_not", None):
            what = "compiled" if pl_module.compile_steps else "captured"
            print(f"note: steps are not {what}, but run one by one: {why}", flush=True)
        elif seconds := getattr(pl_module, "compile_seconds", None):
            what = "Compiled" if pl_module.compile_steps else "Captured"
            print(f"{what} in {seconds:.1f} s.", flush=True)

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        """Fills the bar."""
        self.bar.advance((batch_idx + 1) * self.steps_of_batch)

    def on_train_epoch_end(self, trainer, pl_module):
        """Prints the epoch's line."""
        metrics = {name: values[-1] for name, values in self.history.history.items()}
        self.bar.end_epoch(trainer.current_epoch, self.history.epoch_seconds[-1], metrics)

    def on_exception(self, trainer, pl_module, exception):
        """Takes the bar away before anything else is printed."""
        if hasattr(self, "bar"):
            self.bar.stop()


class Keeper(Checkpoint):
    """Writes results and a checkpoint after every epoch, stamped with the experiment they belong to.

    Lightning calls a `Checkpoint` after all other callbacks, when they have seen the epoch.

    Args:
        history: the curves.
        run: where everything is written; None in a process that writes nothing.
        name: the checkpoint's file name; it is replaced after every epoch.
        experiment: what is trained.
    """

    def __init__(self, history: History, run: RunFolder | None, name: str, experiment):
        self.history, self.run, self.experiment = history, run, experiment
        self.path = run.path / name if run else name
        self.startup_seconds, self.compile_seconds = 0.0, None

    @property
    def results(self) -> Results:
        """What has been finished so far."""
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
