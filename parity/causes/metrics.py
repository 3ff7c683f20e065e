"""Hypotheses about an epoch's batches and means."""

from collections.abc import Iterator

import numpy as np

from parity.causes.found import Evidence, Found, explained
from parity.checks import under


def of_metrics(evidence: Evidence) -> Iterator[Found]:
    """Tests how an epoch's loss may have been averaged, from the candidate's own batch losses."""
    epochs = under(evidence.reference.arrays, "batches/")
    rows = [epochs[str(epoch)][:, 0] for epoch in range(len(epochs))]
    sums, losses = evidence.candidate.arrays["sums"], evidence.candidate.arrays["losses"]
    expected = np.concatenate([epochs[str(epoch)] for epoch in range(len(epochs))])
    if sums.shape != expected.shape:
        each = len(expected) // len(epochs)
        if len(sums) == len(expected) - len(epochs):
            kept = np.concatenate([expected[e * each : (e + 1) * each - 1] for e in range(len(epochs))])
            share = 0.99 if np.array_equal(kept, sums) else 0.0
            yield Found(
                "drop-last",
                "the last, smaller batch is dropped",
                "every sample, every epoch",
                "floor(N / batch) batches",
                share,
            )
        return
    if (expected != sums).any():
        same = np.array_equal(np.sort(expected.view("f8,f8,f8,f8").ravel()), np.sort(sums.view("f8,f8,f8,f8").ravel()))
        count = int((expected != sums).any(axis=1).sum())
        if same:
            yield Found(
                "batch-order",
                f"the same batches in another order ({count} at other places)",
                "the prescribed order",
                "batches exchanged",
                0.99,
            )
        if np.array_equal(expected[:, [0, 2]], sums[:, [0, 2]]) and (expected[:, 1] != sums[:, 1]).any():
            yield Found("labels-changed", "the same images with other labels", "y", "y with other values", 0.99)
        return
    parts = np.split(losses, [len(rows[0])])
    keras, reference = "sum(n_i l_i) / sum(n_i)", evidence.reference.arrays["curve/loss"]
    candidate = evidence.candidate.arrays["curve/loss"]
    own = np.array([float(part @ n / n.sum()) for part, n in zip(parts, rows, strict=True)])
    hypotheses = {
        "mean-of-means": ("a mean of batch means", "sum(l_i) / batches", [part.mean() for part in parts]),
        "last-batch-loss": ("the last batch's loss", "l_last", [part[-1] for part in parts]),
        "loss-total": ("a sum of batch losses", "sum(l_i)", [part.sum() for part in parts]),
        "not-reset": ("a mean that is not reset between epochs", "over all epochs so far",
                      [own[0], float(losses @ np.concatenate(rows) / np.concatenate(rows).sum())]),
    }  # fmt: skip
    for cause, (title, formula, values) in hypotheses.items():
        predicted = reference + np.array(values) - own
        yield Found(
            cause, f"the logged training loss is {title}", keras, formula, explained(candidate, reference, predicted)
        )
