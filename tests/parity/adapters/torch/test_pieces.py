"""Rows of a parameter stand for a parameter of their own: filled, differentiated, and with a state of their own."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from mlp_spec.support.errors import UserError
from parity.adapters.torch.pieces import Piece, find_named, parts_of, put_state
from parity.adapters.torch.tensors import Binding
from parity.protocol.tensors import BIAS, KERNEL, Tensor

DRAW = np.random.default_rng(0)
PARTS = ("query", "key", "value")
TABLE = [
    Tensor(f"att/{part}/{role}", "EinsumDense", role, shape, inputs=inputs)
    for part in PARTS
    for role, shape, inputs in ((KERNEL, (4, 2, 2), 1), (BIAS, (2, 2), 0))
]
TABLE += [Tensor("att/attention_output/kernel", "EinsumDense", KERNEL, (2, 2, 4), inputs=2)]
TABLE += [Tensor("att/attention_output/bias", "EinsumDense", BIAS, (4,))]
ARRAYS = {t.path: DRAW.random(t.shape).astype("float32") for t in TABLE}


class Own(nn.Module):
    """An attention's layers under names of their own, in another order."""

    def __init__(self, *names):
        super().__init__()
        for name in names:
            setattr(self, name, nn.Linear(4, 4))


def test_a_piece_stands_for_its_rows():
    whole = nn.Parameter(torch.arange(12.0).reshape(6, 2))
    piece = Piece(whole, 2, 4)
    assert piece.shape == (2, 2) and piece.requires_grad and torch.equal(piece.detach(), whole.detach()[2:4])
    with torch.no_grad():
        piece.copy_(torch.zeros(2, 2))
    assert whole.detach().sum(dim=1).tolist() == [1, 5, 0, 0, 17, 21]
    assert piece.grad is None
    piece.grad = torch.ones(2, 2)
    assert whole.grad.sum(dim=1).tolist() == [0, 0, 2, 2, 0, 0] and torch.equal(piece.grad, torch.ones(2, 2))
    assert torch.ones(1, dtype=torch.float64).to(piece).dtype == torch.float32
    assert torch.equal(torch.add(piece, 1), torch.ones(2, 2))


@pytest.mark.parametrize("sizes", [{}, {"kdim": 4, "vdim": 4}, {"bias": False}])
def test_torchs_attention_holds_three_projections_and_what_comes_out(sizes):
    module = nn.ModuleDict({"att": nn.MultiheadAttention(4, 2, **sizes)})
    table = [t for t in TABLE if sizes.get("bias", True) or t.role == KERNEL]
    binding = Binding(module, table, {t.path: ARRAYS[t.path] for t in table})
    assert all(np.array_equal(array, ARRAYS[path]) for path, array in binding.weights().items())
    names = [t.torch_name for t in binding.table]
    assert names[0] == "att.in_proj_weight[0:4]" and "att.out_proj.weight" in names
    x = torch.randn(3, 5, 4)
    module["att"](x, x + 1, x + 2)[0].sum().backward()
    gradients = binding.gradients()
    whole = module["att"].in_proj_weight.grad
    assert np.allclose(gradients["att/key/kernel"].reshape(4, 4).T, whole[4:8]) and len(gradients) == len(table)


def test_features_of_other_sizes_have_parameters_of_their_own():
    part = parts_of("", nn.MultiheadAttention(4, 2, kdim=3, vdim=5))
    assert [tuple(one.weight.shape) for one in part.values()] == [(4, 4), (4, 3), (4, 5)] and [*part] == [*PARTS]


def test_moments_of_pieces_are_the_rows_of_their_parameters():
    module = nn.ModuleDict({"att": nn.MultiheadAttention(4, 2)})
    binding, optimizer = Binding(module, TABLE, ARRAYS), torch.optim.Adam(module.parameters())
    binding.load_moments([optimizer], {"momentum": ARRAYS, "velocity": ARRAYS}, 5, 0.001)
    state = optimizer.state[module["att"].in_proj_weight]
    assert state["step"] == 5 and state["exp_avg"].shape == (12, 4)
    assert np.array_equal(state["exp_avg_sq"][4:8].numpy(), ARRAYS["att/key/kernel"].reshape(4, 4).T)
    own = {}
    put_state(own, module["att"].out_proj.bias, {"step": 1})
    assert own == {module["att"].out_proj.bias: {"step": 1}}


def test_layers_that_are_named_as_projections_are_told_by_their_names():
    module = Own("k_proj", "q_proj", "v_proj", "out_proj")
    names = {t.path: t.torch_name for t in Binding(module, TABLE, ARRAYS).table}
    assert names["att/query/kernel"] == "q_proj.weight" and names["att/key/bias"] == "k_proj.bias"
    assert names["att/attention_output/kernel"] == "out_proj.weight"
    in_order = {t.path: t.torch_name for t in Binding(Own("a", "b", "c", "d"), TABLE, ARRAYS).table}
    assert in_order["att/query/kernel"] == "a.weight" and in_order["att/key/kernel"] == "b.weight"


def test_rows_are_found_by_name():
    tensors = {"qkv.weight": torch.zeros(12, 4)}
    piece = find_named(tensors, "qkv.weight[4:8]")
    assert (piece.start, piece.stop) == (4, 8) and find_named(tensors, "qkv.weight") is tensors["qkv.weight"]
    assert find_named(tensors, "qkv.weight[4:13]") is None and find_named(tensors, "other[0:1]") is None


def test_one_matrix_of_three_projections_is_bound_where_the_user_says_which_rows():
    module = nn.ModuleDict({"qkv": nn.Linear(4, 12), "out": nn.Linear(4, 4)})
    said = {
        f"att/{part}/{role}": f"qkv.{name}[{start}:{start + 4}]"
        for part, start in zip(PARTS, (0, 4, 8), strict=True)
        for role, name in ((KERNEL, "weight"), (BIAS, "bias"))
    }
    table = [Tensor(t.path, t.kind, t.role, t.shape, torch_name=said.get(t.path), inputs=t.inputs) for t in TABLE]
    binding = Binding(module, table, ARRAYS)
    assert np.array_equal(module["qkv"].weight[8:].detach().numpy(), ARRAYS["att/value/kernel"].reshape(4, 4).T)
    assert binding.table[0].torch_name == "qkv.weight[0:4]"
    table[0] = Tensor(**{**vars(table[0]), "torch_name": "qkv.weight[0:13]"})
    with pytest.raises(UserError, match=r"WEIGHTS says that att/query/kernel is qkv\.weight\[0:13\]; the module has"):
        Binding(module, table, ARRAYS)


def test_one_projection_that_is_named_leaves_the_others_to_be_found():
    module = nn.ModuleDict({"att": nn.MultiheadAttention(4, 2)})
    rows = {"att/query/kernel": "att.in_proj_weight[0:4]", "att/query/bias": "att.in_proj_bias[0:4]"}
    binding = Binding(module, [replace(tensor, torch_name=rows.get(tensor.path)) for tensor in TABLE], ARRAYS)
    assert {t.path: t.torch_name for t in binding.table}["att/value/kernel"] == "att.in_proj_weight[8:12]"
    assert all(np.array_equal(array, ARRAYS[path]) for path, array in binding.weights().items())
