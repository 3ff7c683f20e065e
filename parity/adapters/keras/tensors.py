"""The tensors of a Keras model: which there are, read and filled by their paths."""

import keras
import numpy as np
from keras import ops

from mlp_spec.support.errors import UserError
from parity.protocol.layers import Layer
from parity.protocol.tensors import KERNEL, LAYERS, Arrays, Table, Tensor, check_fit

# Layers that drop or add by chance.
CHANCE = (
    keras.layers.Dropout, keras.layers.SpatialDropout1D, keras.layers.SpatialDropout2D, keras.layers.AlphaDropout,
    keras.layers.GaussianDropout, keras.layers.GaussianNoise,
)  # fmt: skip


def table_of(model) -> Table:
    """Lists the tensors of a built model, from the input to the output.

    Keras numbers the names of layers through the whole process: the table is made of one model, and serves all that
    are built alike.

    Raises:
        UserError: a layer of an unknown kind has weights.
    """
    return [
        Tensor(path, type(layer).__name__, value.name, tuple(value.shape), value.trainable, None, flattened)
        for layer, prefix in layers_with_tensors(model)
        for value in layer.weights
        for path in [f"{prefix}{layer.name}/{value.name}"]
        for flattened in [flattened_before(layer) if value.name == KERNEL else ()]
    ]


def layers_with_tensors(model, prefix: str = "") -> list[tuple]:
    """Lists the layers that have weights, those of models inside it too, each with the path it stands under.

    Raises:
        UserError: one is of a kind that the table of layouts does not know.
    """
    layers = []
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            layers += layers_with_tensors(layer, f"{prefix}{layer.name}/")
        elif layer.weights:
            layers.append((layer, prefix))
    if unknown := {f"{layer.name} ({type(layer).__name__})" for layer, _ in layers if not is_known(layer)}:
        known = ", ".join(LAYERS)
        raise UserError(f"layers with weights of an unknown kind: {', '.join(sorted(unknown))}; known are: {known}")
    return layers


def is_known(layer) -> bool:
    """Says whether the table of layouts knows all of a layer's weights."""
    _, tensors = LAYERS.get(type(layer).__name__, (None, {}))
    return {value.name for value in layer.weights} <= tensors.keys()


def flattened_before(layer) -> tuple[int, ...]:
    """Returns the shape (H, W, C) that was flattened into a Dense layer's inputs; empty where nothing was.

    Layers that work on each value alone may stand between: activations and the kinds of Dropout.
    """
    between = (keras.layers.Activation, keras.layers.Dropout, keras.layers.ReLU, keras.layers.LeakyReLU)
    nodes = layer._inbound_nodes if type(layer).__name__ == "Dense" else []
    while nodes and len(nodes[-1].parent_nodes) == 1:
        node = nodes[-1].parent_nodes[0]
        if isinstance(node.operation, keras.layers.Flatten):
            shape = tuple(node.input_tensors[0].shape[1:])
            return shape if len(shape) > 1 else ()
        nodes = [node] if isinstance(node.operation, between) else []
    return ()


def leaves_of(model) -> list:
    """Returns all layers, those of models inside it in their places."""
    return [
        leaf for layer in model.layers for leaf in (leaves_of(layer) if isinstance(layer, keras.Model) else [layer])
    ]


def without_chance(model) -> list[float]:
    """Sets the rates of the layers that drop or add by chance to 0; returns what they were, in order."""
    rates = []
    for layer in leaves_of(model):
        for name in ("rate", "stddev"):
            if isinstance(layer, CHANCE) and getattr(layer, name, None) is not None:
                rates.append(float(getattr(layer, name)))
                setattr(layer, name, 0.0)
    return rates


def describe_layers(model) -> list[Layer]:
    """Describes the layers from the model itself."""
    layers = []
    for layer in (layer for layer, _ in layers_with_tensors(model) if type(layer).__name__ == "Dense"):
        activation = getattr(layer.activation, "__name__", type(layer.activation).__name__)
        layers.append(Layer(layer.name, type(layer).__name__, *layer.kernel.shape, activation, layer.count_params()))
    return layers


def variables_of(model, table: Table) -> dict:
    """Returns a model's variables by the table's paths.

    Raises:
        ValueError: the model is not built as the one that the table was made of.
    """
    variables = [variable for layer, _ in layers_with_tensors(model) for variable in layer.weights]
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
