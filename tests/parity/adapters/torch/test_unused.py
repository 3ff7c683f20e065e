"""Tensors that Keras is not given: a step that takes notice of one is refused, any other runs."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mlp_spec.support.errors import UserError
from parity.adapters.torch import unused
from parity.adapters.torch.unused import changed, check_unused, repeated


def test_known_rows_are_repeated():
    assert repeated(torch.tensor([1, 2, 3]), 5).tolist() == [1, 2, 3, 1, 2]


@pytest.mark.parametrize("values", [[1, 2, 3], [5, 5], [0.0, 0.0], [[1, 0], [1, 0]]])
def test_other_rows_are_others(values):
    values = torch.tensor(values)
    assert changed(values).shape == values.shape and not torch.equal(changed(values), values)


@pytest.mark.parametrize("loss", [lambda values: values.sum(), lambda values: None, lambda values: values[0]])
def test_only_what_changes_no_loss_may_stand_in_a_batch(loss, monkeypatch):
    rows = SimpleNamespace(unused={2: torch.tensor([1.0, 2.0])}, refusal=lambda tensor: "refused")
    arrays = dict.fromkeys(("x_train", "y_train"), np.zeros(4))
    served = {"batch_size": 2, "batch_of": lambda x, y: rows.unused[2], "build": lambda: torch.nn.Linear(1, 1)}
    side = SimpleNamespace(rows=rows, arrays=arrays, untrained="", **served)
    monkeypatch.setattr(unused, "loss_of", lambda candidate, weights, batch: loss(batch))
    if loss(torch.ones(2)) == 2:  # a sum: rows in another order have the same
        check_unused(side)
    else:
        with pytest.raises(UserError, match="refused"):
            check_unused(side)
    assert rows.unused[2].tolist() == [1, 2]
