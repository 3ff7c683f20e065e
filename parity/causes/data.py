"""Hypotheses about pixels, labels, batches and their order."""

from collections.abc import Iterator

import numpy as np

from parity.causes.hypothesis import Evidence, Hypothesis, share_explained
from parity.traps.catalogue import TRAPS

# factor and shift of the right pixels
SCALINGS = {
    "pixels-unscaled": (255.0, 0.0),
    "pixels-256": (255 / 256, 0.0),
    "pixels-centred": (2.0, -1.0),
    "pixels-standardised": (1 / 0.3081, -0.1307 / 0.3081),
    "pixels-inverted": (-1.0, 1.0),
}


def search(evidence: Evidence) -> Iterator[Hypothesis]:
    """Tests what may have happened to pixels, labels and their order."""
    ours, theirs = (facts.data["train"] for facts in (evidence.reference, evidence.candidate))
    reference, candidate = (np.array([*side["image_range"], side["image_mean"]]) for side in (ours, theirs))
    yield from search_scalings(reference, candidate)
    if np.allclose(reference, candidate, rtol=1e-6, atol=0) and ours["samples"] == theirs["samples"]:
        yield from search_order(ours, theirs)
        yield from search_labels(ours, theirs)
    test = evidence.candidate.data["test"]
    if test["samples"] == ours["samples"] or test["image_sha256"] == ours["image_sha256"]:
        yield Hypothesis.of("validation-data", "validation on the training data", 0.99)


def search_scalings(reference: np.ndarray, candidate: np.ndarray) -> Iterator[Hypothesis]:
    """Tests scalings of the pixels by what they make of smallest value, largest value and mean."""
    for cause, (factor, shift) in SCALINGS.items():
        predicted = factor * reference + shift
        if factor < 0:
            predicted = predicted[[1, 0, 2]]
        title = f"another scaling of the pixels: {TRAPS[cause].port}"
        yield Hypothesis.of(cause, title, share_explained(candidate, reference, predicted))


def search_order(ours: dict, theirs: dict) -> Iterator[Hypothesis]:
    """Tests what leaves pixels and the count of every label as they are, but for rounding."""
    if ours["label_counts"] != theirs["label_counts"]:
        return
    labels, images = (ours[key] != theirs[key] for key in ("label_sha256", "image_sha256"))
    if labels and images:
        yield Hypothesis.of("own-order", "the data module goes its own way through the samples", 0.99)
    elif images and ours["image_mean"] != theirs["image_mean"]:
        yield Hypothesis.of("pixels-reciprocal", "pixels multiplied by 1/255", 0.99)
    elif images:
        yield Hypothesis.of("pixels-moved", "the same pixels at other places of the image", 0.99)


def search_labels(ours: dict, theirs: dict) -> Iterator[Hypothesis]:
    """Tests whether the same images have other labels."""
    if ours["image_sha256"] == theirs["image_sha256"] and ours["label_sha256"] != theirs["label_sha256"]:
        changed = int(np.abs(np.subtract(ours["label_counts"], theirs["label_counts"])).sum()) // 2
        title = f"the same images with other labels (at least {changed} changed class)"
        yield Hypothesis.of("labels-changed", title, 0.99)


def search_batches(evidence: Evidence) -> Iterator[Hypothesis]:
    """Tests which batches were trained, where they are not the prescribed ones."""
    epochs, sums = evidence.reference.batches, evidence.candidate.sums
    expected = np.concatenate(epochs)
    if sums.shape != expected.shape:
        yield from search_count(epochs, sums)
    elif (expected != sums).any():
        yield from search_batch_order(expected, sums)


def search_count(epochs: list[np.ndarray], sums: np.ndarray) -> Iterator[Hypothesis]:
    """Tests whether every epoch's last batch is missing."""
    expected = sum(map(len, epochs))
    each = expected // len(epochs)
    if len(sums) == expected - len(epochs):
        kept = np.concatenate([epoch[: each - 1] for epoch in epochs])
        share = 0.99 if np.array_equal(kept, sums) else 0.0
        yield Hypothesis.of("drop-last", "the last, smaller batch is dropped", share)


def search_batch_order(expected: np.ndarray, sums: np.ndarray) -> Iterator[Hypothesis]:
    """Tests whether batches are exchanged, or labels changed, by each batch's four sums."""
    same = np.array_equal(np.sort(expected.view("f8,f8,f8,f8").ravel()), np.sort(sums.view("f8,f8,f8,f8").ravel()))
    count = int((expected != sums).any(axis=1).sum())
    if same:
        yield Hypothesis.of("batch-order", f"the same batches in another order ({count} at other places)", 0.99)
    if np.array_equal(expected[:, [0, 2]], sums[:, [0, 2]]) and (expected[:, 1] != sums[:, 1]).any():
        yield Hypothesis.of("labels-changed", "the same images with other labels", 0.99)
