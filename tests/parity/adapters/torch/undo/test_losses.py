"""Losses become Keras's, whatever the port calls; each says what to write, and Keras's own is left as it is."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sample_built import make_built
from torch.nn import functional as F

from parity.adapters.torch.undo import losses
from parity.adapters.torch.undo.fits import Fit
from parity.adapters.torch.undo.loss_calls import Call, Calls

UNDOS = {undo.id: undo for undo in losses.UNDOS}
DRAW = torch.Generator().manual_seed(0)
Z, LOGIT = torch.randn(6, 3, generator=DRAW), torch.randn(6, 1, generator=DRAW)
Y, ONE_HOT = torch.tensor([0, 1, 2, 0, 1, 2]), F.one_hot(torch.tensor([0, 1, 2, 0, 1, 2]), 3).float()
BIT = torch.tensor([[0.0], [1.0], [1.0], [0.0], [1.0], [0.0]])
NUMBERS = 2 * torch.randn(6, 1, generator=DRAW)
SPARSE, BINARY = {"class_name": "SparseCategoricalCrossentropy"}, {"class_name": "BinaryCrossentropy"}
WEIGHTS, TORCH_WEIGHTS = {"0": 2.0, "2": 0.5}, torch.tensor([2.0, 1.0, 0.5])


def built_with(asked: dict, **more):
    """Returns what is built beside one loss of Keras's."""
    return make_built(loss={"outputs": {"": asked}, "penalties": {}, "class_weight": {}, **more})


def undone(id: str, asked: dict, step, **more) -> tuple[torch.Tensor, list[str]]:
    """Makes a step with one difference undone; returns its loss and the lines."""
    built, lines = built_with(asked, **more), []
    with Calls(lambda call: lines.append(UNDOS[id].change(built, call))):
        return step(), [line for line in lines if line]


SMOOTH = {**SPARSE, "label_smoothing": 0.1}
SUM = {**SPARSE, "reduction": "sum"}
HUBER, MSE = {"class_name": "Huber", "delta": 0.5}, {"class_name": "MeanSquaredError"}
PORTS = {
    "softmax-twice": (SPARSE, lambda: F.cross_entropy(Z.softmax(1), Y), lambda: F.cross_entropy(Z, Y)),
    "sigmoid-twice": (
        BINARY,
        lambda: losses.WITH_LOGITS(torch.sigmoid(LOGIT), BIT),
        lambda: losses.WITH_LOGITS(LOGIT, BIT),
    ),
    "nll-of-no-logarithms": (SPARSE, lambda: F.nll_loss(Z.softmax(1), Y), lambda: F.cross_entropy(Z, Y)),
    "log-of-probabilities": (
        BINARY,
        lambda: F.binary_cross_entropy(torch.sigmoid(90 * LOGIT), BIT),
        lambda: losses.WITH_LOGITS(90 * LOGIT, BIT),
    ),
    "clipped-probabilities": (
        SPARSE,
        lambda: F.nll_loss((90 * Z).softmax(1).clamp(1e-7, 1 - 1e-7).log(), Y),
        lambda: F.cross_entropy(90 * Z, Y),
    ),
    "mse-loss": (SPARSE, lambda: F.mse_loss(Z.softmax(1), ONE_HOT), lambda: F.cross_entropy(Z, Y)),
    "another-loss": (HUBER, lambda: F.l1_loss(NUMBERS, BIT), lambda: F.huber_loss(NUMBERS, BIT, delta=0.5)),
    "loss-broadcast": (MSE, lambda: F.mse_loss(NUMBERS[:, 0] * 1, BIT), lambda: F.mse_loss(NUMBERS, BIT)),
    "huber-delta": (HUBER, lambda: F.smooth_l1_loss(NUMBERS, BIT), lambda: F.huber_loss(NUMBERS, BIT, delta=0.5)),
    "label-smoothing": (SMOOTH, lambda: F.cross_entropy(Z, Y), lambda: F.cross_entropy(Z, Y, label_smoothing=0.1)),
    "loss-sum": (SPARSE, lambda: F.cross_entropy(Z, Y, reduction="sum"), lambda: F.cross_entropy(Z, Y)),
}


@pytest.mark.filterwarnings("ignore:Using a target size")
@pytest.mark.parametrize("id", PORTS)
def test_another_loss_becomes_kerass_and_kerass_is_left(id):
    asked, port, right = PORTS[id]
    assert not torch.isclose(port(), right())
    loss, (line,) = undone(id, asked, port)
    torch.testing.assert_close(loss, right())
    assert "test_losses.py, line" in line and any(words in line for words in ("write", "give it", "leave clamp out"))
    assert undone(id, asked, right) == (right(), [])


@pytest.mark.parametrize(
    ("id", "asked", "loss", "right"),
    [
        (
            "clipped-probabilities", BINARY,
            lambda z: F.binary_cross_entropy(z[:, :1].sigmoid().clamp(1e-3, 1 - 1e-3), BIT),
            lambda z: losses.WITH_LOGITS(z[:, :1], BIT),
        ),
        ("clipped-probabilities", SPARSE, lambda z: F.cross_entropy(z.clip(-5, 5), Y), lambda z: F.cross_entropy(z, Y)),
    ],
)  # fmt: skip
def test_what_clips_before_the_loss_is_taken_away(id, asked, loss, right):
    built, lines, z = built_with(asked), [], 9 * Z

    def change(call):
        call.outputs = [z]
        lines.append(UNDOS[id].change(built, call))

    with Calls(change):
        result = loss(z)
    torch.testing.assert_close(result, right(z))
    assert not torch.equal(loss(z), right(z)) and lines[0]
    with Calls(change):
        F.cross_entropy(z + 1, Y), F.cross_entropy(z, Y), F.nll_loss(z.log_softmax(1), Y)
    assert not any(lines[1:])


