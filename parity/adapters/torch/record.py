"""Callbacks that put weights and gradients in place, and record losses, gradients and batches.

They stand in Lightning's own `Trainer.fit`; nothing here trains.
"""

from collections.abc import Callable

import lightning
import numpy as np
import torch

from lightning_mlp.data import Block
from mlp_spec.support.errors import UserError
from parity.adapters.torch.states import reset_states, settle_states
from parity.adapters.torch.tensors import Binding
from parity.protocol import inputs
from parity.protocol.answer import describe_batch, shorten
from parity.protocol.tensors import Arrays


class WeightInjector(lightning.Callback):
    """Puts weights in place: before every batch, or at the start of every epoch.

    Args:
        binding: the module's parameters.
        of_batch: from the batch's number to its weights; None leaves those that are there.
        of_epoch: called with the trainer at the start of every epoch.
        of_validation: weights that are validated; None leaves those that are there.
    """

    def __init__(
        self,
        binding: Binding,
        of_batch: Callable[[int], Arrays] | None = None,
        of_epoch: Callable[[lightning.Trainer], None] | None = None,
        of_validation: Arrays | None = None,
    ):
        self.binding, self.of_batch, self.of_epoch, self.of_validation = binding, of_batch, of_epoch, of_validation

    def setup(self, trainer, pl_module, stage):
        """Has states begin anew, before the module's own hooks."""
        reset_states(self.binding.module)

    def on_train_epoch_start(self, trainer, pl_module):
        """Puts an epoch's start in place."""
        if self.of_epoch:
            self.of_epoch(trainer)

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        """Puts a batch's weights in place."""
        if batch_idx == trainer.current_epoch == 0:
            settle_states(self.binding.module)
        if self.of_batch:
            self.binding.load(self.of_batch(batch_idx))

    def on_validation_start(self, trainer, pl_module):
        """Puts in place what is validated."""
        if self.of_validation:
            self.binding.load(self.of_validation)


class GradientInjector(lightning.Callback):
    """Puts fixed gradients in place of the model's own; clipping and the step come after it, as always.

    Args:
        binding: the module's parameters.
        gradients: (steps, period), see `inputs.tiled`.

    Attributes:
        weights: after every batch, shortened; with what the module's own `on_train_batch_end` makes of them, such as a
            constraint: Lightning calls that behind all callbacks.
        updates: how often the optimizer was about to step.
        kinds: the classes of the optimizers.
    """

    def __init__(self, binding: Binding, gradients: np.ndarray):
        self.binding, self.rows, self.weights, self.updates, self.kinds = binding, gradients, [], 0, []

    def on_train_start(self, trainer, pl_module):
        """Looks at the optimizers."""
        self.kinds = [type(optimizer).__name__ for optimizer in trainer.optimizers]

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        """Puts one step's gradients in place."""
        row = self.rows[self.updates % len(self.rows)]
        self.updates += 1
        trained = [tensor for tensor in self.binding.table if tensor.trained]
        self.binding.set_gradients({tensor.path: inputs.tiled(row, tensor.shape) for tensor in trained})

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        """Keeps the weights after the step before."""
        if batch_idx:
            self.keep()

    def on_train_epoch_end(self, trainer, pl_module):
        """Keeps the weights after the last step."""
        self.keep()

    def keep(self) -> None:
        """Keeps the weights."""
        weights = self.binding.weights()
        self.weights.append(
            shorten({tensor.path: weights[tensor.path] for tensor in self.binding.table if tensor.trained})
        )


class BatchRecorder(lightning.Callback):
    """Records every batch: its loss, and what it was made of.

    Args:
        sums: whether batches are described (`describe_batch`).
        unchanged: whether the module must leave a batch as it was given.
    """

    def __init__(self, sums: bool = False, unchanged: bool = False):
        self.keep_sums, self.unchanged = sums, unchanged
        self.losses, self.sums = [], []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        """Looks at what the batch is made of."""
        if self.keep_sums:
            for pair in map(take_apart, batches_in(batch)):
                self.sums.append(describe_batch(*(tensor.cpu().numpy() for tensor in pair)))
        if self.unchanged:
            self.before = [tensor.clone() for tensor in tensors_in(batch)]

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        """Keeps the loss, or the losses of a block of batches.

        Raises:
            UserError: `training_step` returned no loss, or changed the batch.
        """
        loss = outputs.get("loss") if isinstance(outputs, dict) else outputs
        expected = len(batches_in(batch))
        if not isinstance(loss, torch.Tensor) or loss.numel() != expected:
            kind = type(outputs).__name__ if outputs else "nothing"  # Lightning makes {} of None
            raise UserError(f"training_step returned {kind}, and no loss of one number; it must, at every step")
        # Lightning divides it by the batches of an update
        self.losses += loss.detach().reshape(-1) * getattr(trainer, "accumulate_grad_batches", 1)
        if self.unchanged and not all(map(torch.equal, self.before, tensors_in(batch))):
            raise UserError("training_step wrote into the batch it was given")

    def all_losses(self) -> np.ndarray:
        """Returns the losses of all batches, (steps,)."""
        return np.array([loss.item() for loss in self.losses])


class GradientRecorder(BatchRecorder):
    """A `BatchRecorder` that also keeps every step's gradients, as they are before clipping."""

    def __init__(self, binding: Binding, **options):
        super().__init__(**options)
        self.binding, self.gradients = binding, []

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        """Keeps the gradients."""
        self.gradients.append(self.binding.gradients())


def batches_in(batch) -> list:
    """Returns the batches of a block; a batch alone is one."""
    return list(batch) if isinstance(batch, Block) else [batch]


def take_apart(batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns a batch's images and labels.

    Raises:
        UserError: it is no pair of tensors.
    """
    if not isinstance(batch, tuple | list) or len(batch) != 2 or not all(isinstance(x, torch.Tensor) for x in batch):
        raise UserError(f"a batch must be a pair of tensors, images and labels, not {type(batch).__name__}")
    return batch[0], batch[1]


def tensors_in(batch) -> list[torch.Tensor]:
    """Returns a batch's tensors, of whatever kind it is."""
    parts = batch.values() if isinstance(batch, dict) else batch
    return [part for part in parts if isinstance(part, torch.Tensor)]


class EpochReporter(lightning.Callback):
    """Reports every finished epoch.

    Args:
        history: the curves.
        report: called with history and seconds so far.
    """

    def __init__(self, history, report: Callable[[dict, list], None]):
        self.history, self.report = history, report

    def on_train_epoch_end(self, trainer, pl_module):
        """Reports."""
        self.report(self.history.history, self.history.epoch_seconds)
