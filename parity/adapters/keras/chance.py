"""Layers that drop by chance: what they dropped in a training that was recorded, so that the other side drops the same.

A layer's mask is a function of its seed generator's state, which counts its calls: given the state before a step, the
layer itself draws the mask once more. So it is on JAX, on TensorFlow without XLA, and on torch where a seed is given.
"""

from itertools import pairwise
from pathlib import Path

import keras
import numpy as np
from keras import ops

from mlp_spec.support.errors import UserError
from parity.adapters.keras import tensors
from parity.adapters.keras.inner_dropout import InnerRate, inner_rates, leaves_with_hosts
from parity.protocol.law import RandomLayer

REPLAYED = (
    keras.layers.Dropout, keras.layers.SpatialDropout1D, keras.layers.SpatialDropout2D, keras.layers.SpatialDropout3D,
    keras.layers.AlphaDropout,
)  # fmt: skip
MOST_BYTES = 2 * 2**30  # of masks on disk


def random_layers(model) -> list:
    """Returns the layers that drop or add by chance, in the order of the model; those of rate 0 do not.

    Of a layer that drops inside of what it computes, its rates stand for it.
    """
    layers = []
    for layer, hosts in leaves_with_hosts(model):
        if isinstance(layer, tensors.CHANCE):
            layers += [layer] if hasattr(layer, "seed_generator") else []
        else:
            layers += inner_rates(layer, hosts)
    return layers


def kind_of(layer) -> str:
    """Returns the kind of a random layer: its class, or the class of what drops inside, and its rate's name."""
    return layer.kind if isinstance(layer, InnerRate) else type(layer).__name__


def silence(model) -> list[float]:
    """Sets the rates of the layers that drop or add by chance to 0; returns what they were, in order."""
    rates = []
    for layer in random_layers(model):
        name = "stddev" if hasattr(layer, "stddev") else "rate"
        rates.append(float(getattr(layer, name)))
        setattr(layer, name, 0.0)
    return rates


def restore(model, rates: list[float]) -> None:
    """Gives the layers their rates back, before the model is first trained."""
    for layer, rate in zip(random_layers(model), rates, strict=True):
        setattr(layer, "stddev" if hasattr(layer, "stddev") else "rate", rate)


def seeds_of(model) -> list:
    """Returns the states that the masks are functions of, as variables."""
    return [layer.seed_generator.state for layer in random_layers(model)]


def describe(model, inputs, rates: list[float], batch_size: int, steps: int) -> tuple[list[RandomLayer], str]:
    """Describes the layers whose masks can be drawn again; or says why they cannot, that the rates stay 0.

    Args:
        model: its rates are 0.
        inputs: one row, as the model takes it.
        rates: what they were.
        batch_size, steps: of the whole training.
    """  # fmt: skip
    layers = random_layers(model)
    if not (why := why_silent(model, layers)):
        shapes = shapes_of(model, inputs, layers)
        once = all(len(of_layer) == 1 for of_layer in shapes.values())
        if not once or list(shapes) != [id(layer) for layer in layers]:
            return [], "the layers are not called once in a step, in the order of the model"
        found = [
            RandomLayer(
                layer.name,
                rate,
                shapes[id(layer)][0],
                tensors.flattened_before(layer),
                isinstance(layer, keras.layers.AlphaDropout),
            )
            for layer, rate in zip(layers, rates, strict=True)
        ]
        if sum(layer.bytes_of(batch_size) for layer in found) * steps <= MOST_BYTES:
            return found, ""
        why = f"their masks would take more than {MOST_BYTES / 2**30:.0f} GiB"
    return [], why


def why_silent(model, layers: list) -> str:
    """Says why layers' masks cannot be drawn again; empty where they can."""
    backend = keras.backend.backend()
    if backend == "tensorflow" and model.jit_compile:
        return "TensorFlow with jit_compile draws otherwise than one by one"
    if other := sorted({kind_of(layer) for layer in layers if not isinstance(layer, REPLAYED)}):
        return f"{', '.join(other)} cannot be handed over"
    if backend == "torch" and any(layer.seed is None for layer in layers):
        return "Keras on torch draws by torch's own generator where a layer has no seed"
    return ""


def shapes_of(model, inputs, layers: list) -> dict[int, list[tuple]]:
    """Returns the shapes of what layers are called with, without rows, by their ids in the order of the calls."""
    shapes: dict[int, list[tuple]] = {}
    for layer in layers:
        layer.call = noting(layer, shapes)
    try:
        model(inputs)
    finally:
        for layer in layers:
            del layer.call
    return shapes


def noting(layer, shapes: dict[int, list]):
    """Returns a layer's call that also notes the shape of its input, without rows."""
    call = type(layer).call

    def noted(inputs, **options):
        shapes.setdefault(id(layer), []).append(tuple(inputs.shape[1:]))
        return call(layer, inputs, **options)

    return noted


def write_masks(model, layers: list[RandomLayer], states: list[list[np.ndarray]], rows: list[int], folder: str) -> None:
    """Draws every mask of a training once more, and leaves them in a folder: bits, a row a step, a file a layer.

    Args:
        model: with the layers' rates.
        layers: what `describe` found.
        states: of the seed generators, before every epoch.
        rows: of each batch of an epoch.
        folder: where they go.

    Raises:
        UserError: the generators did not count as many calls as there were steps.
    """
    for before, after in pairwise(states):
        if any((now - then).tolist() != [0, len(rows)] for then, now in zip(before, after, strict=True)):
            raise UserError("a layer that drops by chance was not called once a step: its masks cannot be drawn again")
    for number, (layer, described) in enumerate(zip(random_layers(model), layers, strict=True)):
        shape = (len(states) * len(rows), described.bytes_of(max(rows)))
        path = Path(folder) / described.file(number)
        masks = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
        for epoch, of_epoch in enumerate(states):
            for step, count in enumerate(rows):
                state = of_epoch[number] + np.array([0, step], of_epoch[number].dtype)
                layer.seed_generator.state.assign(state)
                ones = ops.ones((count, *described.shape), keras.config.floatx())
                kept = np.packbits(ops.convert_to_numpy(layer(ones, training=True)) > 0)
                masks[epoch * len(rows) + step, : len(kept)] = kept
        masks.flush()
