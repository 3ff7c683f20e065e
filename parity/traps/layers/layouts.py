"""How each layer's tensors lie in both frameworks, in words: made from what `parity.protocol.tensors` does to them."""

import math

import numpy as np

from parity.protocol.tensors import FOLDED, Arrays, Table, Tensor

SIZES = {
    "height": 3, "width": 3, "depth": 3, "length": 3, "inputs": 3, "outputs": 4, "channels": 4, "units": 4,
    "multiplier": 2, "heads": 2, "size": 3, "words": 7,
}  # fmt: skip
WINDOWS = {1: "length", 2: "height width", 3: "depth height width"}


def with_bias(kernel: str, outputs: str = "outputs", role: str = "kernel") -> dict[str, str]:
    """Returns the axes of a kernel and of what is added."""
    return {role: kernel, "bias": outputs}


def recurrent(gates: str) -> dict[str, str]:
    """Returns the axes of a recurrent layer with so many gates."""
    return {"kernel": f"inputs {gates}units", "recurrent_kernel": f"units {gates}units", "bias": f"{gates}units"}


HEADS, OUT = with_bias("inputs heads size", "heads size"), with_bias("heads size inputs", "inputs")
SCALED = {"gamma": "channels", "beta": "channels"}
# Of every kind of layer, the axes of each tensor in Keras; `4*units` is an axis of four blocks. The tensors of a
# MultiHeadAttention are those of its four projections.
AXES = {
    "Dense": with_bias("inputs outputs"),
    "Dense, behind Flatten": with_bias("height*width*channels outputs"),
    **{f"Conv{axes}D": with_bias(f"{window} inputs outputs") for axes, window in WINDOWS.items()},
    **{f"Conv{axes}DTranspose": with_bias(f"{window} outputs inputs") for axes, window in WINDOWS.items()},
    **{
        f"DepthwiseConv{axes}D": with_bias(f"{WINDOWS[axes]} inputs multiplier", "inputs*multiplier") for axes in (1, 2)
    },
    **{
        f"SeparableConv{axes}D": {
            "depthwise_kernel": f"{WINDOWS[axes]} inputs multiplier",
            "pointwise_kernel": f"{' '.join(['1'] * axes)} inputs*multiplier outputs",
            "bias": "outputs",
        }
        for axes in (1, 2)
    },
    "Embedding": {"embeddings": "words outputs"},
    "BatchNormalization": {**SCALED, "moving_mean": "channels", "moving_variance": "channels"},
    "LayerNormalization": SCALED,
    "GroupNormalization": SCALED,
    "PReLU": {"alpha": "height width channels"},
    "PReLU, shared_axes=[1, 2]": {"alpha": "1 1 channels"},
    "SimpleRNN": recurrent(""),
    "LSTM": recurrent("4*"),
    "GRU": {**recurrent("3*"), "bias": "2 3*units"},
    "GRU, reset_after=False": recurrent("3*"),
    "Bidirectional": {
        f"{direction}_lstm/{role}": axes
        for direction in ("forward", "backward")
        for role, axes in recurrent("4*").items()
    },
    "MultiHeadAttention": {
        f"{part}/{role}": axes
        for part in ("query", "key", "value", "attention_output")
        for role, axes in (OUT if part == "attention_output" else HEADS).items()
    },
}  # fmt: skip
PARTS = {"MultiHeadAttention": FOLDED, "Bidirectional": "LSTM"}  # the kind of what a layer is made of
GATES = {"LSTM": "i f c o", "GRU": "z r h"}  # as Keras calls them; PyTorch calls c g, and h n
FLATTENED = ("height", "width", "channels")
LAYER = "layer"  # how the layer of an example is called


def table_of(kind: str, sizes: dict[str, int] | None = None) -> Table:
    """Returns the tensors of a layer, by paths such as `layer/kernel`; none of a kind that has none.

    Args:
        kind: of `AXES`, or any other of Keras's.
        sizes: of its axes, where they are not `SIZES`.
    """
    known = SIZES | (sizes or {})
    own = PARTS.get(kind, kind).partition(",")[0]
    table = []
    for path, axes in AXES.get(kind, {}).items():
        names, role = axes.split(), path.rpartition("/")[2]
        flattened = tuple(map(known.get, FLATTENED)) if kind.endswith("Flatten") and role == "kernel" else ()
        inputs = (2 if path.startswith("attention_output") else 1) if own == FOLDED and role == "kernel" else 0
        shape = tuple(size_of(name, known) for name in names)
        is_trained = not role.startswith("moving")
        table.append(Tensor(f"{LAYER}/{path}", own, role, shape, is_trained, None, flattened, inputs=inputs))
    return table


def size_of(axis: str, sizes: dict[str, int]) -> int:
    """Returns how long an axis is, such as `units`, `2` or `3*units`."""
    return math.prod(sizes.get(factor) or int(factor) for factor in axis.split("*"))


def draw_weights(table: Table) -> Arrays:
    """Draws weights by path, the same in both frameworks: positive where they scale, else of both signs."""
    draw = np.random.default_rng(0)
    positive = ("gamma", "moving_variance")
    return {
        tensor.path: draw.uniform(*((0.5, 1.5) if tensor.role in positive else (-0.5, 0.5)), tensor.shape).astype("f4")
        for tensor in table
    }


def draw_input(*shape: int) -> np.ndarray:
    """Draws an input, the same in both frameworks."""
    return np.random.default_rng(2).standard_normal(shape).astype("f4")


def describe_in_torch(tensor: Tensor, axes: str) -> str:
    """Describes how a tensor lies in torch, such as `(outputs, inputs, height, width)`.

    It is read off what the tensor's layout does to an array that holds the number of each place.

    Args:
        tensor: of a table of `table_of` with the usual sizes.
        axes: their names in Keras.
    """
    names = [part for axis in axes.split() for part in axis.split("*")]
    places = np.arange(math.prod(tensor.shape)).reshape(tensor.shape)
    turned = tensor.layout.to_torch(places)
    coordinates = np.unravel_index(turned, [size_of(name, SIZES) for name in names])
    described = []
    for axis, length in enumerate(turned.shape):
        # where each of Keras's axes is along one of torch's, beginning at the first place
        along = [np.moveaxis(one, axis, 0).reshape(length, -1)[:, 0] for one in coordinates]
        changes = [np.count_nonzero(np.diff(numbers)) for numbers in along]
        # what changes more seldom stands before
        merged = sorted((number for number, count in enumerate(changes) if count), key=changes.__getitem__)
        described.append("*".join(names[number] for number in merged) or "1")
    return in_brackets(described)


def in_brackets(axes: list[str]) -> str:
    """Writes names of axes as Python writes a shape."""
    return f"({', '.join(axes)}{',' * (len(axes) == 1)})"


def gates_of(tensor: Tensor) -> tuple[str, str]:
    """Returns in which order the gates stand in Keras and in torch, in Keras's letters; empty where there are none."""
    names = GATES.get(tensor.kind, "").split()
    order = getattr(tensor.layout, "gates", ()) or range(len(names))
    return ", ".join(names), ", ".join(names[number] for number in order)
