"""What drops in training does nothing, or drops what the reference dropped; in evaluation nothing changes."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from mlp_spec.support.errors import UserError
from parity.adapters.torch.chance import FUNCTIONS, NAMES, Chance, Randomness, Replay, find_randomness, forms_of
from parity.protocol.law import RandomLayer

X = torch.ones(4, 3, 2, 2)


def test_nothing_drops_in_training_and_the_rates_are_kept_in_the_order_of_the_calls():
    net = nn.Sequential(nn.Dropout(0.5), nn.Dropout2d(0.25), nn.AlphaDropout(0.125), nn.Dropout(0.0))
    with Chance() as mode:
        assert torch.equal(functional.dropout(net.train()(X), 0.75), X)
        assert mode.rates == [0.5, 0.25, 0.125, 0.75]
        net.eval()(X)
        functional.dropout(X, 0.5, False)
        assert len(mode.rates) == 4
    assert not torch.equal(net.train()(X), X)


def test_every_function_that_drops_is_caught():
    named = {name for name in dir(functional) if "dropout" in name and not name.startswith("_")}
    assert named == set(NAMES) and len(FUNCTIONS) == len(NAMES)


def replay(tmp_path, masks, turned=False, shape=(2, 2, 3), flattened=()):
    """Returns what replays masks of one layer: (steps, rows, *shape)."""
    layer = RandomLayer("drop", 0.5, shape, flattened)
    np.save(tmp_path / layer.file(0), np.stack([np.packbits(mask) for mask in masks]))
    return Replay([layer], str(tmp_path), turned)


def test_a_module_drops_what_the_reference_dropped(tmp_path):
    masks = np.random.default_rng(0).integers(0, 2, (2, 4, 2, 2, 3))
    one, net = replay(tmp_path, masks), nn.Dropout2d(0.4)
    for mask in masks:
        one.on_train_batch_start(None, None, None, 0)
        with one.mode:
            assert np.array_equal(net(X), 2 * np.moveaxis(mask, -1, 1))
        one.on_train_batch_end(None, None, None, None, 0)
    one.step = 1
    one.on_train_batch_start(None, None, None, 0)
    with one.mode:  # a smaller last batch has the first rows of its bits
        assert np.array_equal(net(X[:2]), 2 * np.moveaxis(masks[1][:2], -1, 1))


def test_what_drops_to_a_negative_value_keeps_mean_and_variance(tmp_path):
    mask = np.random.default_rng(0).integers(0, 2, (1, 4, 2, 2, 3))
    one = replay(tmp_path, mask)
    one.layers[0] = RandomLayer("drop", 0.5, (2, 2, 3), is_alpha=True)
    x = torch.randn(4, 3, 2, 2)
    with one.mode:
        output = nn.AlphaDropout(0.5)(x)
    kept = torch.from_numpy(np.moveaxis(mask[0], -1, 1).copy()) > 0
    # a = 1 / sqrt(.5 (1 + .5 1.7581^2)), b = .5 a 1.7581
    assert torch.allclose(output[kept], 0.88641 * x[kept] + 0.77919, atol=1e-4)
    assert torch.allclose(output[~kept], torch.tensor(-0.77919), atol=1e-4)
    torch.manual_seed(0)
    theirs = functional.alpha_dropout(x, 0.5, True)  # the same two branches as PyTorch's own
    dropped = torch.isclose(theirs, torch.tensor(-0.77919), atol=1e-4)
    assert torch.allclose(theirs[~dropped], 0.88641 * x[~dropped] + 0.77919, atol=1e-4) and dropped.any()


def test_what_is_flattened_in_another_order_drops_in_it():
    mask, layer = np.arange(12)[None], RandomLayer("drop", 0.5, (12,), (2, 2, 3))
    assert forms_of(mask, layer, False)[0].tolist() == [list(range(12))]
    (turned,) = forms_of(mask, layer, True)
    assert turned.tolist() == np.moveaxis(mask.reshape(1, 2, 2, 3), -1, 1).reshape(1, 12).tolist()


def test_where_as_many_channels_as_places_leave_two_forms_values_have_decided(tmp_path):
    mask, layer = np.arange(9).reshape(1, 3, 3), RandomLayer("drop", 0.5, (3, 3))
    as_in_keras, first = mask.tolist(), np.moveaxis(mask, -1, 1).tolist()
    assert [forms_of(mask, layer, False, known)[0].tolist() for known in (None, False, True)] == [
        as_in_keras, as_in_keras, first,
    ]  # fmt: skip
    masks = np.random.default_rng(0).integers(0, 2, (1, 4, 3, 3))
    one = replay(tmp_path, masks, shape=(3, 3))
    one.channels_first = {0: True}
    with one.mode:
        assert np.array_equal(functional.dropout(torch.ones(4, 3, 3)), 2 * np.moveaxis(masks[0], -1, 1))


@pytest.mark.parametrize(("shape", "where"), [((8,), (4, 1, 8)), ((5, 1, 3), (4, 5, 3)), ((1, 3), (4, 3, 1))])
def test_axes_of_length_one_are_no_other_place(tmp_path, shape, where):
    masks = np.random.default_rng(0).integers(0, 2, (1, 4, *shape))
    with replay(tmp_path, masks, shape=shape).mode:
        assert np.array_equal(functional.dropout(torch.ones(where)), 2 * masks[0].reshape(where))


def test_what_drops_elsewhere_or_more_often_is_an_error(tmp_path):
    one = replay(tmp_path, np.ones((1, 4, 2, 2, 3), int))
    with (
        one.mode,
        pytest.raises(UserError, match=r"the module drops in \(5,\), where the reference's drop has \(2, 2, 3"),
    ):
        functional.dropout(torch.ones(4, 5))
    with one.mode, pytest.raises(UserError, match="the module drops 2 times in a step, the reference 1 times"):
        functional.dropout(X)


def test_compiled_code_drops_the_same_step_by_step(tmp_path):
    masks = np.random.default_rng(0).integers(0, 2, (3, 4, 2, 2, 3))

    def dropped(values):
        return functional.dropout(values * 2, 0.4) + 1

    results = []
    for function in (dropped, torch.compile(dropped, backend="aot_eager", fullgraph=True)):
        one, of_steps = replay(tmp_path, masks), []
        for _ in masks:
            values = X.clone().requires_grad_()
            one.on_train_batch_start(None, None, None, 0)
            with one.mode:
                result = function(values)
            result.sum().backward()
            one.on_train_batch_end(None, None, None, None, 0)
            of_steps.append(torch.stack([result.detach(), values.grad]))
        results.append(torch.stack(of_steps))
    assert torch.equal(*results) and not torch.equal(results[0][0], results[0][1])


def test_nothing_drops_in_compiled_code_which_is_compiled_once():
    graphs = []

    def count(graph, inputs):
        graphs.append(graph)
        return graph.forward

    function = torch.compile(lambda values: functional.dropout(values, 0.5) + 1, backend=count)
    with Chance():
        assert all(torch.equal(function(X), X + 1) for _ in range(4))
    assert len(graphs) == 1


@pytest.mark.parametrize(
    ("draw", "mean"),
    [
        (lambda x: torch.randn(3), 0),
        (torch.randn_like, 0),
        (lambda x: torch.normal(2.0, 1.0, (3,)), 2),
        (lambda x: torch.normal(mean=x, std=0.1), 1),
        (lambda x: torch.zeros(3).normal_(5, 1), 5),
        (lambda x: torch.zeros(3).normal_(std=2), 0),
        (lambda x: torch.distributions.Normal(x, 0.1).rsample(), 1),
    ],
)
def test_a_normal_distribution_gives_its_mean(draw, mean):
    with Chance() as mode:
        assert set(draw(torch.ones(3)).tolist()) == {mean} and len(mode.draws) == 1
    assert len(set(draw(torch.ones(3)).tolist())) > 1


def test_other_draws_are_noted_and_new_weights_are_drawn():
    layer = nn.Linear(9, 9)
    with Chance() as mode:
        nn.init.normal_(layer.weight)
        assert layer.weight.std() > 0.5 and not mode.draws
        assert torch.rand_like(X).std() > 0 and torch.bernoulli(X / 2).std() > 0
        assert mode.draws == ["rand_like", "bernoulli"]


class Trained(nn.Module):
    """Is trained by one call, which gives the loss."""

    def __init__(self, draw):
        super().__init__()
        self.draw, self.dense, self.drop = draw, nn.Linear(4, 1), nn.Dropout(0.25)

    def forward(self, x):
        return self.dense(self.draw(self.drop(x))).sum()


def randomness(draw, error=None):
    """Finds what draws in the step of a module; a loader draws before it."""

    def train(module, callbacks):
        torch.rand(3)
        [one.on_train_batch_start(None, module, None, 0) for one in callbacks]
        loss = module(torch.ones(8, 4))
        [one.on_train_batch_end(None, module, loss if error is None else None, None, 0) for one in callbacks]
        torch.rand(3)

    return find_randomness(lambda: Trained(draw), train)


def test_what_draws_in_a_step_is_found_and_what_cannot_be_silenced():
    assert randomness(lambda x: x) == Randomness([0.25])
    assert randomness(lambda x: x + torch.randn_like(x)) == Randomness([0.25], ["randn_like"])
    found = randomness(lambda x: x * (torch.rand_like(x) > 0.5))
    assert found.draws == ["rand_like"] and found.unsilenced.endswith("does nothing (it draws by rand_like)")
    assert randomness(lambda x: x + 0 * torch.rand_like(x)) == Randomness([0.25], ["rand_like"])  # without effect
    assert randomness(lambda x: x, error="no loss") == Randomness([0.25])  # those of its layers
