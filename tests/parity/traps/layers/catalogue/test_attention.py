"""Differences between attentions, by hand."""

import math

import numpy as np
import pytest

from parity.traps.layers.catalogue.attention import DIFFERENCES, SIZES
from parity.traps.layers.layouts import draw_input, draw_weights, table_of

ENTRY = {entry.id: entry for entry in DIFFERENCES}
X = draw_input(2, 5, 6).astype(float)


def attend(query, value, key, mask=None):
    """Computes Keras's attention; the mask is True where a query sees a key."""
    weights = {path.partition("/")[2]: one for path, one in draw_weights(table_of("MultiHeadAttention", SIZES)).items()}
    parts = {"query": query, "key": key, "value": value}
    q, k, v = (
        np.einsum("nte,ehd->nhtd", given, weights[f"{name}/kernel"]) + weights[f"{name}/bias"][:, None]
        for name, given in parts.items()
    )
    logits = q @ np.swapaxes(k, -1, -2) / math.sqrt(3)
    powers = np.exp(logits) * (1 if mask is None else mask)
    heads = powers / powers.sum(-1, keepdims=True) @ v
    out = np.einsum("nhtd,hde->nte", heads, weights["attention_output/kernel"])
    return out + weights["attention_output/bias"]


def test_the_order_of_inputs_by_hand():
    gap = np.abs(attend(X, X[:, ::-1], 2 * X) - attend(X, 2 * X, X[:, ::-1])).max()
    assert ENTRY["attention-order"].size == pytest.approx(gap, rel=0.05)


def test_a_mask_that_is_not_inverted_by_hand():
    seen = np.arange(5) > np.zeros((5, 1))
    gap = np.abs(attend(X, X, X, seen) - attend(X, X, X, ~seen)).max()
    assert ENTRY["attention-mask"].size == pytest.approx(gap, rel=0.05)


def test_initial_kernels_by_hand():
    ours = math.sqrt(6 / 128) / math.sqrt(3)
    theirs = math.sqrt(6 / (64 + 3 * 64)) / math.sqrt(3), 1 / math.sqrt(64) / math.sqrt(3)
    assert ENTRY["attention-start"].largest == pytest.approx(ours, rel=0.05)
    assert ENTRY["attention-start"].size == pytest.approx(ours - min(theirs), rel=0.05)
