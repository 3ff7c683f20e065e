"""What honest pairs are trained on: every target can be made, and a loss has what it is computed from."""

import numpy as np
import pytest

from parity.selftest.honest.data import BINARY, ROWS, draw_layout, objectives, outputs_of
from parity.selftest.honest.layers import Draw, Setting


@pytest.mark.parametrize("rows", ROWS, ids=lambda rows: rows.name)
def test_rows_and_targets_are_as_they_are_described(rows):
    from sklearn import datasets

    names = {"np": np, "datasets": datasets}
    exec("\n".join(rows.lines).format(seed=3, rows=60), names)
    assert names["x"].shape == (60, *rows.shape)
    assert names["x"].dtype == ("int64" if rows.words else "float32")
    if rows.words:
        assert names["x"].min() >= 0 and names["x"].max() < rows.words
    if rows.labels:
        labels = eval(rows.labels, names)
        assert labels.shape == (60,) and set(labels) <= set(range(rows.classes))
    if rows.values:
        assert eval(rows.values, names).shape == (60, rows.outputs)


@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_there_are_losses_of_every_kind(backend):
    words = next(rows for rows in ROWS if rows.words)
    drawn = objectives(words, Setting(backend))
    text = " ".join(one.keras for one in drawn)
    for name in ("from_logits=True", "sparse_categorical", "'categorical", "binary", "'mse'", "'mae'", "Huber"):
        assert name in text
    # what Keras clips, the port clips
    assert any("clip(" in one.loss for one in drawn) == (backend == "jax")
    assert {outputs_of(words, one) for one in drawn if one.targets == BINARY} == {1}


def test_inputs_are_laid_out_in_every_way():
    images = next(rows for rows in ROWS if rows.name == "digits")
    assert len({draw_layout(Draw(seed), images) for seed in range(60)}) == 5
    assert draw_layout(Draw(0), next(rows for rows in ROWS if rows.words)) == ("", "")
