"""PReLU with a slope for every value, as Keras has it unless axes are shared; `nn.PReLU` has one for each channel."""

import torch
import torch.nn.functional as F
from torch import nn


class KerasPReLU(nn.Module):
    """A ReLU whose slope below 0 is learned: of every value, or of those along the axes that are not shared.

    Where all places share their slopes (`shared_axes=[1, 2]` for images), `nn.PReLU(channels, init=0.0)` does the same.
    Source: `keras/src/layers/activations/prelu.py` of Keras 3.

    Args:
        shape: of a row's slopes, channels first: (C, H, W), or with 1 in place of a shared axis.
        init: what the slopes start from; 0 in Keras, .25 in PyTorch.
    """

    def __init__(self, shape, init=0.0):
        super().__init__()
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        self.whole = shape
        # shared by all places, they lie as those of nn.PReLU do
        channels_alone = all(size == 1 for size in shape[1:])
        self.weight = nn.Parameter(torch.full(shape[:1] if channels_alone else shape, float(init)))

    def forward(self, input):
        """Bends (N, C, ...) at 0."""
        # y = max(x, 0) - alpha max(-x, 0)
        return F.relu(input) - self.weight.view(self.whole) * F.relu(-input)
