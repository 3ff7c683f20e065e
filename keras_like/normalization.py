"""Batch normalisation as Keras computes it.

PyTorch normalises alike, but keeps other statistics: the running variance is the unbiased one (of N values, N/(N-1) of
Keras's), and epsilon and momentum have other defaults. In training nothing of it shows but epsilon; in evaluation all
of it does. A layer normalisation needs no class: `nn.LayerNorm(shape, eps=1e-3)` is Keras's.
"""

import torch
import torch.nn.functional as F
from torch import nn


class KerasBatchNorm:
    """What the three classes below share; each stands in the place of the one of `torch.nn` with the same ending.

    Args:
        num_features: channels, the second axis of the input.
        eps: added to the variance; .001 in Keras, .00001 in PyTorch.
        momentum: how much a new batch counts, as PyTorch says it: .01 is Keras's `momentum=.99`.
        options: of the class of `torch.nn`.
    """

    def __init__(self, num_features, eps=1e-3, momentum=0.01, **options):
        super().__init__(num_features, eps, momentum, **options)

    def forward(self, input):
        """Normalises a batch (N, num_features, ...); in training, by its own mean and variance, which are tracked.

        Source: `keras/src/layers/normalization/batch_normalization.py`.
        """
        if not (self.training and self.track_running_stats):
            return super().forward(input)
        self._check_input_dim(input)
        with torch.no_grad():
            # the mean of squares, not divided by N - 1
            variance, mean = torch.var_mean(input, [0, *range(2, input.dim())], correction=0)
            for running, value in ((self.running_mean, mean), (self.running_var, variance)):
                # moving = moving (1 - momentum) + value momentum
                running.mul_(1 - self.momentum).add_(value.to(running.dtype), alpha=self.momentum)
            self.num_batches_tracked += 1
        # Taking a constant from a channel changes nothing but the rounding. PyTorch's derivative counts on inputs that
        # sum to 0 about their mean, which the mean's own rounding prevents; and on the CPU it sums channels-last memory
        # one number after the other. Each costs some 30 times Keras's error.
        centred = (input - mean.view(-1, *[1] * (input.dim() - 2))).contiguous()
        return F.batch_norm(centred, None, None, self.weight, self.bias, True, 0.0, self.eps)


class KerasBatchNorm1d(KerasBatchNorm, nn.BatchNorm1d):
    """Normalises (N, C) or (N, C, L); see `KerasBatchNorm`."""


class KerasBatchNorm2d(KerasBatchNorm, nn.BatchNorm2d):
    """Normalises (N, C, H, W); see `KerasBatchNorm`."""


class KerasBatchNorm3d(KerasBatchNorm, nn.BatchNorm3d):
    """Normalises (N, C, D, H, W); see `KerasBatchNorm`."""
