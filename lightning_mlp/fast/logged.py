"""What a module logs in its training step, where many steps are one `training_step` of Lightning's.

Lightning's `log` cannot be compiled or captured, and takes the rows of a whole block for a batch. So the values are
summed in tensors that are never replaced, and logged once a block as the mean over its rows.
"""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager

import lightning
import torch


class LoggedMeans:
    """Takes what a module logs during steps.

    Args:
        module: a LightningModule on the device that trains.

    Attributes:
        sums: by name, a value's sum over rows, and the rows, (2,) float64.
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
        """Adds a value, the mean of a batch, to its sum; see Lightning's `log`.

        Raises:
            TypeError: something else than the mean is wanted.
        """
        if name not in self.sums:
            options = {**dict(zip(POSITIONAL, arguments, strict=False)), **options}
            if options.get("reduce_fx", "mean") not in ("mean", "avg", torch.mean):
                raise TypeError(f"many steps per execution log means, and {name!r} has another reduce_fx")
            self.sums[name] = torch.zeros(2, dtype=torch.float64, device=self.module.device)
            self.options[name] = options
        value = value.detach().squeeze() if isinstance(value, torch.Tensor) else value
        self.sums[name][0].add_(value * self.rows)
        self.sums[name][1].add_(self.rows)

    def log_means(self) -> None:
        """Logs the mean of each value over the rows of the block that has it, and begins anew."""
        for name, sums in self.sums.items():
            total, rows = sums.tolist()
            if rows:
                self.module.log(name, total / rows, **{**self.options[name], "batch_size": int(rows)})
        self.reset()

    def reset(self) -> None:
        """Sets the sums to zero in place."""
        for total in self.sums.values():
            total.zero_()


# What stands behind `self`, `name` and `value` in Lightning's `log`.
POSITIONAL = tuple(inspect.signature(lightning.LightningModule.log).parameters)[3:]
