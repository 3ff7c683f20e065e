"""Of several outputs, each loss is known by what it is made of; it counts as Keras's does."""

import pytest
import torch
from sample_built import make_built
from torch.nn import functional as F

from parity.adapters.torch.undo import losses, several
from parity.adapters.torch.undo.loss_calls import Calls

CROSS, SQUARED = {"class_name": "SparseCategoricalCrossentropy"}, {"class_name": "MeanSquaredError"}
Y, AMOUNT = torch.tensor([0, 1, 2, 0]), torch.tensor([[0.5], [1.0], [-1.0], [2.0]])


def outputs() -> dict[object, torch.Tensor]:
    """Returns logits and numbers that are made of what both share."""
    shared = torch.linspace(-1, 1, 12, requires_grad=True).reshape(4, 3).tanh()
    return {1: shared * 2, 2: shared[:, :1] + 1}


def built_with(own_weights: dict, loss_weights: dict):
    """Returns what is built beside two outputs of Keras's."""
    loss = {"outputs": {"kind": CROSS, "amount": SQUARED}, "penalties": {}, "class_weight": {}}
    built = make_built(loss=loss | {"loss_weights": loss_weights})
    built.names_of_outputs, built.own_weights = lambda: {1: "kind", 2: "amount"}, own_weights
    return built


def stepped(built, step, change=several.weigh_outputs, is_validation: bool = False) -> tuple:
    """Makes a step with a difference undone; returns the outputs, its loss and the lines."""
    found, lines = outputs(), []
    if is_validation:
        found = {key: one.detach() for key, one in found.items()}

    def changed(call) -> None:
        call.keys, call.outputs, call.is_validation = [*found], [*found.values()], is_validation
        lines.append(change(built, call))

    with Calls(changed):
        loss = step(*found.values())
    return found, loss, [line for line in lines if line]


def added(by_kind: float, by_amount: float):
    """Returns a step that adds both losses, each a number of times, of outputs in other forms."""
    return lambda kind, amount: by_amount * F.mse_loss(amount[:, 0], AMOUNT[:, 0]) + by_kind * F.cross_entropy(kind, Y)


@pytest.mark.parametrize("own", [{"kind": 1.0, "amount": 1.0}, {"kind": 0.5, "amount": 2.0}])
def test_each_loss_counts_as_in_keras_also_in_a_validation(own):
    built = built_with(own, {"kind": 1.0, "amount": 0.25})
    step, right = added(own["kind"], own["amount"]), added(1.0, 0.25)
    for is_validation in (False, True):
        found, loss, lines = stepped(built, step, is_validation=is_validation)
        torch.testing.assert_close(loss, right(*found.values()))
        assert len(lines) == 2 - (own["kind"] == 1)
    assert lines[0].endswith(
        f"F.mse_loss, of the output amount, counts {own['amount']:g} times: have it count 0.25 times"
    )


def test_what_counts_as_in_keras_is_left():
    built = built_with({"kind": 1.0, "amount": 0.25}, {"kind": 1.0, "amount": 0.25})
    found, loss, lines = stepped(built, added(1.0, 0.25))
    assert not lines and loss == added(1.0, 0.25)(*found.values())
    assert not stepped(built_with({}, {"amount": 0.25}), added(1.0, 1.0))[2]  # it is not known what it counts


def test_what_each_loss_counts_is_its_gradient():
    weights = {}
    _, loss, _ = stepped(built_with({}, {}), added(3.0, 0.5), several.noted_weights(weights, 0.5))
    (loss * 0.5).backward()
    assert weights == {"kind": 3.0, "amount": 0.5}


def test_each_loss_is_held_against_that_of_its_output():
    built, twice = built_with({}, {}), losses.UNDOS[1]
    assert twice.id == "softmax-twice"
    found, loss, (line,) = stepped(
        built, lambda kind, amount: F.mse_loss(amount, AMOUNT) + F.cross_entropy(kind.softmax(1), Y), twice.change
    )
    torch.testing.assert_close(loss, added(1.0, 1.0)(*found.values()))
    assert "F.cross_entropy" in line


def test_a_loss_of_no_output_is_of_none():
    built = built_with({}, {})
    seen = []
    stepped(built, lambda *_: F.mse_loss(AMOUNT, AMOUNT), lambda built, call: seen.append(several.asked(built, call)))
    assert seen == [{}]
