"""What a model's layers and its optimizer are set to, as far as it is numbers and words."""

import keras
import numpy as np
from keras import ops

from parity.adapters.keras import tensors
from parity.protocol.curves import POINTS

# Layers that do nothing but bend each value, or may.
BENDING = (
    keras.layers.Activation, keras.layers.ReLU, keras.layers.LeakyReLU, keras.layers.ELU, keras.layers.Lambda,
)  # fmt: skip


def of_layers(model) -> dict[str, dict]:
    """Returns of each layer, those inside of others too, its class (`class_name`) and its numbers and words, by path.

    Beside them stand `fed_by`, the paths of the layers it was last called with, where the model is a graph; and
    `curve`, what its activation makes of `parity.protocol.curves.POINTS`, where it bends each value by itself; and
    `constraints`, by variable, the class and the numbers of what its weights are held in.

    Args:
        model: built.
    """
    return dict(walk(model, ""))


def walk(layer, prefix: str):
    """Yields path and settings of all that stands in a layer or model, in the order of execution."""
    for part in tensors.parts_of(layer):
        more = {"fed_by": [f"{prefix}{name}" for name in feeding(part)], "curve": curve_of(part)}
        more["constraints"] = constraints_of(part)
        known = {name: value for name, value in more.items() if value}
        yield f"{prefix}{part.name}", {"class_name": type(part).__name__, **plain(part), **known}
        yield from walk(part, f"{prefix}{part.name}/")


def of_optimizer(model) -> dict:
    """Returns the class (`class_name`) and numbers of a compiled model's optimizer; nothing of one that is not."""
    if not (optimizer := getattr(model, "optimizer", None)):
        return {}
    return {"class_name": type(optimizer).__name__, **plain(optimizer)}


def plain(part) -> dict:
    """Returns the configuration of a layer or an optimizer without what is no number, word or nothing, or many."""
    try:
        config = part.get_config()
    except Exception:  # a class of one's own need not have one
        return {}
    return {name: listed(value) for name, value in config.items() if is_plain(value)}


def is_plain(value) -> bool:
    """Says whether a value is a number, a word, nothing, or several of these."""
    if isinstance(value, list | tuple):
        return all(map(is_plain, value))
    return isinstance(value, int | float | str | None)


def listed(value):
    """Returns a value with lists in the place of tuples."""
    return [listed(one) for one in value] if isinstance(value, list | tuple) else value


def constraints_of(layer) -> dict[str, dict]:
    """Returns the class (`class_name`) and numbers of the constraints of a layer's own variables, by their names."""
    if tensors.parts_of(layer):  # those of the layers inside stand there
        return {}
    held = {variable.name: variable.constraint for variable in layer.trainable_variables if variable.constraint}
    return {name: {"class_name": type(one).__name__, **plain(one)} for name, one in held.items()}


def feeding(layer) -> list[str]:
    """Returns the names of the layers that a layer was last called with; none where that is not a graph's."""
    nodes = getattr(layer, "_inbound_nodes", None) or []
    return [node.operation.name for node in nodes[-1].parent_nodes] if nodes else []


def curve_of(layer) -> list[float]:
    """Returns what a layer's activation makes of some numbers; nothing where it has none, or mixes them."""
    function = layer if isinstance(layer, BENDING) else getattr(layer, "activation", None)
    if not callable(function) or function is keras.activations.linear or isinstance(layer, keras.layers.RNN):
        return []
    try:
        whole, part = bent(function, POINTS), bent(function, POINTS[:3])
    except Exception:  # a function of one's own may take other shapes only
        return []
    is_alone = whole.shape == (len(POINTS),) and np.allclose(whole[:3], part, atol=1e-6)
    return whole.tolist() if is_alone and np.isfinite(whole).all() else []


def bent(function, points: tuple[float, ...]) -> np.ndarray:
    """Returns what a function makes of a row of numbers."""
    row = ops.convert_to_tensor(np.array([points], np.float32))
    return np.array(ops.convert_to_numpy(function(row)), np.float64).reshape(-1)
