"""Layers that change rows by chance in training (RandomFlip, RandomZoom ...): while steps are compared, they do not.

A port has them in its module, or as a transform of its data set. Neither can be handed what Keras drew.
"""

import keras

from parity.adapters.keras import tensors

KINDS = tuple(
    value
    for name in dir(keras.layers)
    if name.startswith("Random") or name in ("AugMix", "CutMix", "MixUp", "RandAugment")
    for value in [getattr(keras.layers, name)]
    if isinstance(value, type)
)


def augmenting_layers(model) -> list:
    """Returns the layers of a model that change rows by chance, those of models inside it too."""
    return [layer for layer in model._flatten_layers(include_self=False) if isinstance(layer, KINDS)]


def names_of(model) -> list[str]:
    """Names the kinds of these layers."""
    return sorted({type(layer).__name__ for layer in augmenting_layers(model)})


def silence(model) -> None:
    """Has these layers do in training what they do in evaluation."""
    for layer in augmenting_layers(model):

        def call_in_evaluation(data, training=True, layer=layer):
            return type(layer).call(layer, data, training=False)

        object.__setattr__(layer, "call", call_in_evaluation)  # Keras would track it


def restore(model) -> None:
    """Takes that back."""
    for layer in augmenting_layers(model):
        vars(layer).pop("call", None)


def constants_of(model) -> list:
    """Returns the layers whose variables are constants, such as statistics of rows that were adapted to."""
    return [layer for layer in model._flatten_layers(include_self=False) if isinstance(layer, tensors.CONSTANT)]


def copy_constants(model, copy) -> None:
    """Gives a copy that was built from a configuration, which has no weights, the constants of its original."""
    for before, after in zip(constants_of(model), constants_of(copy), strict=True):
        for ours, theirs in zip(before.variables, after.variables, strict=True):
            theirs.assign(ours)
        after.finalize_state()