def test_keras_may_clip_itself():
    built = built_with(SPARSE)
    built.facts = replace(built.facts, clipped=[""])
    with Calls(lambda call: lines.append(UNDOS["clipped-probabilities"].change(built, call))):
        lines = []
        F.nll_loss(Z.softmax(1).clamp(1e-7, 1).log(), Y)
    assert lines == [None]


def test_sums_smoothing_and_a_loss_that_only_keras_has():
    assert undone("loss-sum", SUM, lambda: F.cross_entropy(Z, Y))[0] == F.cross_entropy(Z, Y, reduction="sum")
    loss, _ = undone("label-smoothing", {**BINARY, "label_smoothing": 0.2}, lambda: losses.WITH_LOGITS(LOGIT, BIT))
    torch.testing.assert_close(loss, losses.WITH_LOGITS(LOGIT, BIT * 0.8 + 0.1))
    loss, _ = undone("label-smoothing", SMOOTH, lambda: F.nll_loss(Z.log_softmax(1), Y))
    torch.testing.assert_close(loss, F.cross_entropy(Z, Y, label_smoothing=0.1))
    assert undone("another-loss", {"class_name": "KLDivergence"}, lambda: F.mse_loss(NUMBERS, BIT))[1] == []


def test_weights_of_classes_are_kerass_and_so_is_their_mean():
    terms = F.cross_entropy(Z, Y, reduction="none")
    right = (terms * TORCH_WEIGHTS[Y]).mean()
    for id, step in (
        ("class-weight", lambda: F.cross_entropy(Z, Y)),
        ("weighted-mean", lambda: F.cross_entropy(Z, Y, weight=TORCH_WEIGHTS)),
    ):
        loss, (line,) = undone(id, SPARSE, step, class_weight=WEIGHTS)
        torch.testing.assert_close(loss, right)
    loss, (line,) = undone("class-weight", SPARSE, lambda: F.cross_entropy(Z, Y, weight=TORCH_WEIGHTS))
    torch.testing.assert_close(loss, terms.mean())
    assert line.endswith("(weight=[2, 1, 0.5]): leave it out")
    assert (
        undone("class-weight", SPARSE, lambda: F.cross_entropy(Z, Y, weight=TORCH_WEIGHTS), class_weight=WEIGHTS)[1]
        == []
    )


def test_penalties_are_kerass_and_the_ports_own_go():
    built = built_with(SPARSE, penalties={"dense/kernel": {"l2": 0.5}})
    weight, bias = built.module[5].weight, built.module[5].bias
    call = Call(None, None, None, {}, "training_step", value=torch.tensor(1.0))
    assert UNDOS["l2-penalty"].change(built, call) == ["the loss: add 0.5 * 5.weight.square().sum()"]
    torch.testing.assert_close(call.evaluate(), 1 + 0.5 * weight.square().sum())
    built.fit = Fit(penalties={"dense/kernel": 0.2, "dense/bias": 0.1}, is_good=True)
    call = Call(None, None, None, {}, "training_step", value=torch.tensor(1.0))
    lines = UNDOS["l2-penalty"].change(built, call)
    assert lines[0].endswith("write 0.5 * ...") and lines[1].endswith("leave it out")
    torch.testing.assert_close(call.evaluate(), 1 + 0.3 * weight.square().sum() - 0.1 * bias.square().sum())


def test_a_factor_is_taken_away_where_the_fit_is_one():
    built = built_with(MSE)
    for fit, id, value, words in (
        (Fit(0.5, {}, 32, True), "loss-scale", 6.0, "is 0.5 times Keras's: divide it by 0.5"),
        (Fit(32.0, {}, 32, True), "loss-sum", 0.25, "is a sum over the batch"),
        (Fit(0.5, {}, 32, False), "loss-scale", 3.0, None),
    ):
        built.fit, call = fit, Call(None, None, None, {}, "training_step", value=torch.tensor(3.0), rows=12)
        line = UNDOS[id].change(built, call)
        assert float(call.evaluate()) == value and (words in line if words else line is None)


def test_nothing_is_changed_where_the_model_has_several_outputs():
    built = make_built(loss={"outputs": {"a": SPARSE, "b": MSE}, "penalties": {}, "class_weight": {}})
    for undo in losses.UNDOS:
        call = Call(F.cross_entropy, Z, Y, {"reduction": "sum", "label_smoothing": 0.1}, "here")
        assert not undo.change(built, call)
    assert np.isfinite(float(call.evaluate()))


def test_a_validation_that_is_not_changed_as_the_training_is_left():
    built, kernel = built_with(SPARSE), "dense/kernel"
    weight, right = built.module[5].weight, F.cross_entropy(Z, Y)

    def validated(id: str, fit: Fit, step) -> torch.Tensor:
        built.fit, built.trained = fit, {F.cross_entropy}

        def change(call):
            call.is_validation = True
            UNDOS[id].change(built, call)

        with Calls(change):
            return step()

    scaled, penalised = Fit(0.1, {}, 32, True), Fit(penalties={kernel: 0.2}, is_good=True)
    for id, fit, done, kept in (
        ("loss-scale", scaled, lambda loss: loss / 10, right),
        ("loss-scale", scaled, lambda loss: 6 * loss, 6 * right),
        ("l2-penalty", penalised, lambda loss: loss + 0.2 * weight.square().sum(), right),
        ("l2-penalty", penalised, lambda loss: loss + 1, right + 1),
    ):
        torch.testing.assert_close(validated(id, fit, lambda done=done: done(F.cross_entropy(Z, Y))), kept)
        torch.testing.assert_close(validated(id, fit, lambda: F.cross_entropy(Z, Y)), right)
