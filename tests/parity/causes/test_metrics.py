"""Causes of other means: how an epoch's loss may have been averaged, from the candidate's own batch losses."""

from dataclasses import replace

import numpy as np
import pytest
from sample_causes import make_evidence, named, sound_evidence
from sample_records import make_means

from parity.causes.metrics import search

REFERENCE, CANDIDATE = make_means()
ROWS = [batches[:, 0] for batches in REFERENCE.batches]
LOSSES = np.split(CANDIDATE.losses, 2)
MEANS = [float(losses @ rows / rows.sum()) for losses, rows in zip(LOSSES, ROWS, strict=True)]


def evidence(loss, sums=CANDIDATE.sums):
    curves = {**CANDIDATE.curves, "loss": np.array(loss)}
    return make_evidence(REFERENCE, replace(CANDIDATE, curves=curves, sums=sums))


def test_means_that_agree_have_no_cause():
    assert named(search, sound_evidence("metrics")) is None


PLANTED = {
    "mean-of-means": [losses.mean() for losses in LOSSES],
    "last-batch-loss": [losses[-1] for losses in LOSSES],
    "loss-total": [losses.sum() for losses in LOSSES],
    "not-reset": [MEANS[0], float(np.dot(MEANS, [rows.sum() for rows in ROWS]) / sum(rows.sum() for rows in ROWS))],
}


@pytest.mark.parametrize("cause", PLANTED)
def test_a_planted_average_is_named(cause):
    assert named(search, evidence(PLANTED[cause])) == cause


def test_another_average_has_no_cause():
    assert named(search, evidence([mean * 2 for mean in MEANS])) is None


def test_where_other_batches_were_trained_nothing_is_said():
    assert list(search(evidence(PLANTED["mean-of-means"], CANDIDATE.sums[:-1]))) == []
    assert list(search(evidence(PLANTED["mean-of-means"], CANDIDATE.sums + 1))) == []
