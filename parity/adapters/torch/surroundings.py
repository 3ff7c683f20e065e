"""What a module expects of its Trainer: its data module, and validated metrics for its schedulers and callbacks."""

import contextlib
from collections.abc import Iterator
from importlib import import_module

import lightning


def quiet_trainer(package, callbacks: list, accelerator: str = "cpu", **options):
    """Builds a Trainer of a package, `lightning.pytorch` or the older one, that prints and writes nothing.

    Args:
        package: that the module derives from.
        callbacks, accelerator: the Trainer's.
        options: further arguments of it.
    """  # fmt: skip
    return package.Trainer(
        accelerator=accelerator,
        devices=1,
        callbacks=callbacks,
        logger=import_module(f"{package.__name__}.loggers.logger").DummyLogger(),
        enable_progress_bar=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        **options,
    )


@contextlib.contextmanager
def without_own_callbacks(module) -> Iterator[None]:
    """Leaves out the callbacks that a module itself gives its Trainer, as those of `lightning_trainer()` are."""
    kept = vars(module).get("configure_callbacks")
    module.configure_callbacks = list  # none
    try:
        yield
    finally:
        del module.configure_callbacks
        if kept:
            module.configure_callbacks = kept


class WithoutValidation(lightning.Callback):
    """Lets a scheduler that waits for a validated metric wait on, where nothing is validated.

    Lightning ends a run whose ReduceLROnPlateau monitors `val_loss` and that logs none.
    """

    def on_train_start(self, trainer, pl_module):
        """Has Lightning skip a scheduler, or a module's EarlyStopping, whose metric is not there."""
        stopping = [callback for callback in trainer.callbacks if type(callback).__name__ == "EarlyStopping"]
        for waiting in (*trainer.lr_scheduler_configs, *stopping):
            waiting.strict = False


class DataModule(lightning.Callback):
    """Shows a module the user's data module as `trainer.datamodule`, though the batches are made of Keras's rows.

    Args:
        datamodule: the user's, set up; None where loaders were given.
    """

    def __init__(self, datamodule):
        self.datamodule = datamodule

    def setup(self, trainer, pl_module, stage):
        """Puts it there, before the module's own `setup`."""
        trainer.datamodule = self.datamodule

    def on_fit_end(self, trainer, pl_module):
        """Takes it away before Lightning tears it down: it is used again."""
        trainer.datamodule = None
