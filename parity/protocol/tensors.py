"""Which tensor is which: Keras's path, torch's name, its role, and how its array lies in either framework.

Everything that is recorded is in Keras's layout, by Keras's paths. A framework's adapter makes the table and moves
arrays by it; what is behind the table (weights, gradients, moments, replay, nudging, convert) knows no layer.
"""

import math
from dataclasses import dataclass

import numpy as np

from mlp_spec.support.errors import UserError
from parity.protocol.folded import Folded

Arrays = dict[str, np.ndarray]
KERNEL, BIAS = "kernel", "bias"
KERNELS = (KERNEL, "embeddings")  # what multiplies or is looked up: drawn by a law, and moved for the noise floor
BIASES = (BIAS, "beta")  # what is added


@dataclass(frozen=True)
class Layout:
    """How an array lies in the two frameworks."""

    axes: tuple[int, ...]  # of each of torch's axes, which of Keras's it is
    # into how many axes Keras's first one is cut before, and torch's last one merged after; (H, W, C) of a kernel
    # behind Flatten, whose rows torch has in the order (C, H, W)
    cut: tuple[int, ...] = ()

    def to_torch(self, array: np.ndarray) -> np.ndarray:
        """Turns an array as Keras holds it into torch's layout; a copy."""
        turned = np.transpose(array.reshape(self._whole(array.shape)), self.axes)
        return turned.reshape(self.shape_in_torch(array.shape)).copy(order="C")

    def to_keras(self, array: np.ndarray) -> np.ndarray:
        """Turns an array as torch holds it into Keras's layout; a copy."""
        kept = len(self.axes) - len(self.cut)  # of torch's axes, those that are not merged
        whole = (*array.shape[:kept], *(self.cut[axis] for axis in self.axes[kept:])) if self.cut else array.shape
        back = tuple(self.axes.index(axis) for axis in range(len(self.axes)))
        turned = np.transpose(array.reshape(whole), back)
        merged = (math.prod(self.cut), *turned.shape[len(self.cut) :]) if self.cut else turned.shape
        return turned.reshape(merged).copy(order="C")

    def shape_in_torch(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Returns the shape that an array of this shape in Keras has in torch."""
        whole = self._whole(shape)
        turned = tuple(whole[axis] for axis in self.axes)
        kept = len(turned) - len(self.cut)
        return (*turned[:kept], math.prod(turned[kept:])) if self.cut else turned

    def _whole(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*self.cut, *shape[1:]) if self.cut else tuple(shape)


def window(axes: int) -> dict[str, tuple[str, Layout]]:
    """Returns the tensors of a convolution over some axes: (*window, in, out) in Keras, (out, in, *window) in torch."""
    return {KERNEL: ("weight", Layout((axes + 1, axes, *range(axes)))), **ADDED}


VECTOR, MATRIX = Layout((0,)), Layout((1, 0))
LINEAR = ("Linear", "MultiheadAttention")  # the projections of an attention are layers of their own in Keras
ADDED = {BIAS: ("bias", VECTOR)}
SCALED = {"gamma": ("weight", VECTOR), "beta": ("bias", VECTOR)}
TRACKED = {"moving_mean": ("running_mean", VECTOR), "moving_variance": ("running_var", VECTOR)}
# For every kind of layer in Keras: the kinds in torch, and of each of its tensors the role (Keras's name for it),
# torch's name and the layout.
LAYERS = {
    "Dense": (LINEAR, {KERNEL: ("weight", MATRIX), **ADDED}),
    "EinsumDense": (LINEAR, {KERNEL: ("weight", MATRIX), **ADDED}),  # `Folded` says how its axes lie
    "Conv1D": (("Conv1d",), window(1)),
    "Conv2D": (("Conv2d",), window(2)),
    "Conv3D": (("Conv3d",), window(3)),
    "Embedding": (("Embedding", "EmbeddingBag"), {"embeddings": ("weight", Layout((0, 1)))}),
    "BatchNormalization": (("BatchNorm1d", "BatchNorm2d", "BatchNorm3d"), {**SCALED, **TRACKED}),
    "LayerNormalization": (("LayerNorm",), SCALED),
    "GroupNormalization": (("GroupNorm",), SCALED),
}


FOLDED = "EinsumDense"


@dataclass(frozen=True)
class Tensor:
    """One tensor that both models have."""

    path: str  # Keras's, without the model's own name, such as `dense_1/kernel`
    kind: str  # of its layer in Keras
    role: str  # Keras's name for it in the layer, such as `kernel`, `bias`, `gamma` or `moving_mean`
    shape: tuple[int, ...]  # in Keras's layout
    trained: bool = True  # whether the optimizer updates it
    torch_name: str | None = None  # of the parameter or buffer in the candidate; None until it is bound
    flattened: tuple[int, ...] = ()  # of a kernel behind Flatten: the shape (H, W, C) that was flattened
    axes: tuple[int, ...] = ()  # of each of torch's axes, which of Keras's it is; where the pair file says so
    inputs: int = 0  # of an EinsumDense's kernel, how many of its first axes are summed over

    @property
    def layout(self) -> Layout | Folded:
        """How it lies in the two frameworks."""
        if self.flattened:  # (C, H, W) in torch
            axes = len(self.flattened)
            return Layout((axes, axes - 1, *range(axes - 1)), self.flattened)
        if self.axes or not self.is_known:
            return Layout(self.axes or tuple(range(len(self.shape))))
        if self.kind == FOLDED:
            return Folded(self.shape, self.inputs)
        return LAYERS[self.kind][1][self.role][1]

    @property
    def is_known(self) -> bool:
        """Whether the table of layouts has it; of a layer of one's own, the pair file says where it is."""
        return self.role in LAYERS.get(self.kind, ((), {}))[1]

    @property
    def is_kernel(self) -> bool:
        """Whether it multiplies or is looked up."""
        return self.role in KERNELS or (not self.is_known and len(self.shape) > 1)

    @property
    def drawn_shape(self) -> tuple[int, ...]:
        """Its shape as an initialiser counts inputs and outputs: of a projection onto heads, a matrix."""
        return self.layout.folded if self.kind == FOLDED and self.is_known and not self.axes else self.shape

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
