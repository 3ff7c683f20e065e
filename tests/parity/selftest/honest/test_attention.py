"""Attention of honest pairs: what its ports give, by PyTorch's own functions, and what a mask hides."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from keras_like.attention import KerasMultiHeadAttention
from parity.selftest.honest.attention import ATTENTION, HEADS, HEADS_MASKED, MASKED_ATTENTION, SCORES, mask_of
from parity.selftest.honest.layers import Draw, Setting
from parity.selftest.honest.models import draw_layers
from parity.selftest.honest.recurrent import MASKED

NAMES = {"nn": nn, "torch": torch, "F": F, "KerasMultiHeadAttention": KerasMultiHeadAttention}
exec(SCORES.replace("\n    ", "\n"), NAMES)  # the class that a pair file has


def run(kind, seed, x, **given):
    """Returns what a drawn port gives, channels last, and the drawn options."""
    entry = ATTENTION[kind]
    shape = (x.shape[2], x.shape[1])
    options = {"channels": shape[-1], "layer": "layer", **entry.options(Draw(seed), shape), "others": 5}
    options |= {"mask": given["given_mask"]} if "given_mask" in given else {}
    layer = eval(entry.torch.format(**options), NAMES).eval()
    names = {**NAMES, "x": x, "layer": layer, "skip": torch.randn(len(x), 5, x.shape[2]), **given}
    output = eval(entry.forward.format(**options), names)
    assert tuple(output.movedim(1, -1).shape[1:]) == entry.shape(shape, options)
    return output.mT, options, layer


@pytest.mark.parametrize("kind", ATTENTION)
def test_a_port_gives_the_shape(kind):
    causal = [bool(run(kind, seed, torch.randn(2, 4, 7))[1]["causal"]) for seed in range(12)]
    assert set(causal) == {True, False}


def test_products_and_sums_are_what_keras_says():
    attention, x = NAMES["Attention"], torch.randn(2, 5, 4)
    scale = torch.tensor([1.0, 2.0, 0.5, -1.0])
    expected = F.scaled_dot_product_attention(x, x, x, scale=0.5, is_causal=True)
    assert torch.allclose(attention(torch.tensor(0.5))(x, x, use_causal_mask=True), expected, atol=1e-6)
    sums = torch.stack([(scale * torch.tanh(x[:, [t]] + x)).sum(-1) for t in range(5)], dim=1)
    assert torch.allclose(attention(scale, mode="sums")(x, x), sums.softmax(-1) @ x, atol=1e-6)


@pytest.mark.parametrize("kind", MASKED_ATTENTION)
def test_steps_behind_a_mask_are_not_seen(kind):
    x, mask = torch.randn(2, 4, 6), torch.tensor([[True] * 4 + [False] * 2] * 2)
    torch.manual_seed(0)
    whole = run(kind, 3, x, given_mask=mask_of(kind, MASKED), mask=mask)[0]
    torch.manual_seed(0)
    other = run(
        kind, 3, torch.cat([x[..., :4], 9 * torch.ones(2, 4, 2)], dim=2), given_mask=mask_of(kind, MASKED), mask=mask
    )
    assert torch.allclose(whole[:, :4], other[0][:, :4])


def test_attention_behind_a_mask_has_it():
    masked = [draw_layers(Draw(seed), (12,), 30, 3, "softmax")[0] for seed in range(400)]
    layers = [layer for stack in masked if stack[0].kind == "Embedding, masked" for layer in stack]
    attending = [layer for layer in layers if layer.kind in ATTENTION]
    assert len(attending) > 5
    for layer in attending:
        assert (HEADS_MASKED if "MultiHead" in layer.kind else MASKED) in layer.forward and "PyTorch" not in layer.kind


@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_values_of_another_size_are_drawn_where_keras_takes_them(backend):
    options = [HEADS.options(Draw(seed, Setting(backend=backend)), (4, 6)) for seed in range(40)]
    assert any("value_dim=3" in one["more"] for one in options) is (backend == "tensorflow")
