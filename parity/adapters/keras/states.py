"""The states that stateful recurrent layers of a Keras model keep from batch to batch.

Keras does not count them among a model's variables. Single batches start from states of zeros; a training starts from
them, too, and goes on from batch to batch, through the validation, and from epoch to epoch, as `fit` does.
"""

import keras
import numpy as np
from keras import ops


def stateful_layers(model) -> list:
    """Returns the layers that keep states, those inside of others too; what is around them (Bidirectional) is none."""
    layers = dict.fromkeys(model._flatten_layers())
    return [layer for layer in layers if isinstance(layer, keras.layers.RNN) and layer.stateful]


def variables_of(model) -> list:
    """Returns the states as variables; none of layers that are not built yet."""
    return [one for layer in stateful_layers(model) for one in keras.tree.flatten(layer.states) if one is not None]


def reset_states(model) -> None:
    """Makes the states zeros, as they are in a new model."""
    for variable in variables_of(model):
        variable.assign(ops.zeros_like(variable))


def read_states(model) -> list[np.ndarray]:
    """Copies the states."""
    return [np.array(ops.convert_to_numpy(variable)) for variable in variables_of(model)]


def write_states(model, values: list[np.ndarray]) -> None:
    """Puts states back."""
    for variable, value in zip(variables_of(model), values, strict=True):
        variable.assign(value)


def fixed_rows(model) -> int | None:
    """Returns how many rows every batch of a model has; None where it takes any number.

    Its stateful layers say it, which have as many states, or else its inputs.
    """
    shapes = [variable.shape for variable in variables_of(model)]
    shapes += [value.shape for value in getattr(model, "inputs", None) or ()]
    return next((shape[0] for shape in shapes[:1]), None)
