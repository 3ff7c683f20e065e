"""Which tensor is which: Keras's path, torch's name, its role, and how its array lies in either framework.

Everything that is recorded is in Keras's layout, by Keras's paths. A framework's adapter makes the table and moves
arrays by it; what is behind the table (weights, gradients, moments, replay, nudging, convert) knows no layer.
"""

from dataclasses import dataclass

import numpy as np

from mlp_spec.support.errors import UserError

Arrays = dict[str, np.ndarray]
KERNEL, BIAS = "kernel", "bias"


@dataclass(frozen=True)
class Layout:
    """How an array lies in the two frameworks."""

    axes: tuple[int, ...]  # of each of torch's axes, which of Keras's it is

    def to_torch(self, array: np.ndarray) -> np.ndarray:
        """Turns an array as Keras holds it into torch's layout; a copy."""
        return np.transpose(array, self.axes).copy(order="C")

    def to_keras(self, array: np.ndarray) -> np.ndarray:
        """Turns an array as torch holds it into Keras's layout; a copy."""
        return np.transpose(array, self._back).copy(order="C")

    def shape_in_torch(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Returns the shape that an array of this shape in Keras has in torch."""
        return tuple(shape[axis] for axis in self.axes)

    @property
    def _back(self) -> tuple[int, ...]:
        return tuple(self.axes.index(axis) for axis in range(len(self.axes)))


# For every kind of layer in Keras: the kind in torch, and of each of its tensors the role, torch's name and the layout.
LAYERS = {"Dense": ("Linear", {KERNEL: ("weight", Layout((1, 0))), BIAS: ("bias", Layout((0,)))})}


@dataclass(frozen=True)
class Tensor:
    """One tensor that both models have."""

    path: str  # Keras's, without the model's own name, such as `dense_1/kernel`
    kind: str  # of its layer in Keras
    role: str  # `kernel` or `bias`
    shape: tuple[int, ...]  # in Keras's layout
    trained: bool = True  # whether the optimizer updates it
    torch_name: str | None = None  # of the parameter in the candidate; None until it is bound

    @property
    def layout(self) -> Layout:
        """How it lies in the two frameworks."""
        return LAYERS[self.kind][1][self.role][1]

    @property
    def shape_in_torch(self) -> tuple[int, ...]:
        """Its shape in torch's layout."""
        return self.layout.shape_in_torch(self.shape)


Table = list[Tensor]


def dense_table(sizes: list[tuple[int, int]]) -> Table:
    """Returns the table of a stack of Dense layers under the paths that Keras gives them.

    Args:
        sizes: (inputs, outputs) of every layer.
    """
    return [
        Tensor(f"dense{f'_{index}' if index else ''}/{role}", "Dense", role, shape)
        for index, (inputs, outputs) in enumerate(sizes)
        for role, shape in ((KERNEL, (inputs, outputs)), (BIAS, (outputs,)))
    ]


def layers_of(table: Table) -> list[list[Tensor]]:
    """Groups a table by layer, in its order."""
    layers: dict[str, list[Tensor]] = {}
    for tensor in table:
        layers.setdefault(tensor.path.rpartition("/")[0], []).append(tensor)
    return list(layers.values())


def check_fit(table: Table, arrays: Arrays) -> None:
    """Checks that arrays have the paths and shapes of a table.

    Shapes are compared, never adapted: a square kernel fits transposed, too.

    Raises:
        UserError: they do not; names both.
    """
    expected = {tensor.path: tensor.shape for tensor in table}
    shapes = {path: array.shape for path, array in arrays.items()}
    if shapes != expected:
        raise UserError(f"the weights do not fit the model: it has {expected}, got {shapes}")
