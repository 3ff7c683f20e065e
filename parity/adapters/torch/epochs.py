"""Loaders of Keras's rows, in the form of a user's own batches: of the epochs of a training, and of the validation."""

import math
from collections.abc import Callable

import numpy as np

from parity.adapters.torch.rows import UserRows
from parity.protocol.stateful import Stateful


class Epochs:
    """A loader whose passes are the epochs of a training.

    Args:
        rows: make the batches.
        orders: from the epoch to its rows in order.
        size: of a batch.

    Attributes:
        module: what is trained; its Trainer knows the epoch.
    """

    def __init__(self, rows: UserRows, orders: Callable[[int], np.ndarray], size: int):
        self.rows, self.orders, self.size, self.module = rows, orders, size, None

    def __len__(self):
        return math.ceil(len(self.orders(0)) / self.size)

    def __iter__(self):
        # the epoch is asked for with the first batch: Lightning makes iterators before
        yield from self.rows.batches("train", self.orders(self.module.trainer.current_epoch), self.size)


class Validation:
    """A loader of Keras's validation rows, in batches as large as the user's.

    Args:
        rows: make the batches.
        stateful: what the reference keeps from batch to batch, which says how large batches are; None for nothing.
    """

    def __init__(self, rows: UserRows, stateful: Stateful | None = None):
        self.rows, self.stateful = rows, stateful

    @property
    def size(self) -> int:
        """How many rows a batch has."""
        return self.stateful.rows if self.stateful else self.rows.batch_size("test")

    def __len__(self):
        return math.ceil(self.rows.count("test") / self.size)

    def __iter__(self):
        yield from self.rows.batches("test", np.arange(self.rows.count("test")), self.size)
