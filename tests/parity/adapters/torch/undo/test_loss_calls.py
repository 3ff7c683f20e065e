"""Calls of losses are caught in functional code and in modules, changed, and made again."""

import torch
from torch import nn
from torch.nn import functional as F

from parity.adapters.torch.undo.loss_calls import Calls, sums_to_one

Z, Y = torch.tensor([[2.0, -1.0, 0.5], [0.0, 1.0, 3.0]]), torch.tensor([0, 1])


def caught(step, change=lambda call: None) -> list:
    """Makes a step; returns what it gave, and the calls in it."""
    calls = []
    with Calls(lambda call: (calls.append(call), change(call))):
        result = step()
    return [result, *calls]


def test_functions_and_modules_are_caught_with_their_settings_and_their_line():
    for step in (
        lambda: F.cross_entropy(Z, Y, label_smoothing=0.2),
        lambda: nn.CrossEntropyLoss(None, label_smoothing=0.2)(Z, Y),
    ):
        result, call = caught(step)
        assert torch.equal(result, step()) and call.options["label_smoothing"] == 0.2 and call.rows == 2
        assert call.name.startswith("test_loss_calls.py, line ") and call.name.endswith(": F.cross_entropy")


def test_a_changed_call_is_what_the_step_gets():
    result, _ = caught(lambda: F.mse_loss(Z, Z + 2), lambda call: call.replace(F.l1_loss))
    assert result == 2

    def weigh(call):
        call.weights = torch.tensor([1.0, 3.0])
        call.after.append(lambda loss: loss + 1)

    result, _ = caught(lambda: F.cross_entropy(Z, Y), weigh)
    terms = F.cross_entropy(Z, Y, reduction="none")
    torch.testing.assert_close(result, (terms[0] + 3 * terms[1]) / 2 + 1)


def test_it_is_known_of_what_probabilities_were_made():
    _, call = caught(lambda: F.cross_entropy(nn.Softmax(dim=1)(Z), Y))
    assert call.maker()[0] == "softmax" and call.maker()[1] is Z and call.is_of_probabilities()
    _, call = caught(lambda: F.cross_entropy(Z, Y))
    assert call.maker() == ("", None) and not call.is_of_probabilities()


def test_rows_that_sum_to_one_are_probabilities_and_one_class_is_none():
    assert sums_to_one(Z.softmax(1), 1) and not sums_to_one(Z, 1)
    assert not sums_to_one(torch.ones(3, 1), 1) and not sums_to_one(torch.tensor([[1.5, -0.5]]), 1)
