"""Which tensor is which: Keras's path, torch's name, its role, and how its array lies in either framework.

Everything that is recorded is in Keras's layout, by Keras's paths. A framework's adapter makes the table and moves
arrays by it; what is behind the table (weights, gradients, moments, replay, nudging, convert) knows no layer.
"""

import math
from dataclasses import dataclass

import numpy as np

from mlp_spec.support.errors import UserError
from parity.protocol.folded import Folded
from parity.protocol.reshaped import Reshaped, WithOnes, depthwise, slopes

Arrays = dict[str, np.ndarray]
KERNEL, BIAS = "kernel", "bias"
RECURRENT = "recurrent_kernel"
DEPTHWISE, POINTWISE = "depthwise_kernel", "pointwise_kernel"  # of a separable convolution
# what multiplies or is looked up: drawn by a law, and moved for the noise floor
KERNELS = (KERNEL, RECURRENT, "embeddings", DEPTHWISE, POINTWISE)
BIASES = (BIAS, "beta")  # what is added
BESIDE = " + "  # between the names of the two that hold a tensor, such as `lstm.bias_ih_l0 + bias_hh_l0`


@dataclass(frozen=True)
class Layout:
    """How an array lies in the two frameworks."""

    axes: tuple[int, ...]  # of each of torch's axes, which of Keras's it is
    # into how many axes Keras's first one is cut before, and torch's last one merged after; (H, W, C) of a kernel
    # behind Flatten, whose rows torch has in the order (C, H, W)
    cut: tuple[int, ...] = ()
    gates: tuple[int, ...] = ()  # of each of torch's blocks along Keras's last axis, which of Keras's blocks it is

    def to_torch(self, array: np.ndarray) -> np.ndarray:
        """Turns an array as Keras holds it into torch's layout; a copy."""
        turned = np.transpose(self._ordered(array, self.gates).reshape(self._whole(array.shape)), self.axes)
        return turned.reshape(self.shape_in_torch(array.shape)).copy(order="C")

    def to_keras(self, array: np.ndarray) -> np.ndarray:
        """Turns an array as torch holds it into Keras's layout; a copy."""
        kept = len(self.axes) - len(self.cut)  # of torch's axes, those that are not merged
        whole = (*array.shape[:kept], *(self.cut[axis] for axis in self.axes[kept:])) if self.cut else array.shape
        back = tuple(self.axes.index(axis) for axis in range(len(self.axes)))
        turned = np.transpose(array.reshape(whole), back)
        merged = (math.prod(self.cut), *turned.shape[len(self.cut) :]) if self.cut else turned.shape
        return self._ordered(turned.reshape(merged), tuple(np.argsort(self.gates))).copy(order="C")

    def shape_in_torch(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Returns the shape that an array of this shape in Keras has in torch."""
        whole = self._whole(shape)
        turned = tuple(whole[axis] for axis in self.axes)
        kept = len(turned) - len(self.cut)
        return (*turned[:kept], math.prod(turned[kept:])) if self.cut else turned

    @staticmethod
    def _ordered(array: np.ndarray, gates: tuple[int, ...]) -> np.ndarray:
        """Returns an array of Keras's with the blocks along its last axis in another order."""
        if not gates:
            return array
        blocks = np.split(array, len(gates), axis=-1)
        return np.concatenate([blocks[gate] for gate in gates], axis=-1)

    def _whole(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*self.cut, *shape[1:]) if self.cut else tuple(shape)


def window(axes: int) -> dict[str, tuple[str, Layout]]:
    """Returns the tensors of a convolution over some axes: (*window, in, out) in Keras, (out, in, *window) in torch.

    Of a transposed one in and out change places in both.
    """
    return {KERNEL: ("weight", Layout((axes + 1, axes, *range(axes)))), **ADDED}


def recurrent(*gates: int) -> dict[str, tuple[str, Layout]]:
    """Returns the tensors of a recurrent layer: (in, gates) in Keras, (gates, in) in torch, in another order of gates.

    torch has two biases: the second one is added where Keras has one, and is the second row where Keras has two.
    """
    turned = Layout((1, 0), gates=gates)
    return {
        KERNEL: ("weight_ih", turned),
        RECURRENT: ("weight_hh", turned),
        BIAS: ("bias_ih", Layout((0,), gates=gates)),
    }


def separable(axes: int) -> dict[str, tuple[str, object]]:
    """Returns the tensors of a separable convolution, which is two in torch; see `parts_in_torch`."""
    return {DEPTHWISE: ("weight", depthwise), POINTWISE: window(axes)[KERNEL], **ADDED}


VECTOR, MATRIX = Layout((0,)), Layout((1, 0))
LINEAR = ("Linear", "MultiheadAttention")  # the projections of an attention are layers of their own in Keras
ADDED = {BIAS: ("bias", VECTOR)}
SCALED = {"gamma": ("weight", VECTOR), "beta": ("bias", VECTOR)}
TRACKED = {"moving_mean": ("running_mean", VECTOR), "moving_variance": ("running_var", VECTOR)}
# For every kind of layer in Keras: the kinds in torch, and of each of its tensors the role (Keras's name for it),
# torch's name and the layout, or a function that makes it of the tensor's shape in Keras.
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
    "SimpleRNN": (("RNN", "RNNCell"), recurrent()),
    "LSTM": (("LSTM", "LSTMCell"), recurrent()),  # i, f, c, o in both
    "GRU": (("GRU", "GRUCell"), recurrent(1, 0, 2)),  # z, r, h in Keras, r, z, n in torch
    **{f"Conv{axes}DTranspose": ((f"ConvTranspose{axes}d",), window(axes)) for axes in (1, 2, 3)},
    **{f"DepthwiseConv{axes}D": ((f"Conv{axes}d",), {KERNEL: ("weight", depthwise), **ADDED}) for axes in (1, 2)},
    **{f"SeparableConv{axes}D": ((f"Conv{axes}d",), separable(axes)) for axes in (1, 2)},
    "PReLU": (("PReLU", "KerasPReLU"), {"alpha": ("weight", slopes)}),
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
    written: int = 0  # which one its layer is, where a port's are in the order in which Keras's were written
    with_ones: tuple[int, ...] = ()  # its shape in torch, where it has other axes of length one there

    @property
    def layout(self) -> Layout | Reshaped | Folded | WithOnes:
        """How it lies in the two frameworks."""
        return WithOnes(self._layout, self.shape, self.with_ones) if self.with_ones else self._layout

    @property
    def _layout(self) -> Layout | Reshaped | Folded:
        if self.flattened:  # (C, H, W) in torch
            axes = len(self.flattened)
            return Layout((axes, axes - 1, *range(axes - 1)), self.flattened)
        if self.axes or not self.is_known:
            return Layout(self.axes or tuple(range(len(self.shape))))
        if self.kind == FOLDED:
            return Folded(self.shape, self.inputs)
        layout = LAYERS[self.kind][1][self.role][1]
        layout = layout(self.shape) if callable(layout) else layout
        return Layout((0, 1), gates=layout.gates) if self.is_split else layout

    @property
    def is_split(self) -> bool:
        """Whether its rows are two parameters in torch: a GRU's biases, unless Keras resets before it multiplies."""
        return self.kind == "GRU" and self.role == BIAS and len(self.shape) == 2

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
        is_folded = self.kind == FOLDED and (self.inputs or self.role == BIAS)
        return Folded(self.shape, self.inputs).folded if is_folded else self.shape

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


def parts_in_torch(layer: list[Tensor]) -> list[list[Tensor]]:
    """Returns the tensors of each of torch's layers that one of Keras's is: two of a separable convolution."""
    first = [tensor for tensor in layer if tensor.role == DEPTHWISE]
    return [first, [tensor for tensor in layer if tensor.role != DEPTHWISE]] if first else [layer]


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
