"""Layers of a kind that stand beside each other: in Keras's order or as written, which outputs and losses tell."""

from types import SimpleNamespace

import lightning
import numpy as np
import pytest
import torch
from torch import nn

from mlp_spec.support.errors import UserError
from parity.adapters.torch.tables import choose_table, number_of, places_as_written, possible_tables
from parity.adapters.torch.tensors import Binding
from parity.protocol.inputs import LAYERS_CASE
from parity.protocol.records import Answer, Case, Cases
from parity.protocol.tensors import Tensor
from parity.protocol.user_data import difference, joined

X = np.random.default_rng(0).standard_normal((6, 3)).astype("float32")


def kernels(*paths: str, kind: str = "Dense", shape: tuple[int, ...] = (3, 1)) -> list[Tensor]:
    """Returns a table of kernels without biases."""
    return [Tensor(f"{path}/kernel", kind, "kernel", shape) for path in paths]


@pytest.mark.parametrize(
    ("name", "kind", "number"),
    [
        ("dense", "Dense", 0),
        ("dense_12", "Dense", 12),
        ("conv2d_transpose_3", "Conv2DTranspose", 3),
        ("p_re_lu", "PReLU", 0),
        ("head", "Dense", None),
        ("head_2", "Dense", None),
        ("dense_a", "Dense", None),
    ],
)
def test_the_number_is_in_names_that_keras_gave(name, kind, number):
    assert number_of(name, kind) == number


def test_layers_are_put_in_the_order_in_which_they_were_written_kind_by_kind():
    table = kernels("dense_2", "dense_1") + kernels("conv1d", kind="Conv1D", shape=(2, 3, 1)) + kernels("dense")
    places = places_as_written(table)
    assert sorted(places, key=places.get) == ["dense/kernel", "dense_1/kernel", "conv1d/kernel", "dense_2/kernel"]
    assert not places_as_written(kernels("dense", "dense_1"))
    assert not places_as_written(kernels("dense_2", "head", "dense_1"))


def test_every_order_of_layers_comes_with_every_order_of_features():
    flat = Tensor("dense_1/kernel", "Dense", "kernel", (12, 1), flattened=(2, 2, 3))
    assert list(possible_tables([flat])) == [("(C, H, W)", ""), ("(H, W, C)", "")]
    assert len(possible_tables([flat, *kernels("dense")])) == 4
    assert possible_tables(kernels("dense")) == {("", ""): kernels("dense")}


class Heads(lightning.LightningModule):
    """Two heads of the same shape; one's loss weighs more."""

    def __init__(self, swapped: bool = False, weight: float = 3.0):
        super().__init__()
        self.weight = weight
        self.one, self.other = nn.Linear(3, 1, bias=False), nn.Linear(3, 1, bias=False)
        self.swapped = swapped

    def forward(self, x):
        return (self.other(x), self.one(x)) if self.swapped else (self.one(x), self.other(x))

    def loss(self, x):
        first, second = self(x)
        return first.square().mean() + self.weight * second.square().mean()


def candidate_of(module: Heads, outputs: list[str], table: list[Tensor]) -> SimpleNamespace:
    """Returns what answers for a module as a `UserCandidate` does, beside Keras's `Heads`, dense_1 before dense."""
    weights = {"dense_1/kernel": np.ones((3, 1), "float32"), "dense/kernel": np.full((3, 1), -2, "float32")}
    first, second = X @ weights["dense_1/kernel"], X @ weights["dense/kernel"]
    loss = np.array([np.square(first).mean() + module.weight * np.square(second).mean()])
    ours = joined({"a": first, "b": second})
    reference = Cases(answers={LAYERS_CASE: Answer(ours, loss, {})}, cases={LAYERS_CASE: Case(weights, X, X[:, :1])})

    def gaps(binding, cases, case):
        binding.load(cases.cases[case].weights)
        with torch.no_grad():
            outputs = [part.numpy() for part in binding.module(torch.from_numpy(X))]
        orders = outputs, outputs[::-1]
        return {"outputs": min(max(difference(first, a), difference(second, b)) for a, b in orders)}

    def fit(binding, callbacks, loader, **options):
        callbacks[0].losses.append(binding.module.loss(torch.from_numpy(X)).detach().reshape(1))

    return SimpleNamespace(
        facts=SimpleNamespace(tensors=table, outputs=outputs), untrained="", places={}, build=lambda: module,
        output_gaps=gaps, fit=fit, batch_of=lambda images, labels: images,
        task=SimpleNamespace(reference=lambda part: reference),
    )  # fmt: skip


@pytest.mark.parametrize("weight", [3.0, 1.0002])
@pytest.mark.parametrize("swapped", [False, True])
def test_two_heads_of_a_kind_are_told_by_the_loss(swapped, weight, capsys):
    """In one port the second head was written first, as in Keras; in the other they stand as Keras lists them.

    The losses of both orders may be near each other.
    """
    table = kernels("dense_1", "dense")
    module = Heads(swapped, weight)
    flattening, chosen = choose_table(candidate_of(module, ["a", "b"], table))
    assert flattening == "" and [tensor.path for tensor in chosen] == [tensor.path for tensor in table]
    held = Binding(module, chosen).parameters
    assert held["dense_1/kernel"] is (module.other if swapped else module.one).weight
    assert ("in which they were written" in capsys.readouterr().out) == swapped


def test_a_port_that_agrees_in_no_order_keeps_keras_own():
    module = Heads()
    module.loss = lambda x: module(x)[0].sum() * 50
    _, chosen = choose_table(candidate_of(module, ["a", "b"], kernels("dense_1", "dense")))
    assert {tensor.written for tensor in chosen} == {0}


def test_an_order_that_the_tensors_do_not_fit_is_left_out():
    """Keras lists the head of another size between two equal ones; the port registers it first, as it was written."""
    table = [*kernels("dense_1"), *kernels("dense", shape=(3, 2)), *kernels("dense_2")]
    sizes = {"first": 2, "second": 1, "third": 1}
    candidate = SimpleNamespace(
        facts=SimpleNamespace(tensors=table, outputs=["a", "b", "c"]), untrained="it is not trained", places={},
        build=lambda: nn.ModuleDict({name: nn.Linear(3, units, bias=False) for name, units in sizes.items()}),
        output_gaps=lambda binding, cases, case: {"outputs": 0.0},
        task=SimpleNamespace(reference=lambda part: Cases(answers={LAYERS_CASE: Answer(X, np.zeros(0), {})}, cases={})),
    )  # fmt: skip
    with pytest.raises(UserError, match="dense_1 may be second or third"):
        Binding(candidate.build(), table)
    _, chosen = choose_table(candidate)
    names = {tensor.path: tensor.torch_name for tensor in Binding(candidate.build(), chosen).table}
    assert names == {
        "dense_1/kernel": "second.weight",
        "dense/kernel": "first.weight",
        "dense_2/kernel": "third.weight",
    }
    sizes["third"] = 5
    with pytest.raises(UserError, match="do not fit"):
        choose_table(candidate)
