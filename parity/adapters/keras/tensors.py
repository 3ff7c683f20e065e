"""The tensors of a Keras model: which there are, read and filled by their paths."""

import keras
import numpy as np
from keras import ops

from parity.protocol.layers import Layer
from parity.protocol.tensors import LAYERS, Arrays, Table, Tensor, check_fit


def table_of(model) -> Table:
    """Lists the tensors of a built model, from the input to the output.

    Keras numbers the names of layers through the whole process: the table is made of one model, and serves all that
    are built alike.
    """
    return [
        Tensor(f"{layer.name}/{value.name}", type(layer).__name__, value.name, tuple(value.shape), value.trainable)
        for layer in layers_with_tensors(model)
        for value in layer.weights
    ]


def layers_with_tensors(model) -> list:
    """Returns the layers of a kind that the table of layouts knows, from the input to the output."""
    return [layer for layer in model.layers if type(layer).__name__ in LAYERS]


def describe_layers(model) -> list[Layer]:
    """Describes the layers from the model itself."""
    layers = []
    for layer in layers_with_tensors(model):
        activation = getattr(layer.activation, "__name__", type(layer.activation).__name__)
        layers.append(Layer(layer.name, type(layer).__name__, *layer.kernel.shape, activation, layer.count_params()))
    return layers


def variables_of(model, table: Table) -> dict:
    """Returns a model's variables by the table's paths.

    Raises:
        ValueError: the model is not built as the one that the table was made of.
    """
    variables = [variable for layer in layers_with_tensors(model) for variable in layer.weights]
    shapes = [tuple(variable.shape) for variable in variables]
    if shapes != [tensor.shape for tensor in table]:
        raise ValueError(f"the model has tensors of the shapes {shapes}, not {[tensor.shape for tensor in table]}")
    return {tensor.path: variable for tensor, variable in zip(table, variables, strict=True)}


def read_weights(model, table: Table) -> Arrays:
    """Copies a model's weights by path."""
    return {path: np.array(ops.convert_to_numpy(v)) for path, v in variables_of(model, table).items()}


def load_weights(model, table: Table, arrays: Arrays) -> None:
    """Fills a model's weights by path.

    Raises:
        UserError: paths or shapes do not fit; nothing has been changed then.
    """
    check_fit(table, arrays)
    for path, variable in variables_of(model, table).items():
        variable.assign(arrays[path])


def trained_paths(table: Table) -> list[str]:
    """Returns the paths of the tensors that the optimizer updates, in the order of Keras's trainable variables."""
    return [tensor.path for tensor in table if tensor.trained]


# Names that Keras's optimizers have for their moments, by the names that both sides use.
SLOTS = {"momentum": ("momentums", "_momentums"), "velocity": ("_velocities",)}


def moment_variables(model, table: Table) -> dict[str, dict]:
    """Returns the optimizer's moments, as variables, by slot and path."""
    moments = {}
    for slot, names in SLOTS.items():
        variables = next((value for name in names if (value := getattr(model.optimizer, name, None))), None)
        if variables:
            moments[slot] = dict(zip(trained_paths(table), variables, strict=True))
    return moments


def read_moments(model, table: Table) -> dict[str, Arrays]:
    """Copies the optimizer's moments by slot and path."""
    return {
        slot: {path: ops.convert_to_numpy(variable).copy() for path, variable in variables.items()}
        for slot, variables in moment_variables(model, table).items()
    }


def load_moments(model, table: Table, moments: dict[str, Arrays], step: int) -> None:
    """Fills a built optimizer's moments and its count of updates.

    Raises:
        ValueError: the optimizer keeps other moments; nothing has been changed then.
    """
    variables = moment_variables(model, table)
    if {slot: set(paths) for slot, paths in variables.items()} != {slot: set(paths) for slot, paths in moments.items()}:
        raise ValueError(f"the optimizer keeps {', '.join(variables) or 'no moments'}, got {', '.join(moments)}")
    for slot, paths in variables.items():
        for path, variable in paths.items():
            variable.assign(moments[slot][path])
    model.optimizer.iterations.assign(step)


def read_state(model) -> list[np.ndarray]:
    """Copies the optimizer's variables: step, rate, moments."""
    return [ops.convert_to_numpy(variable).copy() for variable in model.optimizer.variables]


def load_state(model, values: list[np.ndarray]) -> None:
    """Puts the optimizer's variables back."""
    for variable, value in zip(model.optimizer.variables, values, strict=True):
        variable.assign(value)


def describe_initializer(value: keras.initializers.Initializer) -> dict:
    """Describes an initialiser by its class and numbers."""
    config = {key: item for key, item in value.get_config().items() if isinstance(item, int | float | str)}
    return {"name": type(value).__name__, **{key: item for key, item in config.items() if key != "seed"}}
