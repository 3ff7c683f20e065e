"""Hypotheses about an epoch's means."""

from collections.abc import Iterator

import numpy as np

from parity.causes.hypothesis import Evidence, Hypothesis, share_explained


def search(evidence: Evidence) -> Iterator[Hypothesis]:
    """Tests how an epoch's loss may have been averaged, from the candidate's own batch losses."""
    expected, sums = np.concatenate(evidence.reference.batches), evidence.candidate.sums
    if sums.shape != expected.shape or (expected != sums).any():
        return  # other batches were trained
    rows = [batches[:, 0] for batches in evidence.reference.batches]  # samples of each batch, by epoch
    losses = evidence.candidate.losses
    parts = np.split(losses, [len(rows[0])])
    reference, candidate = (means.curves["loss"] for means in (evidence.reference, evidence.candidate))
    own = np.array([float(part @ n / n.sum()) for part, n in zip(parts, rows, strict=True)])
    so_far = float(losses @ np.concatenate(rows) / np.concatenate(rows).sum())
    hypotheses = {
        "mean-of-means": ("a mean of batch means", [part.mean() for part in parts]),
        "last-batch-loss": ("the last batch's loss", [part[-1] for part in parts]),
        "loss-total": ("a sum of batch losses", [part.sum() for part in parts]),
        "not-reset": ("a mean that is not reset between epochs", [own[0], so_far]),
    }
    for cause, (title, values) in hypotheses.items():
        share = share_explained(candidate, reference, reference + np.array(values) - own)
        yield Hypothesis.of(cause, f"the logged training loss is {title}", share)
