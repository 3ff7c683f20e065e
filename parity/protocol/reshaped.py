"""Tensors whose axes PyTorch does not only turn, but also merges or drops: depthwise kernels, slopes of PReLU."""

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Reshaped:
    """How an array of one shape lies in the two frameworks; as `parity.protocol.tensors.Layout`, of other shapes."""

    axes: tuple[int, ...]  # of each axis, before torch's shape is made, which of Keras's it is
    in_keras: tuple[int, ...]  # the shape in Keras
    in_torch: tuple[int, ...]  # and in torch

    def to_torch(self, array: np.ndarray) -> np.ndarray:
        """Turns an array as Keras holds it into torch's layout; a copy."""
        return np.transpose(array, self.axes).reshape(self.in_torch).copy(order="C")

    def to_keras(self, array: np.ndarray) -> np.ndarray:
        """Turns an array as torch holds it into Keras's layout; a copy."""
        turned = array.reshape([self.in_keras[axis] for axis in self.axes])
        return np.transpose(turned, np.argsort(self.axes)).copy(order="C")

    def shape_in_torch(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Returns the shape that an array of this shape in Keras has in torch."""
        return self.in_torch if tuple(shape) == self.in_keras else tuple(shape)


@dataclass(frozen=True)
class WithOnes:
    """How an array lies whose shapes in the two frameworks differ by axes of length one, beside another layout."""

    inner: object  # the layout without regard to them
    in_keras: tuple[int, ...]  # the shape in Keras
    in_torch: tuple[int, ...]  # and in torch

    def to_torch(self, array: np.ndarray) -> np.ndarray:
        """Turns an array as Keras holds it into torch's layout; a copy."""
        return self.inner.to_torch(array).reshape(self.in_torch)

    def to_keras(self, array: np.ndarray) -> np.ndarray:
        """Turns an array as torch holds it into Keras's layout; a copy."""
        return self.inner.to_keras(array.reshape(self.inner.shape_in_torch(self.in_keras)))

    def shape_in_torch(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Returns the shape that an array of this shape in Keras has in torch."""
        return self.in_torch if tuple(shape) == self.in_keras else self.inner.shape_in_torch(shape)


def differ_by_ones(first: tuple[int, ...], second: tuple[int, ...]) -> bool:
    """Says whether two shapes are not the same, but for axes of length one are."""
    kept = [[length for length in shape if length != 1] for shape in (first, second)]
    return tuple(first) != tuple(second) and kept[0] == kept[1]


def depthwise(shape: tuple[int, ...]) -> Reshaped:
    """Returns the layout of a depthwise kernel.

    It is (*window, in, multiplier) in Keras, (in * multiplier, 1, *window) in torch.
    Output channel c * multiplier + m is the m-th of input channel c, in both.
    """
    *places, channels, multiplier = shape
    axes = len(places)
    return Reshaped((axes, axes + 1, *range(axes)), tuple(shape), (channels * multiplier, 1, *places))


def slopes(shape: tuple[int, ...]) -> Reshaped:
    """Returns the layout of PReLU's slopes: (*places, channels) in Keras; (channels, *places) in torch.

    Where all places share them, as in `torch.nn.PReLU`, it is (channels,).
    """
    *places, channels = shape
    in_torch = (channels,) if math.prod(places) == 1 else (channels, *places)
    return Reshaped((len(places), *range(len(places))), tuple(shape), in_torch)
