"""Exponential averages of weights, as Keras's `use_ema=True` keeps them."""

import torch


class WeightAverages:
    """Averages of parameters, which take the parameters' place at the end of the training, and every so many steps.

    Call `update` after every step of the optimizer (in a LightningModule, at the end of `optimizer_step`), and
    `overwrite` in `on_train_end`: until then Keras validates the weights themselves.
    Source: `keras/src/optimizers/base_optimizer.py` of Keras 3.

    Args:
        parameters: those that the optimizer updates.
        momentum: how much of an average stays; Keras's `ema_momentum`.
        overwrite_frequency: every how many steps the averages take the parameters' place; None for the end only.

    Raises:
        ValueError: a number is out of its range.
    """

    def __init__(self, parameters, momentum=0.99, overwrite_frequency=None):
        if not 0 <= momentum <= 1:
            raise ValueError(f"momentum must be from 0 to 1, not {momentum}")
        if overwrite_frequency is not None and overwrite_frequency < 1:
            raise ValueError(f"overwrite_frequency must be at least 1 or None, not {overwrite_frequency}")
        self.parameters, self.momentum = list(parameters), momentum
        self.overwrite_frequency, self.averages, self.steps = overwrite_frequency, [], 0

    @torch.no_grad()
    def update(self):
        """Takes the parameters into the averages; the first time, they are the averages."""
        if not self.averages:
            self.averages = [parameter.detach().clone() for parameter in self.parameters]
        else:
            for average, parameter in zip(self.averages, self.parameters, strict=True):
                kept = torch.tensor(self.momentum, dtype=parameter.dtype)  # 1 - momentum rounds in it, as in Keras
                # a = momentum a + (1 - momentum) w
                average.copy_(average * kept + parameter * (1 - kept))
        self.steps += 1
        if self.overwrite_frequency and self.steps % self.overwrite_frequency == 0:
            self.overwrite()

    @torch.no_grad()
    def overwrite(self):
        """Puts the averages into the parameters."""
        for average, parameter in zip(self.averages, self.parameters, strict=bool(self.averages)):
            parameter.copy_(average)
