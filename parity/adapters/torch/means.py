"""How often a user's module is right: counted from what its `forward` returns, whatever it logs."""

from collections.abc import Callable

import lightning
import numpy as np
import torch

from parity.adapters.torch.plain import WrappedModule
from parity.protocol.user_data import only_target


class RightAnswers(lightning.Callback):
    """Counts right answers in the steps of training and validation, from what `forward` returned there.

    An epoch in which a step calls `forward` not at all, or for other rows, has no accuracy.

    Args:
        labels: Keras's targets of training and validation: classes (rows,) or (rows, 1), or one-hot (rows, classes).
        order: from the epoch to the training rows in their order.
        turn: from the module's output to what Keras predicts.

    Attributes:
        curves: `accuracy` and `val_accuracy`, one number an epoch.
    """

    def __init__(
        self,
        labels: tuple[np.ndarray, np.ndarray],
        order: Callable[[int], np.ndarray],
        turn: Callable[[torch.Tensor], torch.Tensor],
    ):
        targets = [only_target(np.asarray(array)) for array in labels]
        classes = [None if target is None else classes_of(target) for target in targets]
        self.labels, self.order, self.turn = dict(zip(("accuracy", "val_accuracy"), classes, strict=True)), order, turn
        self.curves: dict[str, list[float]] = {"accuracy": [], "val_accuracy": []}
        self.output, self.rows, self.counts, self.hook = None, {}, {}, None

    def on_fit_start(self, trainer, pl_module):
        """Looks at what `forward` returns from now on."""
        called = pl_module.module if isinstance(pl_module, WrappedModule) else pl_module
        self.hook = called.register_forward_hook(self.keep)

    def keep(self, module, inputs, output):
        """Keeps the last output."""
        self.output = output

    def on_train_epoch_start(self, trainer, pl_module):
        """Starts an epoch's count."""
        self.rows["accuracy"], self.counts["accuracy"] = self.order(trainer.current_epoch), []

    def on_validation_epoch_start(self, trainer, pl_module):
        """Starts a validation's count."""
        labels = self.labels["val_accuracy"]
        self.rows["val_accuracy"], self.counts["val_accuracy"] = np.arange(0 if labels is None else len(labels)), []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        """Forgets what was returned before."""
        self.output = None

    def on_validation_batch_start(self, trainer, pl_module, batch, batch_idx, dataloader_idx=0):
        """Forgets what was returned before."""
        self.output = None

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        """Counts."""
        self.count("accuracy")

    def on_validation_batch_end(self, trainer, pl_module, outputs, batch, batch_idx, dataloader_idx=0):
        """Counts."""
        self.count("val_accuracy")

    def count(self, name: str) -> None:
        """Keeps the classes of a step; none where they cannot be had."""
        self.counts[name].append(predicted_classes(self.output, self.turn))

    def on_train_epoch_end(self, trainer, pl_module):
        """Takes the epoch's mean."""
        self.conclude("accuracy")

    def on_validation_epoch_end(self, trainer, pl_module):
        """Takes the validation's mean."""
        self.conclude("val_accuracy")

    def conclude(self, name: str) -> None:
        """Keeps the share of right answers, where every row has one."""
        known = self.labels[name] is not None and all(classes is not None for classes in self.counts[name])
        classes = torch.cat(self.counts[name]).numpy() if known and self.counts[name] else np.empty(0)
        if known and len(classes) == len(self.rows[name]) > 0:
            self.curves[name].append(float((classes == self.labels[name][self.rows[name]]).mean()))

    def on_fit_end(self, trainer, pl_module):
        """Looks no more."""
        self.hook.remove()


def classes_of(labels: np.ndarray) -> np.ndarray | None:
    """Returns the class of each row (rows,); None where labels are no classes of rows."""
    if labels.ndim == 1 or (labels.ndim == 2 and labels.shape[1] == 1):
        flat = labels.reshape(-1)
        return flat.astype(np.int64) if (flat == np.floor(flat)).all() else None
    return labels.argmax(axis=1) if labels.ndim == 2 else None


def predicted_classes(output: object, turn: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor | None:
    """Returns the class of each row (rows,) int64; None where the output is no tensor of (rows,) or (rows, classes)."""
    if not torch.is_tensor(output) or output.ndim not in (1, 2):
        return None
    predicted = turn(output.detach().cpu())
    if predicted.ndim == 2 and predicted.shape[1] > 1:
        return predicted.argmax(dim=1)
    return (predicted.reshape(-1) > 0.5).long()
