"""Differences between recurrent layers, by hand."""

import math

import numpy as np
import pytest

from parity.traps.layers.catalogue.recurrent import DIFFERENCES
from parity.traps.layers.layouts import draw_input, draw_weights, table_of

ENTRY = {entry.id: entry for entry in DIFFERENCES}
X = draw_input(2, 5, 3).astype(float)


def sigmoid(x):
    """Returns 1 / (1 + exp(-x))."""
    return 1 / (1 + np.exp(-x))


def hard_sigmoid(x):
    """Returns Keras 3's."""
    return np.clip(x / 6 + 0.5, 0, 1)


def lstm(x, gate=sigmoid, lengths=(5, 5)):
    """Returns the outputs (N, steps, units) of an LSTM whose state is carried on behind the lengths."""
    kernel, recurrent, bias = draw_weights(table_of("LSTM")).values()
    h = c = np.zeros((len(x), 4))
    outputs = []
    for step in range(x.shape[1]):
        i, f, g, o = np.split(x[:, step] @ kernel + h @ recurrent + bias, 4, axis=1)
        new = gate(f) * c + gate(i) * np.tanh(g)
        is_kept = step < np.array(lengths)[:, None]
        h, c = np.where(is_kept, gate(o) * np.tanh(new), h), np.where(is_kept, new, c)
        outputs.append(h)
    return np.stack(outputs, axis=1)


def test_two_biases_step_twice_as_far():
    assert ENTRY["second-bias"].size == ENTRY["second-bias"].largest


def test_initial_weights_by_hand():
    glorot, own = math.sqrt(6 / (32 + 4 * 64)) / math.sqrt(3), 1 / math.sqrt(64) / math.sqrt(3)
    assert ENTRY["recurrent-kernel-start"].largest == pytest.approx(glorot, rel=0.05)
    assert ENTRY["recurrent-kernel-start"].size == pytest.approx(glorot - own, rel=0.1)
    assert ENTRY["recurrent-start"].largest == 1  # orthogonal
    assert ENTRY["forget-gate"].largest == 1 and ENTRY["forget-gate"].size == pytest.approx(1, rel=0.05)


def test_other_gates_by_hand():
    gap = np.abs(lstm(X, hard_sigmoid) - lstm(X)).max()
    assert ENTRY["recurrent-activation"].size == pytest.approx(gap, rel=0.05)


def test_masks_by_hand():
    masked, whole = lstm(X, lengths=(3, 5)), lstm(X)
    assert ENTRY["mask-ignored"].size == pytest.approx(np.abs(masked - whole)[:, -1].max(), rel=0.05)
    zeros = masked * (np.arange(5) < np.array([[3], [5]]))[..., None]
    assert ENTRY["mask-outputs"].size == pytest.approx(np.abs(masked - zeros).max(), rel=0.05)


def test_backward_outputs_by_hand():
    backwards = lstm(X[:, ::-1])
    assert ENTRY["go-backwards"].size == pytest.approx(np.abs(backwards - backwards[:, ::-1]).max(), rel=0.05)


def test_a_grus_gates_and_its_reset_by_hand():
    def gru(kind, is_reset_after, order=(0, 1, 2)):
        kernel, recurrent, bias = (
            np.concatenate([np.split(one, 3, axis=-1)[gate] for gate in order], axis=-1)
            for one in draw_weights(table_of(kind)).values()
        )
        ours, theirs = bias if bias.ndim == 2 else (bias, np.zeros_like(bias))
        h, outputs = np.zeros((2, 4)), []
        for step in range(5):
            x_z, x_r, x_h = np.split(X[:, step] @ kernel + ours, 3, axis=1)
            h_z, h_r, h_h = np.split(h @ recurrent + theirs, 3, axis=1)
            z, r = sigmoid(x_z + h_z), sigmoid(x_r + h_r)
            n = np.tanh(x_h + (r * h_h if is_reset_after else (r * h) @ recurrent[:, 8:]))
            h = z * h + (1 - z) * n
            outputs.append(h)
        return np.stack(outputs)

    gap = np.abs(gru("GRU", True) - gru("GRU", True, (1, 0, 2))).max()
    assert ENTRY["gru-gates"].size == pytest.approx(gap, rel=0.05)
    gap = np.abs(gru("GRU, reset_after=False", False) - gru("GRU, reset_after=False", True)).max()
    assert ENTRY["gru-reset-before"].size == pytest.approx(gap, rel=0.05)


def test_features_that_are_dropped_in_all_steps_by_hand():
    x = draw_input(1, 5, 3).astype(float)
    kept = np.array(list(np.ndindex(2, 2, 2)))  # every feature is there, and twice as large, or is not
    last = lstm(2 * x * kept[:, None, :], lengths=[5] * 8)[:, -1]
    assert ENTRY["recurrent-dropout"].largest == pytest.approx(last.std(axis=0).max(), rel=0.05)
    assert ENTRY["recurrent-dropout"].size == ENTRY["recurrent-dropout"].largest  # of one layer, nothing is dropped
