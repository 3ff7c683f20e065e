"""What a compiled model's loss is made of: of each output the loss and its numbers, penalties, weights of classes."""

import keras

from parity.adapters.keras import settings, tensors
from parity.protocol.tensors import Table


def describe(model: keras.Model, losses: dict[str, object], table: Table, class_weight: dict | None) -> dict:
    """Describes the loss of a model; nothing of one that is not compiled.

    Args:
        model: built.
        losses: as they were given to `compile`, by the outputs' names, an empty one where there is one output.
        table: its tensors.
        class_weight: that `fit` is given.
    """
    if not model.compiled:
        return {}
    return {
        "outputs": {name: of_loss(loss) for name, loss in losses.items() if loss is not None},
        "loss_weights": weights_of(model, list(losses)),
        "penalties": penalties(model, table),
        "class_weight": {str(one): float(weight) for one, weight in (class_weight or {}).items()},
    }


def weights_of(model: keras.Model, names: list[str]) -> dict[str, float]:
    """Returns what the loss of each output counts, where `compile` was told; of a model that can tell.

    Args:
        model: compiled.
        names: of its outputs, in order.
    """
    try:
        given = (model.get_compile_config() or {}).get("loss_weights")
    except Exception:  # a user's own loss may have no configuration
        return {}
    if isinstance(given, list | tuple):
        given = dict(zip(names, given, strict=False))
    return {name: float(weight) for name, weight in given.items()} if isinstance(given, dict) else {}


def of_loss(loss: object) -> dict:
    """Returns a loss's class (`class_name`) and numbers; a function is called as the class that computes the same."""
    if isinstance(loss, str):
        loss = keras.losses.get(loss)
    if isinstance(loss, keras.losses.Loss):
        given = getattr(loss, "_fn_kwargs", {})  # Huber's delta does not stand in its configuration
        numbers = {name: value for name, value in given.items() if isinstance(value, int | float | str)}
        return {"class_name": type(loss).__name__, **numbers, **settings.plain(loss)}
    name = getattr(loss, "__name__", type(loss).__name__)
    return {"class_name": "".join(f"{word[:1].upper()}{word[1:]}" for word in name.split("_"))}


def penalties(model: keras.Model, table: Table) -> dict[str, dict[str, float]]:
    """Returns what regularizers add to the loss: of each tensor that has one the factors `l1` and `l2`, by path.

    One of another kind has none of the two.
    """
    variables = [one for _, _, own in tensors.layers_with_tensors(model) for one in own]
    found = {}
    for tensor, variable in zip(table, variables, strict=True):
        if regularizer := getattr(variable, "regularizer", None):
            config = settings.plain(regularizer)
            found[tensor.path] = {name: float(config[name]) for name in ("l1", "l2") if config.get(name)}
    return found
