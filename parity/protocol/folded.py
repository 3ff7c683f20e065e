"""How a projection onto heads lies: several axes in Keras, a matrix or a vector in torch."""

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Folded:
    """How an array lies in the two frameworks; has the methods of `parity.protocol.tensors.Layout`.

    The kernel of a query is (inputs, heads, size) in Keras and (heads * size, inputs) in torch, that of what comes out
    of an attention (heads, size, outputs) and (outputs, heads * size); a bias is (heads, size) and (heads * size,).
    """

    shape: tuple[int, ...]  # in Keras
    inputs: int  # how many of the first axes are summed over; 0 for a bias

    @property
    def folded(self) -> tuple[int, ...]:
        """Its shape in Keras with the inputs' axes as one, and the outputs': (inputs, outputs), or (outputs,)."""
        outputs = math.prod(self.shape[self.inputs :])
        return (math.prod(self.shape[: self.inputs]), outputs) if self.inputs else (outputs,)

    def to_torch(self, array: np.ndarray) -> np.ndarray:
        """Turns an array as Keras holds it into torch's layout; a copy."""
        return array.reshape(self.folded).T.copy(order="C")

    def to_keras(self, array: np.ndarray) -> np.ndarray:
        """Turns an array as torch holds it into Keras's layout; a copy."""
        return array.T.reshape(self.shape).copy(order="C")

    def shape_in_torch(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Returns the shape that the array has in torch."""
        return self.folded[::-1]
