"""Hypotheses about pixels, labels, their order, and the layers."""

from collections.abc import Iterator

import numpy as np

from parity.causes.found import Evidence, Found, explained
from parity.traps.catalogue import TRAPS

# factor and shift of the right pixels
SCALINGS = {
    "pixels-unscaled": (255.0, 0.0),
    "pixels-256": (255 / 256, 0.0),
    "pixels-centred": (2.0, -1.0),
    "pixels-standardised": (1 / 0.3081, -0.1307 / 0.3081),
    "pixels-inverted": (-1.0, 1.0),
}


def of_facts(evidence: Evidence) -> Iterator[Found]:
    """Tests what may have happened to pixels, labels and their order."""
    both = [side.metadata["data"] for side in (evidence.reference, evidence.candidate)]
    ours, theirs = (side["train"] for side in both)
    reference, candidate = (np.array([*side["image_range"], side["image_mean"]]) for side in (ours, theirs))
    yield from of_scalings(reference, candidate)
    if np.allclose(reference, candidate, rtol=1e-6, atol=0) and ours["samples"] == theirs["samples"]:
        yield from of_order(ours, theirs)
        yield from of_labels(ours, theirs)
    test = both[1]["test"]
    if test["samples"] == ours["samples"] or test["image_sha256"] == ours["image_sha256"]:
        yield Found.of("validation-data", "validation on the training data", 0.99)
    yield from of_layers(evidence)


def of_scalings(reference: np.ndarray, candidate: np.ndarray) -> Iterator[Found]:
    """Tests scalings of the pixels by what they make of smallest value, largest value and mean."""
    for cause, (factor, shift) in SCALINGS.items():
        predicted = factor * reference + shift
        if factor < 0:
            predicted = predicted[[1, 0, 2]]
        title = f"another scaling of the pixels: {TRAPS[cause].other}"
        yield Found.of(cause, title, explained(candidate, reference, predicted))


def of_order(ours: dict, theirs: dict) -> Iterator[Found]:
    """Tests what leaves pixels and the count of every label as they are, but for rounding."""
    if ours["label_counts"] != theirs["label_counts"]:
        return
    labels, images = (ours[key] != theirs[key] for key in ("label_sha256", "image_sha256"))
    if labels and images:
        yield Found.of("own-order", "the data module goes its own way through the samples", 0.99)
    elif images and ours["image_mean"] != theirs["image_mean"]:
        yield Found.of("pixels-reciprocal", "pixels multiplied by 1/255", 0.99)
    elif images:
        yield Found.of("pixels-moved", "the same pixels at other places of the image", 0.99)


def of_labels(ours: dict, theirs: dict) -> Iterator[Found]:
    """Tests whether the same images have other labels."""
    if ours["image_sha256"] == theirs["image_sha256"] and ours["label_sha256"] != theirs["label_sha256"]:
        changed = int(np.abs(np.subtract(ours["label_counts"], theirs["label_counts"])).sum()) // 2
        title = f"the same images with other labels (at least {changed} changed class)"
        yield Found.of("labels-changed", title, 0.99)


def of_layers(evidence: Evidence) -> Iterator[Found]:
    """Tests the activations that were read from both models."""
    ours, theirs = (
        [layer["activation"] for layer in side.metadata["layers"]] for side in (evidence.reference, evidence.candidate)
    )
    if len(ours) == len(theirs) and ours != theirs:
        cause = "softmax-twice" if ours[:-1] == theirs[:-1] else "activation"
        title = f"activations {', '.join(theirs)} in place of {', '.join(ours)}"
        yield Found.of(cause, title, 0.99, ", ".join(ours), ", ".join(theirs))
