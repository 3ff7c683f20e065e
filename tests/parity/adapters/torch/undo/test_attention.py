"""Attentions get their inputs, masks and scale as Keras's do."""

import torch
import torch.nn.functional as F
from sample_undoing import Port, build, undone
from torch import nn

from parity.protocol.tensors import Tensor

X = torch.randn(2, 5, 6)
MASK = torch.ones(5, 5).tril().bool()
SETTINGS = {"att": {"class_name": "MultiHeadAttention"}}
PARTS = ("query", "key", "value", "attention_output")


def attended(forward):
    module = Port(forward, att=nn.MultiheadAttention(6, 2, batch_first=True))
    table = []
    for part in PARTS:
        is_last = part == "attention_output"
        kernel, bias = ((2, 3, 6), (6,)) if is_last else ((6, 2, 3), (2, 3))
        table.append(Tensor(f"att/{part}/kernel", "EinsumDense", "kernel", kernel, inputs=2 if is_last else 1))
        table.append(Tensor(f"att/{part}/bias", "EinsumDense", "bias", bias))
    return build(module, X, SETTINGS, table)


def test_key_and_value_are_exchanged_where_they_are_two():
    built = attended(lambda self, x: self.att(x, x.flip(1), 2 * x)[0])
    lines, output = undone("attention-order", built)
    assert lines == ["att: takes query, key, value; exchange the second and third input"]
    torch.testing.assert_close(output, attended_right(built, X, 2 * X, X.flip(1)))
    assert undone("attention-order", attended(lambda self, x: self.att(x, x, x)[0]))[0] == []


def attended_right(built, query, key, value, **options):
    other = nn.MultiheadAttention(6, 2, batch_first=True).eval()
    other.load_state_dict(built.module.att.state_dict())
    return other(query, key, value, **options)[0]


def test_a_mask_is_turned_round():
    built = attended(lambda self, x: self.att(x, x, x, attn_mask=MASK)[0])
    lines, output = undone("attention-mask", built)
    assert lines == ["att: its mask must be True where a query does not see a key: write ~mask"]
    torch.testing.assert_close(output, attended_right(built, X, X, X, attn_mask=~MASK))
    assert undone("attention-mask", attended(lambda self, x: self.att(x, x, x)[0]))[0] == []


def test_functional_attentions_are_reached():
    module = Port(lambda self, x: F.scaled_dot_product_attention(x, x, x, attn_mask=~MASK | MASK.mT, scale=0.1))
    lines, output = undone("attention-scale", build(module, X, SETTINGS, []))
    assert lines == ["forward: scale=0.1: leave it out, 1 / sqrt(6) is Keras's"]
    torch.testing.assert_close(output, F.scaled_dot_product_attention(X, X, X, attn_mask=~MASK | MASK.mT))
    module = Port(lambda self, x: F.scaled_dot_product_attention(x, x, x, MASK.mT))
    lines, output = undone("attention-mask", build(module, X, SETTINGS, []))
    torch.testing.assert_close(output, F.scaled_dot_product_attention(X, X, X, ~MASK.mT), equal_nan=True)
    assert undone("attention-scale", build(module, X, SETTINGS, []))[0] == []
