"""Hypotheses about pixels, labels, their order, and the layers."""

from collections.abc import Iterator

import numpy as np

from parity.causes.found import Evidence, Found, explained

SCALINGS = {
    "pixels-unscaled": (255.0, 0.0, "x in 0 ... 255"),
    "pixels-256": (255 / 256, 0.0, "x / 256"),
    "pixels-centred": (2.0, -1.0, "(x / 255 - .5) / .5"),
    "pixels-standardised": (1 / 0.3081, -0.1307 / 0.3081, "(x / 255 - .1307) / .3081"),
    "pixels-inverted": (-1.0, 1.0, "1 - x / 255"),
}


def of_facts(evidence: Evidence) -> Iterator[Found]:
    """Tests what may have happened to pixels, labels and their order."""
    both = [side.metadata["data"] for side in (evidence.reference, evidence.candidate)]
    ours, theirs = (side["train"] for side in both)
    keras = "float32(x) / 255"
    reference = np.array([*ours["image_range"], ours["image_mean"]])
    candidate = np.array([*theirs["image_range"], theirs["image_mean"]])
    for cause, (factor, shift, formula) in SCALINGS.items():
        predicted = factor * reference + shift
        if factor < 0:
            predicted = predicted[[1, 0, 2]]
        yield Found(
            cause,
            f"another scaling of the pixels: {formula}",
            keras,
            formula,
            explained(candidate, reference, predicted),
        )
    alike = np.allclose(reference, candidate, rtol=1e-6, atol=0) and ours["samples"] == theirs["samples"]
    if alike and ours["label_counts"] == theirs["label_counts"]:
        labels, images = (ours[key] != theirs[key] for key in ("label_sha256", "image_sha256"))
        if labels and images:
            yield Found(
                "own-order",
                "the data module goes its own way through the samples",
                "the prescribed order",
                "an order of its own",
                0.99,
            )
        elif images and reference[2] != candidate[2]:
            yield Found("pixels-reciprocal", "pixels multiplied by 1/255", keras, "x * float32(1 / 255)", 0.99)
        elif images:
            yield Found(
                "pixels-moved", "the same pixels at other places of the image", "row by row", "transposed", 0.99
            )
    if alike and ours["image_sha256"] == theirs["image_sha256"] and ours["label_sha256"] != theirs["label_sha256"]:
        changed = int(np.abs(np.subtract(ours["label_counts"], theirs["label_counts"])).sum()) // 2
        yield Found(
            "labels-changed",
            f"the same images with other labels (at least {changed} changed class)",
            "y",
            "y with other values",
            0.99,
        )
    test, train = both[1]["test"], both[0]["train"]
    if test["samples"] == train["samples"] or test["image_sha256"] == train["image_sha256"]:
        yield Found("validation-data", "validation on the training data", "x_test", "x_train", 0.99)
    yield from of_layers(evidence)


def of_layers(evidence: Evidence) -> Iterator[Found]:
    """Tests the activations that were read from both models."""
    ours, theirs = (
        [layer["activation"] for layer in side.metadata["layers"]] for side in (evidence.reference, evidence.candidate)
    )
    if len(ours) == len(theirs) and ours != theirs:
        cause = "softmax-twice" if ours[:-1] == theirs[:-1] else "activation"
        yield Found(
            cause,
            f"activations {', '.join(theirs)} in place of {', '.join(ours)}",
            ", ".join(ours),
            ", ".join(theirs),
            0.99,
        )
