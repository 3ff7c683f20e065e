"""What a module logs in its training step, where many steps are one `training_step` of Lightning's.

Lightning's `log` cannot be compiled or captured, and takes the rows of a whole block for a batch. So the values are
summed in tensors that are never replaced, and logged once a block as the mean over its rows.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


class LoggedMeans:
    """Takes what a module logs during steps.

    Args:
        module: a LightningModule on the device that trains.

    Attributes:
        sums: by name, a value's sum over rows, () float64.
        rows: of the batch whose step runs.
        active: whether steps are running.
    """

    def __init__(self, module):
        self.module, self.rows, self.active = module, 0, False
        self.sums: dict[str, torch.Tensor] = {}
        self.options: dict[str, dict] = {}

    @contextmanager
    def during(self) -> Iterator[None]:
        """Is active in this context."""
        self.active = True
        try:
            yield
        finally:
            self.active = False

    def add(self, name, value, *arguments, **options):
        """Adds a value, the mean of a batch, to its sum; see Lightning's `log`."""
        if name not in self.sums:
            self.sums[name] = torch.zeros((), dtype=torch.float64, device=self.module.device)
            self.options[name] = {**dict(zip(POSITIONAL, arguments, strict=False)), **options}
        value = value.detach() if isinstance(value, torch.Tensor) else value
        self.sums[name].add_(value * self.rows)

    def log_means(self, rows: int) -> None:
        """Logs the mean of each value over a block of so many rows, and begins anew."""
        for name, total in self.sums.items():
            options = {**self.options[name], "batch_size": rows}
            self.module.log(name, (total / rows).to(torch.get_default_dtype()), **options)
        self.reset()

    def reset(self) -> None:
        """Sets the sums to zero in place."""
        for total in self.sums.values():
            total.zero_()


# Lightning's `log(name, value, prog_bar, logger, on_step, on_epoch)` may be called so; its further options are named.
POSITIONAL = ("prog_bar", "logger", "on_step", "on_epoch")
