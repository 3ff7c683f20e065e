"""Hypotheses about an epoch's batches and means."""

from collections.abc import Iterator

import numpy as np

from parity.causes.found import Evidence, Found, explained
from parity.rungs.check import under


def of_metrics(evidence: Evidence) -> Iterator[Found]:
    """Tests which batches were trained, or else how an epoch's loss may have been averaged."""
    batches = under(evidence.reference.arrays, "batches/")
    epochs = [batches[str(epoch)] for epoch in range(len(batches))]
    expected, sums = np.concatenate(epochs), evidence.candidate.arrays["sums"]
    if sums.shape != expected.shape:
        yield from of_count(epochs, sums)
    elif (expected != sums).any():
        yield from of_order(expected, sums)
    else:
        yield from of_means(evidence, [epoch[:, 0] for epoch in epochs])


def of_count(epochs: list[np.ndarray], sums: np.ndarray) -> Iterator[Found]:
    """Tests whether every epoch's last batch is missing."""
    expected = sum(map(len, epochs))
    each = expected // len(epochs)
    if len(sums) == expected - len(epochs):
        kept = np.concatenate([epoch[: each - 1] for epoch in epochs])
        share = 0.99 if np.array_equal(kept, sums) else 0.0
        yield Found.of("drop-last", "the last, smaller batch is dropped", share)


def of_order(expected: np.ndarray, sums: np.ndarray) -> Iterator[Found]:
    """Tests whether batches are exchanged, or labels changed, by each batch's four sums."""
    same = np.array_equal(np.sort(expected.view("f8,f8,f8,f8").ravel()), np.sort(sums.view("f8,f8,f8,f8").ravel()))
    count = int((expected != sums).any(axis=1).sum())
    if same:
        yield Found.of("batch-order", f"the same batches in another order ({count} at other places)", 0.99)
    if np.array_equal(expected[:, [0, 2]], sums[:, [0, 2]]) and (expected[:, 1] != sums[:, 1]).any():
        yield Found.of("labels-changed", "the same images with other labels", 0.99)


def of_means(evidence: Evidence, rows: list[np.ndarray]) -> Iterator[Found]:
    """Tests how an epoch's loss may have been averaged, from the candidate's own batch losses.

    Args:
        evidence: recordings of the part `metrics`.
        rows: samples of each batch, by epoch.
    """
    losses = evidence.candidate.arrays["losses"]
    parts = np.split(losses, [len(rows[0])])
    reference, candidate = (side.arrays["curve/loss"] for side in (evidence.reference, evidence.candidate))
    own = np.array([float(part @ n / n.sum()) for part, n in zip(parts, rows, strict=True)])
    so_far = float(losses @ np.concatenate(rows) / np.concatenate(rows).sum())
    hypotheses = {
        "mean-of-means": ("a mean of batch means", [part.mean() for part in parts]),
        "last-batch-loss": ("the last batch's loss", [part[-1] for part in parts]),
        "loss-total": ("a sum of batch losses", [part.sum() for part in parts]),
        "not-reset": ("a mean that is not reset between epochs", [own[0], so_far]),
    }
    for cause, (title, values) in hypotheses.items():
        share = explained(candidate, reference, reference + np.array(values) - own)
        yield Found.of(cause, f"the logged training loss is {title}", share)
