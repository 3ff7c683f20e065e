"""Quirks of Keras's backends: where Keras on one of them trains unlike Keras on the others, and so unlike any port."""

import keras
import numpy as np

from parity.adapters.keras.losses import of_loss
from parity.protocol.records import Quirk

TRAINING, OUTPUTS = ("lockstep", "metrics", "interchange"), ("forward", "loss", "gradients")
# Read in keras/src/backend/tensorflow/sparse.py and optimizers/*.py of Keras 3.15: gradients of an embedding are
# IndexedSlices, whose values are squared, or clipped, before those of one word are summed.
SPARSE = (
    "Keras on TensorFlow {what} of each occurrence of a word in a batch, and sums then; on JAX and torch, and in "
    "PyTorch, occurrences are summed first. --keras-backend jax compares with that; no usual port trains like this one"
)
POOLING = (
    "Keras on torch pads average pooling with 'same' by the border's values; on TensorFlow and JAX padding is not "
    "counted. --keras-backend tensorflow compares with that"
)
FLOAT64 = (
    "Keras on JAX computes some functions of float64 in float32 (tanh, variances): a port may depart from it by 1e-8, "
    "and not from TensorFlow"
)
SINGLE = (
    "Keras on TensorFlow resizes in float32, and rounds the numbers of a layer to it (of Rescaling and Normalization, "
    "an attention's scale, a leaky ReLU's slope, GELU's factor, log-cosh's logarithm of 2), also in float64 ({what}): "
    "a port may depart from it by 1e-8. One that rounds these numbers to float32 does not; what is resized departs in "
    "any port"
)


def find(model: keras.Model, backend: str, precision: str) -> list[Quirk]:
    """Finds the quirks that touch a compiled model.

    Args:
        model: the reference.
        backend: what Keras runs on.
        precision: `float32` or `float64`.
    """
    layers, quirks = list(model._flatten_layers()), []
    is_sparse = backend == "tensorflow" and any(isinstance(layer, keras.layers.Embedding) for layer in layers)
    if is_sparse and (what := sparse_steps(model.optimizer)):
        quirks.append(Quirk("sparse-gradients-of-embedding", TRAINING, SPARSE.format(what=what)))
    pools = (keras.layers.AveragePooling1D, keras.layers.AveragePooling2D, keras.layers.AveragePooling3D)
    if backend == "torch" and any(isinstance(layer, pools) and layer.padding == "same" for layer in layers):
        quirks.append(Quirk("average-pooling-on-torch", (*OUTPUTS, *TRAINING), POOLING))
    if backend == "tensorflow" and precision == "float64" and (what := computed_in_float32(model, layers)):
        quirks.append(Quirk("float64-on-tensorflow", (*OUTPUTS, *TRAINING), SINGLE.format(what=what)))
    if backend == "jax" and precision == "float64":
        quirks.append(Quirk("float64-on-jax", (*OUTPUTS, "optimizer", *TRAINING), FLOAT64))
    return quirks


def sparse_steps(optimizer) -> str:
    """Says what an optimizer does to the gradient of each occurrence by itself; nothing where a sum is the same."""
    clips = any(getattr(optimizer, name, None) for name in ("clipvalue", "clipnorm", "global_clipnorm"))
    squares = type(optimizer) not in (keras.optimizers.SGD, keras.optimizers.Lion)
    return " and ".join(["clips the gradient"] * clips + ["squares the gradient"] * squares)


def computed_in_float32(model: keras.Model, layers: list) -> str:
    """Names what TensorFlow computes in float32 whatever the precision; empty where there is nothing."""
    resizes = [layer for layer in layers if getattr(layer, "interpolation", "nearest") != "nearest"]
    given = [layer for layer in layers if getattr(layer, "input_mean", None) is not None]
    rescales = [layer for layer in layers if isinstance(layer, keras.layers.Rescaling)]
    scaled = [layer for layer in layers if is_rounded(getattr(layer, "_inverse_sqrt_key_dim", None))]
    slopes = [layer for layer in layers if is_rounded(getattr(layer, "negative_slope", None))]
    names = dict.fromkeys(type(layer).__name__ for layer in (*resizes, *given, *rescales, *scaled, *slopes))
    functions = [getattr(layer, "activation", None) for layer in layers]
    activations = [one for one in ("leaky_relu", "gelu") if getattr(keras.activations, one) in functions]
    losses = keras.tree.flatten(model.loss) if model.compiled else []
    rounded = ["the loss"] * any(of_loss(loss)["class_name"] == "LogCosh" for loss in losses)
    return " and ".join([*names, *activations, *rounded])


def is_rounded(number: float | None) -> bool:
    """Says whether a number is another one in float32."""
    return number is not None and float(np.float32(number)) != number
