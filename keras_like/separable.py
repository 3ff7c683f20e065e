"""Separable convolutions as Keras's layers: a depthwise one, and one of single places behind it, with one bias.

PyTorch has no class of them. The strides are the first one's, which has no bias; between the two is no activation.
"""

from torch import nn

from keras_like.initializers import glorot_uniform_
from keras_like.padding import KerasConv1d, KerasConv2d


class KerasSeparableConv(nn.Module):
    """What the two classes below share. Weights start as Keras's do.

    Args:
        in_channels, out_channels: channels.
        kernel_size: of the window of the first.
        padding: `valid`, `same`, or over one axis `causal`.
        depth_multiplier: how many channels the first makes of each.
        bias: whether the second has one.
        options: of the first: `stride`, `dilation`.
    """

    convolution = None

    def __init__(
        self, in_channels, out_channels, kernel_size, padding="valid", depth_multiplier=1, bias=True, **options
    ):
        super().__init__()
        channels = in_channels * depth_multiplier
        self.depthwise = self.convolution(
            in_channels, channels, kernel_size, padding, groups=in_channels, bias=False, **options
        )
        self.pointwise = self.convolution(channels, out_channels, 1, bias=bias)
        glorot_uniform_(self.depthwise.weight, depthwise=in_channels)
        glorot_uniform_(self.pointwise.weight)
        if bias:
            nn.init.zeros_(self.pointwise.bias)

    def forward(self, input):
        """Convolves (N, C, ...) channel by channel, then place by place."""
        return self.pointwise(self.depthwise(input))


class KerasSeparableConv1d(KerasSeparableConv):
    """A separable convolution (N, C, L); see `KerasSeparableConv`."""

    convolution = KerasConv1d


class KerasSeparableConv2d(KerasSeparableConv):
    """A separable convolution (N, C, H, W); see `KerasSeparableConv`."""

    convolution = KerasConv2d
