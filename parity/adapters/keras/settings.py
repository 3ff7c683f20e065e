"""What a model's layers and its optimizer are set to, as far as it is numbers and words."""

from parity.adapters.keras import tensors


def of_layers(model) -> dict[str, dict]:
    """Returns of each layer, those inside of others too, its class (`class_name`) and its numbers and words, by path.

    Args:
        model: built.
    """
    return dict(walk(model, ""))


def walk(layer, prefix: str):
    """Yields path and settings of all that stands in a layer or model, in the order of execution."""
    for part in tensors.parts_of(layer):
        yield f"{prefix}{part.name}", {"class_name": type(part).__name__, **plain(part)}
        yield from walk(part, f"{prefix}{part.name}/")


def of_optimizer(model) -> dict:
    """Returns the class (`class_name`) and numbers of a compiled model's optimizer; nothing of one that is not."""
    if not (optimizer := getattr(model, "optimizer", None)):
        return {}
    return {"class_name": type(optimizer).__name__, **plain(optimizer)}


def plain(part) -> dict:
    """Returns the configuration of a layer or an optimizer without what is no number, word or nothing."""
    try:
        config = part.get_config()
    except Exception:  # a class of one's own need not have one
        return {}
    return {name: value for name, value in config.items() if isinstance(value, int | float | str | None)}
