"""A recurrent function that is run layer by layer gives what torch's gives, and drops in between what it is told."""

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence

from parity.adapters.torch.chance import Chance

KINDS = (nn.LSTM, nn.GRU, nn.RNN, lambda *sizes, **options: nn.RNN(*sizes, nonlinearity="relu", **options))
X = torch.randn(4, 5, 3, generator=torch.Generator().manual_seed(0))


def leaves(result):
    """Returns the output and the last states as one list."""
    output, states = result
    return [output, *(states if isinstance(states, tuple) else (states,))]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", [{}, {"bidirectional": True, "bias": False}, {"batch_first": True}])
def test_nothing_is_dropped_between_layers_and_the_rates_are_kept(kind, options):
    layer = kind(3, 4, num_layers=3, dropout=0.5, **options)
    start = torch.randn_like(layer.eval()(X)[1][0]) if kind is nn.LSTM else torch.randn_like(layer.eval()(X)[1])
    start = (start, start / 2) if kind is nn.LSTM else start
    expected = leaves(layer(X, start))
    with Chance() as mode:
        found = leaves(layer.train()(X, start))
        assert mode.rates == [0.5, 0.5] and not mode.draws
        layer.eval()(X)
        assert len(mode.rates) == 2
    assert all(torch.allclose(*pair, atol=1e-6) for pair in zip(found, expected, strict=True))
    assert not torch.allclose(layer.train()(X, start)[0], expected[0], atol=1e-3)


def test_what_is_dropped_between_layers_is_what_separate_layers_drop():
    layer = nn.LSTM(3, 4, num_layers=2, dropout=0.5)
    first, second = nn.LSTM(3, 4), nn.LSTM(4, 4)
    for name, value in layer.state_dict().items():
        getattr(second if "_l1" in name else first, name.replace("_l1", "_l0")).data.copy_(value)
    mask = (torch.arange(4 * 5 * 4).reshape(4, 5, 4) % 3 > 0).float()
    with Chance(lambda number, values: values * mask) as mode:
        output, (h, c) = layer.train()(X)
        assert torch.equal(output, second(functional.dropout(first(X)[0], 0.5))[0])
    assert mode.rates == [0.5, 0.5] and h.shape == c.shape == (2, 5, 4)


def test_what_a_packed_sequence_drops_is_noted_as_a_draw():
    layer, packed = nn.GRU(3, 4, num_layers=2, dropout=0.5).train(), pack_padded_sequence(X, [4, 4, 3, 2, 1])
    with Chance() as mode:
        one, other = layer(packed)[0].data, layer(packed)[0].data
    assert not mode.rates and mode.draws == ["dropout between the layers of a packed gru"] * 2
    assert not torch.equal(one, other)
    with Chance() as mode:
        nn.GRU(3, 4).train()(packed)
        assert not mode.draws
