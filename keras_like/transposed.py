"""Transposed convolutions with Keras's padding 'same'.

Keras makes the output `stride` times as long, and cuts what is too much from both ends, the odd value from the last.
PyTorch's `padding` cuts as much from both, and its `output_padding` adds at the last: with an odd kernel and an even
stride, or the reverse, the right length comes with all values one place off.
"""

import torch.nn.functional as F
from torch import nn

PADDINGS = ("valid", "same")


def output_length(size, kernel_size, stride=1, padding="valid", dilation=1, output_padding=None):
    """Returns how long Keras's output is along an axis, and how much is cut from its start.

    Source: `keras/src/backend/common/backend_utils.py` of Keras 3, and TensorFlow's transposed convolution.

    Args:
        size: of the input along the axis.
        kernel_size, stride, dilation: of the window along it.
        padding: `valid` or `same`.
        output_padding: as in Keras; None unless given.
    """
    reach = (kernel_size - 1) * dilation + 1
    whole = (size - 1) * stride + reach
    if padding == "valid":
        return whole + (max(stride - reach, 0) if output_padding is None else output_padding), 0
    length = size * stride if output_padding is None else (size - 1) * stride + reach % 2 + output_padding
    return length, max(whole - length, 0) // 2


class KerasConvTranspose:
    """What the three classes below share; each stands in the place of the one of `torch.nn` with the same ending.

    Args:
        in_channels, out_channels, kernel_size: as for `nn.ConvTranspose2d`.
        stride: the window's steps, `strides` in Keras.
        padding: `valid` or `same`.
        output_padding: as in Keras: what the output has more than the shortest one; None unless Keras's is given.
        options: of the class of `torch.nn`: `dilation`, `bias`.

    Raises:
        ValueError: the padding is unknown.
    """

    function = None  # of `torch.nn.functional`

    def __init__(
        self, in_channels, out_channels, kernel_size, stride=1, padding="valid", output_padding=None, **options
    ):
        if padding not in PADDINGS:
            raise ValueError(f"padding {padding!r} is unknown; choose one of {', '.join(PADDINGS)}")
        super().__init__(in_channels, out_channels, kernel_size, stride, **options)
        axes = len(self.kernel_size)
        self.keras_padding = padding
        several = isinstance(output_padding, tuple | list)
        self.keras_output_padding = tuple(output_padding) if several else (output_padding,) * axes

    def forward(self, input):
        """Convolves, and cuts."""
        windows = zip(
            input.shape[2:], self.kernel_size, self.stride, self.dilation, self.keras_output_padding, strict=True
        )
        lengths, starts, more = [], [], []
        for size, kernel, stride, dilation, added in windows:
            length, start = output_length(size, kernel, stride, self.keras_padding, dilation, added)
            lengths.append(length)
            starts.append(start)
            # what no window reaches is 0 before the bias is added
            more.append(max(length - (size - 1) * stride - (kernel - 1) * dilation - 1, 0))
        output = type(self).function(
            input, self.weight, self.bias, self.stride, starts, more, self.groups, self.dilation
        )
        for axis, length in enumerate(lengths, start=2):
            output = output.narrow(axis, 0, length)  # one more was cut from the end than from the start
        return output


class KerasConvTranspose1d(KerasConvTranspose, nn.ConvTranspose1d):
    """A transposed convolution (N, C, L); see `KerasConvTranspose`."""

    function = staticmethod(F.conv_transpose1d)


class KerasConvTranspose2d(KerasConvTranspose, nn.ConvTranspose2d):
    """A transposed convolution (N, C, H, W); see `KerasConvTranspose`."""

    function = staticmethod(F.conv_transpose2d)


class KerasConvTranspose3d(KerasConvTranspose, nn.ConvTranspose3d):
    """A transposed convolution (N, C, D, H, W); see `KerasConvTranspose`."""

    function = staticmethod(F.conv_transpose3d)
