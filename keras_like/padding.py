"""Convolutions and poolings with Keras's paddings 'same' and 'causal'.

Keras pads as much as the input's size needs, and the odd value at the end. PyTorch pads a fixed number on both sides:
`padding="same"` only without strides, and `padding=kernel // 2` gives other values, or another size, with them. An
average leaves Keras's padding out; PyTorch counts its zeros.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

PADDINGS = ("valid", "same", "causal")


def same_padding(size, kernel_size, stride=1, dilation=1):
    """Returns what 'same' puts before and after an axis, (left, right).

    Args:
        size: of the axis.
        kernel_size, stride, dilation: of the window along it.
    """
    # total = (ceil(size / stride) - 1) stride + (kernel - 1) dilation + 1 - size
    total = (math.ceil(size / stride) - 1) * stride + (kernel_size - 1) * dilation + 1 - size
    total = max(total, 0)
    return total // 2, total - total // 2


def pad(input, padding, kernel_size, stride, dilation, value=0.0):
    """Pads the last axes of an input, one for each number in the tuples, as Keras's `padding` asks.

    Args:
        input: (N, C, ...).
        padding: `valid`, `same` or `causal`.
        kernel_size, stride, dilation: of the window, a tuple each.
        value: what is put there.
    """
    if padding == "valid":
        return input
    sizes = input.shape[-len(kernel_size) :]
    if padding == "causal":
        sides = [((kernel_size[0] - 1) * dilation[0], 0)]
    else:
        sides = [same_padding(*axis) for axis in zip(sizes, kernel_size, stride, dilation, strict=True)]
    return F.pad(input, [number for side in reversed(sides) for number in side], value=value)


def check_padding(padding, allowed):
    """Refuses another padding than those that are allowed.

    Raises:
        ValueError: it is unknown.
    """
    if padding not in allowed:
        raise ValueError(f"padding {padding!r} is unknown; choose one of {', '.join(allowed)}")
    return padding


class KerasConv1d(nn.Conv1d):
    """A convolution (N, C, L) with Keras's padding.

    Args:
        in_channels, out_channels, kernel_size: as for `nn.Conv1d`.
        padding: `valid`, `same` or `causal`, which pads the past alone.
        options: of `nn.Conv1d`.
    """

    def __init__(self, in_channels, out_channels, kernel_size, padding="valid", **options):
        super().__init__(in_channels, out_channels, kernel_size, **options)
        self.keras_padding = check_padding(padding, PADDINGS)

    def forward(self, input):
        """Pads and convolves."""
        return super().forward(pad(input, self.keras_padding, self.kernel_size, self.stride, self.dilation))


class KerasConv2d(nn.Conv2d):
    """A convolution (N, C, H, W) with Keras's padding.

    Args:
        in_channels, out_channels, kernel_size: as for `nn.Conv2d`.
        padding: `valid` or `same`.
        options: of `nn.Conv2d`.
    """

    def __init__(self, in_channels, out_channels, kernel_size, padding="valid", **options):
        super().__init__(in_channels, out_channels, kernel_size, **options)
        self.keras_padding = check_padding(padding, PADDINGS[:2])

    def forward(self, input):
        """Pads and convolves."""
        return super().forward(pad(input, self.keras_padding, self.kernel_size, self.stride, self.dilation))


class KerasConv3d(nn.Conv3d):
    """A convolution (N, C, D, H, W) with Keras's padding.

    Args:
        in_channels, out_channels, kernel_size: as for `nn.Conv3d`.
        padding: `valid` or `same`.
        options: of `nn.Conv3d`.
    """

    def __init__(self, in_channels, out_channels, kernel_size, padding="valid", **options):
        super().__init__(in_channels, out_channels, kernel_size, **options)
        self.keras_padding = check_padding(padding, PADDINGS[:2])

    def forward(self, input):
        """Pads and convolves."""
        return super().forward(pad(input, self.keras_padding, self.kernel_size, self.stride, self.dilation))


class KerasPool(nn.Module):
    """A pooling with Keras's padding: the base of the six classes below.

    Args:
        kernel_size: of the window, a number or one for each axis.
        stride: the window's size unless given.
        padding: `valid` or `same`.
    """

    axes = 1  # that are pooled

    def __init__(self, kernel_size=2, stride=None, padding="valid"):
        super().__init__()
        self.kernel_size = self.of_axes(kernel_size)
        self.stride = self.kernel_size if stride is None else self.of_axes(stride)
        self.padding = check_padding(padding, PADDINGS[:2])

    def of_axes(self, value):
        """Returns a number for each axis."""
        return (value,) * self.axes if isinstance(value, int) else tuple(value)

    def extra_repr(self):
        """Says the window in words."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding!r}"

    def padded(self, input, value):
        """Pads an input."""
        return pad(input, self.padding, self.kernel_size, self.stride, (1,) * self.axes, value)


class KerasMaxPool1d(KerasPool):
    """The largest values of windows along (N, C, L)."""

    pool = staticmethod(F.max_pool1d)

    def forward(self, input):
        """Pools; what is padded is never the largest."""
        return self.pool(self.padded(input, -math.inf), self.kernel_size, self.stride)


class KerasMaxPool2d(KerasMaxPool1d):
    """The largest values of windows over (N, C, H, W)."""

    axes, pool = 2, staticmethod(F.max_pool2d)


class KerasMaxPool3d(KerasMaxPool1d):
    """The largest values of windows over (N, C, D, H, W)."""

    axes, pool = 3, staticmethod(F.max_pool3d)


class KerasAvgPool1d(KerasPool):
    """The means of windows along (N, C, L)."""

    pool = staticmethod(F.avg_pool1d)

    def forward(self, input):
        """Pools; what is padded does not count."""
        sums = self.pool(self.padded(input, 0.0), self.kernel_size, self.stride)
        if self.padding == "valid":
            return sums
        ones = self.padded(torch.ones_like(input[:1, :1]), 0.0)
        return sums / self.pool(ones, self.kernel_size, self.stride)


class KerasAvgPool2d(KerasAvgPool1d):
    """The means of windows over (N, C, H, W)."""

    axes, pool = 2, staticmethod(F.avg_pool2d)


class KerasAvgPool3d(KerasAvgPool1d):
    """The means of windows over (N, C, D, H, W)."""

    axes, pool = 3, staticmethod(F.avg_pool3d)
