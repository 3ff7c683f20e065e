"""What stands in PyTorch for Keras's layers: the tables of `docs/layers.md` that hold no numbers."""

from parity.protocol.tensors import LAYERS

# By Keras's kind, the classes with its semantics, where PyTorch's own, given other arguments, do not have them.
KERAS_LIKE = {
    **{f"Conv{axes}D": (f"padding.KerasConv{axes}d",) for axes in (1, 2, 3)},
    **{f"DepthwiseConv{axes}D": (f"padding.KerasConv{axes}d",) for axes in (1, 2)},
    **{f"Conv{axes}DTranspose": (f"transposed.KerasConvTranspose{axes}d",) for axes in (1, 2, 3)},
    **{f"SeparableConv{axes}D": (f"separable.KerasSeparableConv{axes}d",) for axes in (1, 2)},
    "BatchNormalization": tuple(f"normalization.KerasBatchNorm{axes}d" for axes in (1, 2, 3)),
    "PReLU": ("slopes.KerasPReLU",),
    "SimpleRNN": ("recurrent.KerasRNN", "recurrent.KerasRNNCell"),
    "LSTM": ("recurrent.KerasLSTM", "recurrent.KerasLSTMCell"),
    "GRU": ("recurrent.KerasGRU", "recurrent.KerasGRUCell"),
    "EinsumDense": ("attention.KerasMultiHeadAttention",),
}
POOLINGS = {
    f"{keras}Pooling{axes}D": (f"`nn.{torch}Pool{axes}d`", f"padding.Keras{torch}Pool{axes}d")
    for keras, torch in (("Max", "Max"), ("Average", "Avg"))
    for axes in (1, 2, 3)
}
# What else the tool knows: layers without tensors that draw by chance.
CHANCE = {
    "Dropout": "`nn.Dropout`",
    **{f"SpatialDropout{axes}D": f"`nn.Dropout{axes}d`, of channels first" for axes in (1, 2, 3)},
    "AlphaDropout": "`nn.AlphaDropout`",
    "GaussianDropout": "no class",
    "GaussianNoise": "no class",
}


def torch_classes(kind: str) -> str:
    """Returns the classes in PyTorch among which the tool looks for a kind of layer."""
    return ", ".join(f"`nn.{name}`" for name in LAYERS[kind][0] if not name.startswith("Keras"))
