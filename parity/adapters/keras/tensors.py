"""The tensors of a Keras model: which there are, read and filled by their paths."""

import re
from types import MappingProxyType

import keras
import numpy as np
from keras import ops

from mlp_spec.support.errors import UserError
from parity.adapters.keras.states import reset_states
from parity.protocol.layers import Layer
from parity.protocol.tensors import FOLDED, KERNEL, LAYERS, Arrays, Table, Tensor, check_fit

# Layers that drop or add by chance.
CHANCE = (
    keras.layers.Dropout, keras.layers.SpatialDropout1D, keras.layers.SpatialDropout2D, keras.layers.SpatialDropout3D,
    keras.layers.AlphaDropout, keras.layers.GaussianDropout, keras.layers.GaussianNoise,
)  # fmt: skip
# Layers whose variables are constants: a port has them as buffers, as numbers, or where it reads its rows.
CONSTANT = (keras.layers.Normalization,)


def table_of(model, said: dict[str, str | tuple] = MappingProxyType({})) -> Table:
    """Lists the tensors of a built model, from the input to the output.

    Keras numbers the names of layers through the whole process: the table is made of one model, and serves all that
    are built alike.

    Args:
        model: any.
        said: by path, the names in the other framework that the user gave, or pairs of a name and an order of axes.

    Raises:
        UserError: a layer of an unknown kind has weights that `said` does not place; or `said` has a path too many.
    """
    table = []
    for layer, prefix, variables in layers_with_tensors(model):
        for value in variables:
            path, shape = f"{prefix}{layer.name}/{value.name}", tuple(value.shape)
            place = said.get(path)
            name, axes = (place, ()) if place is None or isinstance(place, str) else place
            flattened = flattened_before(layer) if value.name == KERNEL and not axes else ()
            kind = kind_of(layer)
            summed = summed_axes(layer) if value.name == KERNEL and kind == FOLDED else 0
            table.append(Tensor(path, kind, value.name, shape, value.trainable, name, flattened, tuple(axes), summed))
    paths = [tensor.path for tensor in table]
    if unknown := sorted(f"{t.path} ({t.kind})" for t in table if not t.is_known and t.torch_name is None):
        known = ", ".join(LAYERS)
        raise UserError(
            f"weights of layers of an unknown kind: {', '.join(unknown)}; known are: {known}. WEIGHTS in a pair file "
            "can say which is which"
        )
    if extra := sorted(set(said) - set(paths)):
        raise UserError(f"WEIGHTS names {', '.join(extra)}; the model has: {', '.join(paths)}")
    return table


def layers_with_tensors(model, prefix: str = "") -> list[tuple]:
    """Lists the layers that have weights, those inside of others too, each with its path's start and its variables.

    A layer of one's own may hold weights and layers: its weights come first, as in Keras's own order.
    """
    layers = []
    for layer in parts_of(model):
        if isinstance(layer, CONSTANT):
            continue
        if is_known(layer):
            layers.append((layer, prefix, layer.weights))
        elif layer.weights:
            inside = [variable for part in parts_of(layer) for variable in part.weights]
            own = [variable for variable in layer.weights if not any(variable is one for one in inside)]
            layers += [(layer, prefix, own)] if own else []
            layers += layers_with_tensors(layer, f"{prefix}{layer.name}/")
    return layers


def parts_of(layer) -> list:
    """Returns the layers that stand directly in a layer or model."""
    return list(layer._flatten_layers(include_self=False, recursive=False))


def is_known(layer) -> bool:
    """Says whether the table of layouts knows all weights of a layer that has some."""
    _, tensors = LAYERS.get(kind_of(layer), (None, {}))
    is_simple = kind_of(layer) != FOLDED or summed_axes(layer)
    return is_simple and bool(layer.weights) and {value.name for value in layer.weights} <= tensors.keys()


def summed_axes(layer) -> int:
    """Returns how many of the first axes of an EinsumDense's kernel are summed over; 0 where it is no matrix product.

    Its equation is such as `abc,cde->abde`: one axis is summed over, and the others stand last.
    """
    given, kernel, result = re.fullmatch(r"(.*),(.*)->(.*)", layer.equation.replace(" ", "")).groups()
    summed = "".join(axis for axis in kernel if axis not in result)
    count = len(summed)
    is_matrix = kernel.startswith(summed) and given.endswith(summed) and result.endswith(kernel[count:])
    return count if is_matrix else 0


def kind_of(layer) -> str:
    """Returns the kind of a layer: its class; that of the whole layer for a cell of a known kind, or an RNN of one."""
    name = type(layer.cell if type(layer) is keras.layers.RNN else layer).__name__
    kind = name.removesuffix("Cell")
    return kind if kind != name and kind in LAYERS else type(layer).__name__


def flattened_before(layer) -> tuple[int, ...]:
    """Returns the shape (H, W, C) that was flattened into the inputs of a Dense or random layer; or nothing.

    Layers that work on each value alone may stand between: activations, and what drops or adds by chance.
    """
    between = (keras.layers.Activation, keras.layers.ReLU, keras.layers.LeakyReLU, *CHANCE)
    nodes = layer._inbound_nodes if type(layer).__name__ == "Dense" or isinstance(layer, CHANCE) else []
    while nodes and len(nodes[-1].parent_nodes) == 1:
        node = nodes[-1].parent_nodes[0]
        if isinstance(node.operation, keras.layers.Flatten):
            shape = tuple(node.input_tensors[0].shape[1:])
            return shape if len(shape) > 1 else ()
        nodes = [node] if isinstance(node.operation, between) else []
    return ()


