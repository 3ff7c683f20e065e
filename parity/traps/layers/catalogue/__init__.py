"""The catalogue of differences between layers, by family; a module for each.

`docs/layers.md` is made from it: `python -m parity layers`.
"""

from importlib import import_module
from inspect import cleandoc

from parity.traps.layers.difference import Difference

__all__ = ["DIFFERENCES", "FAMILIES", "IMPORTS", "Difference"]

# What is imported before every snippet, by the side that it is measured on.
IMPORTS = {
    "keras": """
        import numpy as np
        from keras import layers, ops
        from keras.constraints import MaxNorm
        from parity.adapters.keras.differences import measure
        from parity.traps.layers.layouts import draw_input as draw
    """,
    "torch": """
        import numpy as np
        import torch
        import torch.nn.functional as F
        from torch import nn
        from keras_like.attention import KerasMultiHeadAttention
        from keras_like.initializers import glorot_uniform_, random_uniform_
        from keras_like.normalization import KerasBatchNorm1d
        from keras_like.padding import KerasAvgPool2d, KerasConv1d, KerasConv2d, KerasMaxPool2d
        from keras_like.recurrent import KerasGRU, KerasLSTM, KerasRNN
        from keras_like.separable import KerasSeparableConv2d
        from keras_like.slopes import KerasPReLU
        from keras_like.transposed import KerasConvTranspose2d
        from parity.adapters.torch.differences import measure, with_gates
        from parity.traps.layers.layouts import draw_input as draw
    """,
}
IMPORTS = {side: cleandoc(code) for side, code in IMPORTS.items()}
FAMILIES = {
    "convolutions": "Convolutions",
    "pooling": "Pooling, padding, resizing, Flatten",
    "normalizations": "Normalisation",
    "dense": "Dense and Embedding",
    "recurrent": "Recurrent layers and masks",
    "attention": "Attention",
    "activations": "Activations and what is drawn by chance",
}
# By family, and all by their id.
OF_FAMILY: dict[str, list[Difference]] = {name: import_module(f"{__name__}.{name}").DIFFERENCES for name in FAMILIES}
DIFFERENCES = {difference.id: difference for family in OF_FAMILY.values() for difference in family}
