"""Recurrent layers of a Keras model that cannot be compared."""

from mlp_spec.support.errors import UserError
from parity.adapters.keras import tensors


def check_stateless(model, what: str) -> None:
    """Checks that no layer goes on from the batch before: single batches could not be compared, nor put in any order.

    Args:
        model: any.
        what: how it is called in a message.

    Raises:
        UserError: a layer is stateful; names it.
    """
    if names := [layer.name for layer in recurrent_layers(model) if layer.stateful]:
        advice = "return it with stateful=False: all but the states between batches is compared then"
        raise UserError(f"{what} a model with stateful layers ({', '.join(names)}); {advice}")


def recurrent_layers(model) -> list:
    """Returns the layers that may be stateful, those inside of others too."""
    inside = [layer for part in tensors.parts_of(model) for layer in (part, *recurrent_layers(part))]
    return [layer for layer in dict.fromkeys(inside) if hasattr(layer, "stateful")]