def describe_layers(model) -> list[Layer]:
    """Describes the layers from the model itself."""
    layers = []
    for layer in (layer for layer, *_ in layers_with_tensors(model) if type(layer).__name__ == "Dense"):
        activation = getattr(layer.activation, "__name__", type(layer.activation).__name__)
        layers.append(Layer(layer.name, type(layer).__name__, *layer.kernel.shape, activation, layer.count_params()))
    return layers


def variables_of(model, table: Table) -> dict:
    """Returns a model's variables by the table's paths.

    Raises:
        ValueError: the model is not built as the one that the table was made of.
    """
    variables = [variable for *_, own in layers_with_tensors(model) for variable in own]
    shapes = [tuple(variable.shape) for variable in variables]
    if shapes != [tensor.shape for tensor in table]:
        raise ValueError(f"the model has tensors of the shapes {shapes}, not {[tensor.shape for tensor in table]}")
    return {tensor.path: variable for tensor, variable in zip(table, variables, strict=True)}


def read_weights(model, table: Table) -> Arrays:
    """Copies a model's weights by path."""
    return {path: np.array(ops.convert_to_numpy(v)) for path, v in variables_of(model, table).items()}


def load_weights(model, table: Table, arrays: Arrays) -> None:
    """Fills a model's weights by path; what stateful layers keep from batch to batch begins anew.

    Raises:
        UserError: paths or shapes do not fit; nothing has been changed then.
    """
    check_fit(table, arrays)
    reset_states(model)
    for path, variable in variables_of(model, table).items():
        variable.assign(arrays[path])


def trained_paths(table: Table) -> list[str]:
    """Returns the paths of the tensors that the optimizer updates, in the order of Keras's trainable variables."""
    return [tensor.path for tensor in table if tensor.trained]


# Names that Keras's optimizers have for their moments, by the names that both sides use.
SLOTS = {
    "momentum": ("momentums", "_momentums", "_m"), "velocity": ("_velocities",), "norm": ("_u",),
    "accumulator": ("_accumulators", "_accumulated_grads"), "delta": ("_accumulated_delta_vars",),
}  # fmt: skip
AVERAGES = "_model_variables_moving_average"  # of the weights; no step depends on them
REFUSED = ("Ftrl",)  # optimizers of which neither PyTorch nor keras_like has any kind


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


def unknown_moments(model) -> dict[str, Arrays]:
    """Names an optimizer that keeps other moments than `SLOTS` between steps; what they are is not said."""
    optimizer = model.optimizer
    # of amsgrad; averages of weights; gradients that wait for an update: none where an epoch ends with one
    others = ["_velocity_hats", AVERAGES, "_accumulated_gradients"]
    names = [name for slot in SLOTS.values() for name in slot] + others
    known = [optimizer._iterations, optimizer._learning_rate, getattr(optimizer, "_u_product", None)]  # Nadam's
    for name in names:
        known += getattr(optimizer, name, None) or []
    is_known = {id(variable) for variable in known}.issuperset(map(id, optimizer.variables))
    return {} if is_known else {type(optimizer).__name__: {}}


def check_optimizer(model, what: str) -> None:
    """Checks that a compiled model's optimizer is one that a port can have.

    Raises:
        UserError: PyTorch has none of its kind.
    """
    kind = type(getattr(model, "optimizer", None)).__name__
    if kind in REFUSED:
        raise UserError(
            f"{what}: the model is compiled with {kind}, which PyTorch does not have: no port can train like it; "
            "compile it with an optimizer that both have, such as Adagrad"
        )


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
    model.optimizer._iterations.assign(step * (model.optimizer.gradient_accumulation_steps or 1))


def read_state(model) -> list[np.ndarray]:
    """Copies the optimizer's variables: step, rate, moments."""
    return [ops.convert_to_numpy(variable).copy() for variable in model.optimizer.variables]


def load_state(model, values: list[np.ndarray]) -> None:
    """Puts the optimizer's variables back."""
    for variable, value in zip(model.optimizer.variables, values, strict=True):
        variable.assign(value)


def initializer_of(layer, role: str) -> keras.initializers.Initializer | None:
    """Returns what a layer draws one of its tensors from; None where it does not say."""
    owner = layer.cell if type(layer) is keras.layers.RNN else layer
    names = (role, role.removesuffix("_kernel"), "depthwise")  # the last one's kernel is called as any other
    return next((found for name in names if (found := getattr(owner, f"{name}_initializer", None))), None)


def describe_initializer(value: keras.initializers.Initializer | None) -> dict:
    """Describes an initialiser by its class and numbers; one of a layer of one's own may not be known."""
    if not isinstance(value, keras.initializers.Initializer):
        return {"name": "unknown"}
    config = {key: item for key, item in value.get_config().items() if isinstance(item, int | float | str)}
    return {"name": type(value).__name__, **{key: item for key, item in config.items() if key != "seed"}}
