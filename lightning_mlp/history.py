"""The `History` callback: what Keras's `fit` returns, for Lightning."""

import time

import lightning

CURVES = ("loss", "acc", "val_loss", "val_acc")


class History(lightning.Callback):
    """Collects the four curves, as Keras's `History` does; `history["loss"][3]` is epoch 4's loss.

    The values are what the module logs under these names, once per epoch. Checkpoints hold them, too.

    Attributes:
        history: the curves by name, one number per epoch.
        epoch_seconds: wall seconds of each epoch, training and validation.
    """

    def __init__(self):
        self.history = {name: [] for name in CURVES}
        self.epoch_seconds = []

    def on_train_epoch_start(self, trainer, pl_module):
        """Starts the clock."""
        self._started = time.monotonic()

    def on_train_epoch_end(self, trainer, pl_module):
        """Appends the epoch's numbers.

        Raises:
            RuntimeError: the module did not log one of the curves.
        """
        if missing := [name for name in CURVES if name not in trainer.callback_metrics]:
            raise RuntimeError(f"the module logged no {', '.join(missing)} in epoch {trainer.current_epoch + 1}")
        for name in CURVES:
            self.history[name].append(trainer.callback_metrics[name].item())
        self.epoch_seconds.append(time.monotonic() - self._started)

    def state_dict(self):
        """Returns the state that a checkpoint stores."""
        return {"history": self.history, "epoch_seconds": self.epoch_seconds}

    def load_state_dict(self, state_dict):
        """Restores the state from a checkpoint."""
        self.history, self.epoch_seconds = state_dict["history"], state_dict["epoch_seconds"]
