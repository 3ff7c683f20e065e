"""The dense layers of a Keras model: read, described and filled, in the vocabulary both frameworks share."""

import keras
import numpy as np

from parity.protocol import start as canonical
from parity.protocol.layers import Layer


def dense_layers(model) -> list:
    """Returns the model's `Dense` layers, from the input to the output."""
    return [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]


def describe(model) -> list[Layer]:
    """Describes the layers from the model itself."""
    return [
        Layer(
            name=layer.name,
            kind=type(layer).__name__,
            inputs=layer.kernel.shape[0],
            outputs=layer.kernel.shape[1],
            activation=getattr(layer.activation, "__name__", type(layer.activation).__name__),
            parameters=layer.count_params(),
        )
        for layer in dense_layers(model)
    ]


def weights(model) -> dict[str, np.ndarray]:
    """Copies kernels (inputs, outputs) and biases (outputs,) by their canonical names."""
    arrays = {}
    for index, layer in enumerate(dense_layers(model)):
        for name, array in zip(("kernel", "bias"), layer.get_weights(), strict=True):
            arrays[f"dense_{index}/{name}"] = np.array(array)
    return arrays


def load_weights(model, arrays: dict[str, np.ndarray]) -> None:
    """Fills the layers from canonical arrays.

    Raises:
        UserError: names or shapes do not fit; nothing has been changed then.
    """
    canonical.check_fit(weights(model), arrays)
    for index, layer in enumerate(dense_layers(model)):
        layer.set_weights([arrays[f"dense_{index}/kernel"], arrays[f"dense_{index}/bias"]])


def initializer(value) -> dict:
    """Describes an initialiser by its class and numbers."""
    config = {key: item for key, item in value.get_config().items() if isinstance(item, int | float | str)}
    return {"name": type(value).__name__, **{key: item for key, item in config.items() if key != "seed"}}
