"""What a module expects of its Trainer: its precision, its data module, and metrics for schedulers and callbacks."""

import contextlib
from collections.abc import Iterator
from importlib import import_module

import lightning

from mlp_spec.support.errors import UserError

# What `lightning_trainer()` may give as `precision`, by its older names, too.
MIXED = {"bf16-mixed": "bf16-mixed", "bf16": "bf16-mixed", "16-mixed": "16-mixed", "16": "16-mixed"}
EXACT = ("32-true", "32", "64-true", "64")


def mixed_precision(options: dict, where: str) -> dict[str, str]:
    """Returns the `precision` of a Trainer that mixes in 16 bits; nothing where it does not, which the ladder decides.

    Args:
        options: of the Trainer.
        where: they were given.

    Raises:
        UserError: another precision.
    """
    given = str(options.get("precision") or EXACT[0])
    if given in EXACT:
        return {}
    if given not in MIXED:
        allowed = ", ".join(dict.fromkeys([*MIXED.values(), EXACT[0], EXACT[2]]))
        raise UserError(f"{where} returned precision={given!r}, which cannot be compared; allowed: {allowed}")
    return {"precision": MIXED[given]}


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
