"""Attentions in a module are found, and what they drop by chance is caught."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from keras_like.attention import KerasMultiHeadAttention
from parity.adapters.torch.attention import attend, attention_modules, unfused
from parity.adapters.torch.chance import Chance
from parity.adapters.torch.tensors import Binding
from parity.protocol.tensors import BIAS, KERNEL, Tensor


def table(prefix):
    """The tensors of an attention of two heads of size 2."""
    shapes = dict.fromkeys(("query", "key", "value"), ((4, 2, 2), 1, (2, 2)))
    shapes["attention_output"] = ((2, 2, 4), 2, (4,))
    return [
        Tensor(f"{prefix}/{part}/{role}", "EinsumDense", role, *rest)
        for part, (kernel, inputs, bias) in shapes.items()
        for role, rest in ((KERNEL, (kernel, True, None, (), (), inputs)), (BIAS, (bias,)))
    ]


class Block(nn.Module):
    """Its attention's layers stand beside others; `att` is one by itself."""

    def __init__(self, att):
        super().__init__()
        self.att, self.query, self.key = att, nn.Linear(4, 4), nn.Linear(4, 4)
        self.value, self.out = nn.Linear(4, 4), nn.Linear(4, 4)


@pytest.mark.parametrize("att", [nn.MultiheadAttention(4, 2), KerasMultiHeadAttention(4, 2, 2)])
def test_a_part_that_holds_an_attention_and_nothing_else_is_found(att):
    module = Block(att)
    found = attention_modules(module, Binding(module, table("inner/first") + table("second")).table)
    assert found == {"inner/first": att, "second": None}


def test_the_whole_module_is_no_attention():
    whole = KerasMultiHeadAttention(4, 2, 2)
    assert attention_modules(whole, Binding(whole, table("att")).table) == {"att": None}


@pytest.mark.parametrize("needs_weights", [True, False])
def test_what_torchs_attention_drops_is_caught(needs_weights):
    module, x = nn.MultiheadAttention(4, 2, dropout=0.25, batch_first=True), torch.randn(3, 5, 4)
    shapes = []

    def drop(number, weights):
        shapes.append(tuple(weights.shape))
        return weights

    with Chance() as chance:
        silent = module(x, x, x, need_weights=needs_weights)[0]
    assert chance.rates == [0.25]
    expected = module.eval()(x, x, x, need_weights=needs_weights)[0]
    assert torch.allclose(silent, expected, atol=1e-6)
    with Chance(drop):
        module.train()(x, x, x, need_weights=needs_weights)
    assert shapes == [(6, 5, 5) if needs_weights else (3, 2, 5, 5)]
    with Chance() as chance:
        module.eval()(x, x, x)
    assert chance.rates == []


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"is_causal": True},
        {"scale": 0.5},
        {"attn_mask": torch.rand(5, 6) > 0.3},
        {"attn_mask": torch.randn(5, 6)},
        {"enable_gqa": True},
    ],
)
def test_attention_step_by_step_is_torchs(options):
    query, key, value = torch.randn(2, 4, 5, 3), torch.randn(2, 4, 6, 3), torch.randn(2, 4, 6, 7)
    if "enable_gqa" in options:
        key, value = key[:, :2], value[:, :2]
    if torch.is_tensor(mask := options.get("attn_mask")) and mask.dtype == torch.bool:
        mask[:, 0] = True
    ours = attend(lambda weights, rate: weights * (1 - rate), query, key, value, dropout_p=0.5, **options)
    assert torch.allclose(2 * ours, F.scaled_dot_product_attention(query, key, value, **options), atol=1e-5)


def test_gradients_that_vanish_do_so_where_weights_are_computed_as_they_are():
    generator = torch.Generator().manual_seed(0)
    query, key, value = (100 * torch.randn(2, 2, 6, 5, generator=generator) for _ in range(3))
    weights = (query @ key.mT / 5**0.5).softmax(dim=-1)
    assert ((weights == 0) | (weights == 1)).all()
    query.requires_grad_()
    with unfused():
        F.scaled_dot_product_attention(query, key, value).square().sum().backward()
    assert not query.grad.any()
