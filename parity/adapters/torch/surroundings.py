"""A module's own learning-rate schedulers, where parts of the ladder train without validation."""

import lightning


class WithoutValidation(lightning.Callback):
    """Lets a scheduler that waits for a validated metric wait on, where nothing is validated.

    Lightning ends a run whose ReduceLROnPlateau monitors `val_loss` and that logs none.
    """

    def on_train_start(self, trainer, pl_module):
        """Has Lightning skip a scheduler whose metric is not there."""
        for config in trainer.lr_scheduler_configs:
            config.strict = False
