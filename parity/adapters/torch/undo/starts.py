"""Undoes other initial weights: Keras's own draws are put in."""

from functools import partial

import torch

from parity.adapters.torch.recurrent import shares
from parity.adapters.torch.tensors import to_torch
from parity.adapters.torch.undo.difference import Built, Undo
from parity.protocol.tensors import FOLDED, Tensor
from parity.traps.layers.catalogue import DIFFERENCES

GATED = ("LSTM", "GRU", "SimpleRNN")
CONVOLUTIONS = ("Conv1D", "Conv2D", "Conv3D")
# By difference: kinds of layers, and roles of their tensors, all others where none are named.
STARTS = {
    "dense-start": (("Dense", "EinsumDense"), ("kernel",)),
    "dense-bias-start": (("Dense", "EinsumDense", "MultiHeadAttention", *CONVOLUTIONS), ("bias",)),
    "convolution-start": (CONVOLUTIONS, ("kernel",)),
    "transposed-start": (("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose"), ("kernel", "bias")),
    "depthwise-start": (("DepthwiseConv1D", "DepthwiseConv2D", "SeparableConv1D", "SeparableConv2D"), ()),
    "embedding-start": (("Embedding",), ()),
    "recurrent-start": (GATED, ("recurrent_kernel",)),
    "recurrent-kernel-start": (GATED, ("kernel",)),
    "forget-gate": (("LSTM",), ("bias",)),
    "attention-start": (("MultiHeadAttention",), ("kernel",)),
    "recurrent-bias-start": (("GRU", "SimpleRNN"), ("bias",)),
    "prelu-start": (("PReLU",), ()),
}


def start(built: Built, kinds: tuple[str, ...], roles: tuple[str, ...]) -> list[str]:
    """Fills the tensors of some kinds and roles with one of the reference's draws."""
    tensors = [t for t in built.facts.tensors if kind_of(built, t) in kinds and (not roles or t.role in roles)]
    if not tensors:
        return []
    weights, lines = built.weights_of_draw(built.draw), {}
    for tensor in built.binding.table:
        if tensor.path in {one.path for one in tensors}:
            fill(built, tensor, weights[tensor.path])
            initializer = built.facts.initializers.get(tensor.path, {}).get("name", "its initialiser")
            settings = built.facts.settings.get(tensor.path.rpartition("/")[0], {})
            ones = tensor.role == "bias" and settings.get("unit_forget_bias")
            more = ", and 1 for the forget gate" if ones else ""
            lines[f"{tensor.torch_name}: start as Keras's {tensor.kind} does, by {initializer}{more}"] = None
    return list(lines)


def kind_of(built: Built, tensor: Tensor) -> str:
    """Returns the kind of the layer that a tensor belongs to; of a projection, that of the attention around it."""
    around = tensor.path.rpartition("/")[0].rpartition("/")[0]
    whole = built.facts.settings.get(around, {}).get("class_name", "")
    return whole if tensor.kind == FOLDED and whole == "MultiHeadAttention" else tensor.kind


def fill(built: Built, tensor: Tensor, array) -> None:
    """Puts an array in Keras's layout into what holds a tensor."""
    holders, value = built.binding.holders(tensor), to_torch(array, tensor.layout)
    with torch.no_grad():
        for holder, share in zip(holders, shares(tensor, value, len(holders), True), strict=True):
            holder.copy_(share)


UNDOS = [
    Undo(id, ("initial_weights",), partial(start, kinds=kinds, roles=roles))
    for id, (kinds, roles) in STARTS.items()
    if id in DIFFERENCES
]
