"""Measures a layer of Keras for the catalogue of differences between layers (`parity.traps.layers`)."""

from collections.abc import Callable

import keras
import numpy as np
from keras import ops

from parity.protocol.tensors import Arrays
from parity.traps.layers.layouts import AXES, LAYER, draw_weights, table_of


def measure(
    make: Callable[[], object],
    call: Callable,
    draw_input: Callable[[], np.ndarray],
    values: Callable[[np.ndarray, Arrays, Arrays], np.ndarray],
    kind: str,
    sizes: dict[str, int],
    mode: str,
    optimizer: tuple[str, float],
) -> np.ndarray:
    """Returns what is compared of a layer, as a vector.

    Args:
        make: makes the layer.
        call: from the layer, its input and whether it is in training mode to its output.
        draw_input: returns the input.
        values: from the output, the weights by role, and those before a step, to what is compared.
        kind, sizes: of the layer, for its weights.
        mode: of `difference.MODES`.
        optimizer: of a step: its class, and the rate.
    """
    keras.utils.set_random_seed(0)
    layer, x, training = make(), draw_input(), mode in ("training", "chance", "step")
    call(layer, x, False)  # builds it
    if mode != "start" and kind in AXES:
        fill(layer, kind, sizes)
    before = weights_of(layer, kind)
    if mode == "step":
        take_step(layer, x, optimizer)
    y = np.empty(0) if mode in ("step", "start") else ops.convert_to_numpy(call(layer, x, training))
    return np.ravel(values(y, weights_of(layer, kind), before))


def fill(layer, kind: str, sizes: dict[str, int]) -> None:
    """Fills a built layer with the example's weights.

    Raises:
        ValueError: it has others.
    """
    table = table_of(kind, sizes)
    arrays = draw_weights(table)
    held = [(value.name, tuple(value.shape)) for value in layer.weights]
    if held != [(tensor.role, tensor.shape) for tensor in table]:
        raise ValueError(f"{type(layer).__name__} has {held}, the example {[(t.path, t.shape) for t in table]}")
    for variable, tensor in zip(layer.weights, table, strict=True):
        variable.assign(arrays[tensor.path])


def weights_of(layer, kind: str) -> Arrays:
    """Copies a layer's weights by role."""
    paths = [tensor.path.removeprefix(f"{LAYER}/") for tensor in table_of(kind)]
    variables = layer.weights if paths else []
    return {path: ops.convert_to_numpy(one).copy() for path, one in zip(paths, variables, strict=True)}


def take_step(layer, x: np.ndarray, optimizer: tuple[str, float]) -> None:
    """Takes a step; the loss is the sum of the outputs."""
    model, (name, rate) = keras.Sequential([layer]), optimizer
    model.compile(getattr(keras.optimizers, name)(rate), lambda _, y: ops.sum(y), run_eagerly=True)
    model.train_on_batch(x, np.zeros(len(x)))
