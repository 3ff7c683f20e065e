"""Where a module draws by chance, what it is given there, and what it draws: layers, functions and own modules."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from parity.adapters.torch.random_layers import Site, answer_random_layers, describe_site, watched
from parity.adapters.torch.tensors import Binding
from parity.protocol import law
from parity.protocol.inputs import Case
from parity.protocol.law import RandomCall
from parity.protocol.records import Cases, RandomOutputs
from parity.protocol.tensors import Tensor
from parity.rungs.random_layers import Samples, compare_samples

TABLE = [
    Tensor("dense/kernel", "Dense", "kernel", (48, 3), True, None, (4, 4, 3)),
    Tensor("dense/bias", "Dense", "bias", (3,)),
]
DRAW = np.random.default_rng(0)
WEIGHTS = {tensor.path: DRAW.uniform(-1, 1, tensor.shape).astype(np.float32) for tensor in TABLE}
IMAGES = DRAW.uniform(1, 2, (32, 4, 4, 3)).astype(np.float32)
KERAS = [RandomCall("a", 0.25, IMAGES[:8]), RandomCall("b", 0.5, IMAGES[:8].reshape(8, 48), flattened=(4, 4, 3))]


class Noise(nn.Module):
    """Adds noise."""

    def forward(self, x):
        return x + 0.1 * torch.randn_like(x) if self.training else x


class Scaled(nn.Module):
    """Does more than to add noise."""

    def forward(self, x):
        return 2 * x + 0.1 * torch.randn_like(x) if self.training else 2 * x


class Hand(nn.Module):
    """Drops by functions of its own."""

    def forward(self, x):
        return x * (torch.rand_like(x) >= 0.25) / 0.75 if self.training else x


class Port(nn.Module):
    """A dense layer behind what draws."""

    def __init__(self, first=None, second=None):
        super().__init__()
        self.first, self.second, self.dense = first or nn.Dropout2d(0.25), second or nn.Dropout(0.5), nn.Linear(48, 3)

    def forward(self, x):
        return self.dense(self.second(self.first(x).flatten(1)))


class Inline(Port):
    """Draws in its own forward()."""

    def forward(self, x):
        x = F.dropout(x, 0.25, self.training).flatten(1)
        return self.dense(x + torch.randn_like(x))


class Between(Port):
    """Draws in its own forward() around a layer that draws, and twice in a row."""

    def forward(self, x):
        x = self.second((x + torch.randn_like(x)).flatten(1))
        return self.dense(x + torch.randn_like(x) + torch.randn_like(x))


def answered(module: nn.Module, expected=KERAS) -> RandomOutputs:
    """Has a candidate of this module answer."""
    records = {
        "random_layers": RandomOutputs(calls=expected, silent=np.ones((8, 3)), draws=np.ones(0), rows=8, times=4),
        "cases": Cases(answers={}, cases={"with biases": Case(WEIGHTS, IMAGES, np.zeros(32))}),
    }
    candidate = SimpleNamespace(
        task=SimpleNamespace(reference=records.get),
        bind=lambda weights: Binding(module, TABLE, weights),
        find_output=lambda binding, cases: None,
        input_of=lambda images: [torch.from_numpy(np.moveaxis(images, -1, 1).copy())],
        called=lambda module, inputs: module(*inputs),
        turned=lambda outputs: torch.cat(outputs).detach().numpy(),
    )
    return answer_random_layers(candidate)


def test_layers_are_found_with_their_inputs_in_keras_layout_and_their_law():
    module = Port()
    found = answered(module)
    assert [(call.layer, call.rate) for call in found.calls] == [("first", 0.25), ("second", 0.5)]
    assert all(np.array_equal(ours.input, theirs.input) for ours, theirs in zip(KERAS, found.calls, strict=True))
    first, second = (call.law for call in found.calls)
    assert first["largest value at input 1"] == pytest.approx(4 / 3) and second["largest value at input 1"].max() == 2
    assert first["mean square of means along the axis 1 at input 1"].mean() == pytest.approx(1 / 3, abs=0.05)
    assert second["mean square of means along the axis 1 at input 1"].mean() == pytest.approx(1 / 48, abs=0.01)
    assert found.silent.shape == (8, 3) and found.draws.shape == (law.DRAWS, 32, 3) and not found.unsilenced
    with torch.no_grad():
        silent = module.eval()(torch.from_numpy(np.moveaxis(IMAGES[:8], -1, 1).copy())).numpy()
    assert np.allclose(found.silent, silent) and not module.first._forward_hooks and not module._forward_pre_hooks


def test_own_noise_is_silenced_and_drawn_from():
    found = answered(Port(Noise(), Scaled()))
    assert [(call.layer, call.rate, call.does_more) for call in found.calls] == [
        ("first", None, False),
        ("second", None, True),
    ]
    assert np.array_equal(found.calls[0].input, IMAGES[:8]) and not found.unsilenced
    assert found.calls[0].law["mean square of the change at input -2"].mean() == pytest.approx(0.01, rel=0.05)


def test_what_cannot_be_silenced_is_said():
    found = answered(Port(Hand()))
    assert found.unsilenced and len(found.draws) == law.DRAWS
    first, second = found.calls
    assert np.array_equal(first.input, IMAGES[:8]) and first.law["share of zeros at input 1"].mean() > 0.2
    assert second.input is None and "is random, also while" in second.why_not and second.law


def test_what_a_module_draws_beside_other_things_is_not_compared():
    first, second = answered(Inline()).calls
    assert (first.layer, first.rate) == ("forward", 0.25) and np.array_equal(first.input, IMAGES[:8])
    assert second.input is None and second.why_not == "forward() draws by randn_like beside other things that it does"


def test_each_place_where_a_module_draws_in_its_own_forward_counts():
    calls = answered(Between(), [*KERAS, *KERAS]).calls
    assert [(call.layer, call.rate) for call in calls] == [("forward", None), ("second", 0.5), *[("forward", None)] * 2]


def test_another_shape_is_kept_and_more_places_than_kerass_are_listed():
    (first, second) = answered(Port(), [RandomCall("a", 0.5, np.ones((8, 7, 3)))]).calls
    assert first.input.shape == (8, 3, 4, 4) and first.why_not == "it is given (3, 4, 4), in Keras (7, 3)"
    assert second.why_not == "Keras has none here"


def test_a_module_that_does_not_draw_is_not_drawn_from():
    found = answered(Port(nn.Identity(), nn.Identity()))
    assert not found.calls and not len(found.draws) and not found.unsilenced


def test_a_part_is_one_place_each_time_it_is_called():
    module = nn.Sequential(Noise(), nn.Dropout(0.0), Noise(), nn.Sequential(nn.Dropout(0.5)))
    with watched(module) as watch:
        assert torch.equal(module(torch.ones(2, 3)), torch.ones(2, 3))
    assert [site.name for site in watch.sites] == ["0", "2", "3.0"]
    module = nn.Sequential(*[Noise()] * 2)
    with watched(module) as watch:
        module(torch.ones(2, 3))
    assert len(watch.sites) == 2


def test_where_shapes_leave_it_open_the_values_say_how_they_lie():
    values = np.random.default_rng(0).random((8, 4, 4)).astype(np.float32)
    ours = RandomCall("drop", 0.5, values)
    for given, expected in ((values, False), (np.moveaxis(values, -1, 1).copy(), True)):
        site = Site("drop", 0.5, torch.from_numpy(given), nn.Dropout(0.5))
        call = describe_site(site, site, ours)
        assert call.channels_first is expected and np.array_equal(call.input, values)
    site = Site("drop", 0.5, torch.from_numpy(values[:, :3]), nn.Dropout(0.5))
    assert describe_site(site, site, RandomCall("drop", 0.5, values[..., :3])).channels_first is None


@pytest.mark.parametrize("drops", ["weights", "heads", "too few"])
def test_rows_and_heads_in_one_axis_are_described_as_in_keras(drops):
    # as many steps as rows: (rows heads, T, S) is (16, 8, 8), in Keras (8, 2, 8, 8)
    module = nn.MultiheadAttention(4, 2, dropout=0.25, batch_first=True)
    x = torch.randn(8, 8, 4, generator=torch.Generator().manual_seed(0))
    with watched(module) as watch:
        module(x, x, x)
    (site,) = watch.sites
    assert site.given.shape == (16, 8, 8) and site.rate == 0.25
    own = {
        "weights": site.draw,
        "heads": lambda given: F.dropout(torch.ones(len(given), 1, 1), 0.25) * given,
        "too few": lambda given: F.dropout(given, 0.2),
    }
    site = Site(site.name, site.rate, site.given, own[drops])
    weights = site.given.numpy().reshape(8, 2, 8, 8)
    call = describe_site(site, site, RandomCall("drop", 0.25, weights))
    assert np.array_equal(call.input, weights) and call.why_not == "" and call.channels_first is None
    probe = torch.from_numpy(law.probe((2, 8, 8), "float32"))
    keras = law.describe_draws(lambda: F.dropout(probe, 0.25).numpy())
    assert call.law.keys() == keras.keys()  # levels go by Keras's rows, or the largest value at 1 would be that at -2
    samples = [Samples(name, numbers, call.law[name], 1e-5) for name, numbers in keras.items()]
    assert (compare_samples("law", samples).status == "pass") == (drops == "weights")
