"""The catalogue of differences between layers: complete, and with something about every kind that the tool matches."""

import pytest
import torch
from torch import nn

from parity.protocol.tensors import LAYERS
from parity.traps.layers.catalogue import DIFFERENCES, FAMILIES, OF_FAMILY
from parity.traps.layers.difference import DRAWN, MODES


def test_no_difference_of_a_family_is_lost():
    assert len(DIFFERENCES) == sum(map(len, OF_FAMILY.values())) >= 47
    assert OF_FAMILY.keys() == FAMILIES.keys()


def test_every_kind_that_the_tool_matches_has_a_difference():
    named = {kind.partition(",")[0] for entry in DIFFERENCES.values() for kind in entry.kinds}
    assert set(LAYERS) <= named


@pytest.mark.parametrize("name", DIFFERENCES)
def test_entries_are_complete(name):
    entry = DIFFERENCES[name]
    assert entry.what.endswith(".") and "  " not in entry.what and entry.mode in MODES and entry.size > 0
    assert entry.mode not in DRAWN or entry.compared  # what is drawn is compared by a number that is named
    assert (entry.port, entry.port_call) != (entry.right, entry.right_call)


def test_pytorchs_defaults_are_those_that_the_prose_names():
    norms = (nn.BatchNorm1d(2), nn.LayerNorm(2), nn.GroupNorm(1, 2))
    assert {norm.eps for norm in norms} == {0.00001} and norms[0].momentum == 0.1
    assert nn.LeakyReLU().negative_slope == 0.01 and nn.PReLU().weight.item() == 0.25
    assert nn.Upsample(scale_factor=2).align_corners is None and nn.UpsamplingBilinear2d(scale_factor=2).align_corners
    with pytest.raises(ValueError, match="padding='same' is not supported for strided convolutions"):
        nn.Conv2d(3, 4, 3, stride=2, padding="same")
    attention = nn.MultiheadAttention(6, 2, batch_first=True)
    hidden = attention(*[torch.ones(1, 2, 6)] * 3, attn_mask=torch.ones(2, 2, dtype=torch.bool))[0]
    assert hidden.isnan().all()
