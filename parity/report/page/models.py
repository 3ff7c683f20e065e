"""The two models of a report: their layers, their first weights as pictures, and what the page can run."""

import base64

import numpy as np

from parity import mlp
from parity.protocol.records import Record
from parity.report.page import images

ACTIVATIONS = ("relu", "sigmoid", "tanh")
SAME = 1e-4  # what the page's own network may differ from what the framework predicted


def trained(parts: dict[str, Record]) -> dict[str, np.ndarray]:
    """Returns the weights that a side ended with, by path; none if it did not train."""
    return parts["lockstep"].final if "lockstep" in parts else {}


def first_layer(keras: dict[str, Record], lightning: dict[str, Record]) -> dict | None:
    """Draws both first layers and their difference; None where they cannot be laid side by side.

    Returns:
        the pictures' addresses; the weight and the difference that are drawn in full colour; how many neurons there
        are, and how many of them are shown.
    """
    ours, theirs = (next(iter(trained(parts).values()), None) for parts in (keras, lightning))
    if ours is None or theirs is None or ours.shape != theirs.shape or len(ours) != 784:
        return None
    if not (np.isfinite(ours).all() and np.isfinite(theirs).all()):
        return None
    largest, gap = float(max(np.abs(ours).max(), np.abs(theirs).max())), float(np.abs(ours - theirs).max())
    drawn = {"keras": (ours, largest), "lightning": (theirs, largest), "difference": (theirs.astype(float) - ours, gap)}
    pictures = {name: images.encode_png(images.draw_tiles(*kernel)) for name, kernel in drawn.items()}
    neurons = ours.shape[1]
    return pictures | {"largest": largest, "gap": gap, "neurons": neurons, "shown": min(neurons, images.MOST_TILES)}


def layers(report: dict) -> list[dict]:
    """Returns the layer tables, a side each: the rows that a framework's `summary()` prints."""
    return [
        {"title": title, "layers": side["layers"], "parameters": side["parameters"]}
        for name, title in (("keras", "Keras"), ("lightning", "Lightning"))
        if (side := report["sides"][name])
    ]


def network(title: str, style: str, layers: list[dict], parts: dict[str, Record], seen: dict) -> dict | None:
    """Returns a trained network as the page runs it; None if the page would answer otherwise than the framework.

    Args:
        title, style: the side's name, for people and for colours.
        layers: as the report describes them.
        parts: the side's records.
        seen: `images` (N, 784) uint8 and `probabilities` (N, classes) that the framework predicted for them.
    """
    weights = trained(parts)
    hidden = {layer["activation"] for layer in layers[:-1]}
    if len(weights) != 2 * len(layers) or len(hidden) != 1 or not hidden <= set(ACTIVATIONS):
        return None
    activation = hidden.pop()
    few = seen["images"][:200] / np.float32(255)
    answered = mlp.probabilities(activation, weights, few)
    if not np.abs(answered - seen["probabilities"][:200]).max() <= SAME:
        return None
    return {
        "title": title,
        "style": style,
        "activation": activation,
        "layers": [
            dict(zip(("inputs", "outputs"), weights[kernel].shape, strict=True))
            | {"kernel": packed(weights[kernel]), "bias": packed(weights[bias])}
            for kernel, bias in mlp.layers_of(weights)
        ],
    }


def packed(array: np.ndarray) -> str:
    """Returns an array's values as little-endian float32, in base64."""
    return base64.b64encode(np.ascontiguousarray(array, "<f4").tobytes()).decode()
