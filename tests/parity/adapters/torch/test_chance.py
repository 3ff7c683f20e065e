"""What drops in training does nothing, or drops what the reference dropped; in evaluation nothing changes."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from mlp_spec.support.errors import UserError
from parity.adapters.torch.chance import FUNCTIONS, NAMES, Chance, Replay, forms_of
from parity.protocol.records import RandomLayer

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


def test_what_is_flattened_in_another_order_drops_in_it():
    mask, layer = np.arange(12)[None], RandomLayer("drop", 0.5, (12,), (2, 2, 3))
    assert forms_of(mask, layer, False)[0].tolist() == [list(range(12))]
    (turned,) = forms_of(mask, layer, True)
    assert turned.tolist() == np.moveaxis(mask.reshape(1, 2, 2, 3), -1, 1).reshape(1, 12).tolist()


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
