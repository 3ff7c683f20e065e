"""Names say which part of a module is which layer; what they do not say is taken as it comes."""

import numpy as np
import pytest
import torch
from torch import nn

from mlp_spec.support.errors import UserError
from parity.adapters.torch.names import by_names, by_roles, is_default, role_of
from parity.adapters.torch.tensors import Binding
from parity.protocol.tensors import Tensor

DENSE = "Dense"


def test_what_a_name_says_of_a_projection():
    said = {name: role_of(name) for name in ("a.q_proj", "Wk", "toValue", "linear_v", "key", "out_proj", "qkv", "q_k")}
    assert [*said.values()] == ["query", "key", "value", "value", "key", "", "", ""]
    parts = dict.fromkeys(("q", "k", "v", "o"), "part")
    assert by_roles(["query", "key", "value"], parts) == [] and by_roles(["dense"], {"x": 1}) == []
    assert by_roles(["dense", "query"], {"q": 1, "other": 2}) == [2, 1]


def test_parts_of_the_same_names_come_first_and_others_as_they_come():
    parts = {"first": 1, "kind": 2, "amount": 3, "second": 4}
    layers = dict.fromkeys(("dense", "amount", "kind", "dense_1"), DENSE)
    assert by_names(layers, parts) == [1, 3, 2, 4]
    assert by_names({**layers, "dense_2": DENSE}, parts) == []
    assert by_names(dict.fromkeys(("a", "b"), DENSE), {"x": 1, "y": 2}) == []


def test_of_two_parts_of_a_name_those_in_the_same_place_are_meant():
    layers = dict.fromkeys(("att/query", "att/out", "att2/query", "att2/out"), DENSE)
    parts = {"att2.query": 1, "att.query": 2, "att.o": 3, "att2.o": 4}
    assert by_names(layers, parts) == [2, 3, 1, 4]
    assert by_names(layers, {"a.query": 1, "a.o": 2, "b.query": 3, "b.o": 4}) == []


def test_names_that_keras_gives_say_nothing():
    assert is_default("dense", DENSE) and is_default("dense_12", DENSE) and is_default("conv2d_1", "Conv2D")
    assert not is_default("head", DENSE) and not is_default("dense_out", DENSE)
    assert by_names(dict.fromkeys(("dense", "dense_1"), DENSE), {"fc": 1, "dense": 2}) == []


def test_a_named_tensor_may_have_axes_of_length_one_that_keras_has_not():
    module, values = nn.Module(), np.arange(4, dtype=np.float32)
    module.gamma = nn.Parameter(torch.ones(1, 1, 4))
    tensor = Tensor("norm/gamma", "OwnNorm", "gamma", (4,), torch_name="gamma")
    binding = Binding(module, [tensor], {"norm/gamma": values})
    assert module.gamma.shape == (1, 1, 4) and torch.equal(module.gamma.detach().ravel(), torch.from_numpy(values))
    (2 * module.gamma).sum().backward()
    assert binding.weights()["norm/gamma"].tolist() == [*values]
    assert binding.gradients()["norm/gamma"].tolist() == [2] * 4
    module.gamma = nn.Parameter(torch.ones(2, 2))
    with pytest.raises(UserError, match=r"gamma is gamma, of the shape \(2, 2\); Keras's has \(4,\)"):
        Binding(module, [tensor])
