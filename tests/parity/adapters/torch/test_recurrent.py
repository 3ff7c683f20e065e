"""Recurrent modules: the layers that one holds, its second biases, and which of its outputs is whose."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from keras_like.recurrent import KerasGRU, KerasLSTM
from mlp_spec.support.errors import UserError
from parity.adapters.torch.recurrent import named_part, outputs_of, parts_of, shares, whole
from parity.adapters.torch.tensors import Binding
from parity.protocol.tensors import Tensor


def table_of(kind, *names, inputs=3, units=5, bias=None):
    """Returns the table of some layers, one behind the other."""
    gates = {"LSTM": 4, "GRU": 3, "SimpleRNN": 1}[kind] * units
    shapes = {"kernel": (inputs, gates), "recurrent_kernel": (units, gates), "bias": bias or (gates,)}
    return [Tensor(f"{name}/{role}", kind, role, shape) for name in names for role, shape in shapes.items()]


def arrays_of(table):
    draw = np.random.default_rng(0)
    return {tensor.path: draw.standard_normal(tensor.shape).astype("float32") for tensor in table}


def holder(**modules):
    return nn.ModuleDict(modules)


def test_a_module_holds_a_layer_for_each_direction():
    module = nn.GRU(3, 5, 2, bidirectional=True)
    assert list(parts_of("net.gru", module)) == [f"net.gru.l{end}" for end in ("0", "0_reverse", "1", "1_reverse")]
    assert list(parts_of("gru", nn.GRU(3, 5))) == ["gru"]
    reverse = parts_of("gru", module)["gru.l1_reverse"]
    assert reverse.weight_hh is module.weight_hh_l1_reverse
    assert len(list(reverse.parameters())) == 4
    linear = nn.Linear(2, 2)
    assert parts_of("linear", linear) == {"linear": linear}


def test_of_one_bias_in_keras_the_sum_is_read_and_both_are_given_the_gradient():
    table = table_of("LSTM", "a")
    arrays, module = arrays_of(table), holder(lstm=nn.LSTM(3, 5))
    nn.init.ones_(module["lstm"].bias_hh_l0)
    binding = Binding(module, table, arrays)
    assert not module["lstm"].bias_hh_l0.any()
    assert [t.torch_name for t in binding.table][2] == "lstm.bias_ih_l0 + bias_hh_l0"
    binding.set_gradients(arrays)
    torch.optim.SGD(module.parameters(), 1.0).step()
    assert np.allclose(binding.weights()["a/kernel"], 0) and np.allclose(binding.weights()["a/bias"], -arrays["a/bias"])
    assert module["lstm"].bias_ih_l0.grad is not module["lstm"].bias_hh_l0.grad
    assert all(np.array_equal(binding.gradients()[path], array) for path, array in arrays.items())


def test_a_second_bias_that_is_not_trained_steps_nowhere():
    table = table_of("LSTM", "a")
    arrays, module = arrays_of(table), holder(lstm=KerasLSTM(3, 5))
    binding = Binding(module, table, arrays)
    binding.set_gradients(arrays)
    torch.optim.SGD(module.parameters(), 1.0).step()
    assert all(np.allclose(array, 0) for array in binding.weights().values())
    assert [t.torch_name for t in binding.table][2] == "lstm.bias_ih_l0"


def test_the_second_bias_may_be_the_one_that_is_trained():
    table = table_of("LSTM", "a")
    arrays, module = arrays_of(table), holder(lstm=nn.LSTM(3, 5))
    module["lstm"].bias_ih_l0.requires_grad_(False)
    binding = Binding(module, table, arrays)
    assert binding.table[2].torch_name == "lstm.bias_ih_l0"
    module["lstm"](torch.ones(2, 3))[0].sum().backward()
    gradients = binding.gradients()
    assert gradients.keys() == arrays.keys() and gradients["a/bias"].any()


def test_a_layer_that_is_named_whole_is_no_other():
    table = table_of("LSTM", "a", "b", inputs=5)
    roles = {"kernel": "weight_ih_l0", "recurrent_kernel": "weight_hh_l0", "bias": "bias_ih_l0"}
    table[3:] = [replace(tensor, torch_name=f"first.{roles[tensor.role]}") for tensor in table[3:]]
    binding = Binding(holder(first=nn.LSTM(5, 5), other=nn.LSTM(5, 5)), table)
    assert {tensor.torch_name.partition(".")[0] for tensor in binding.table[:3]} == {"other"}


def test_a_grus_gates_and_biases_are_put_in_torchs_order():
    table = table_of("GRU", "a", bias=(2, 15))
    arrays, module = arrays_of(table), holder(gru=nn.GRU(3, 5))
    binding = Binding(module, table, arrays)
    z, r, h = np.split(arrays["a/bias"][1], 3)
    assert module["gru"].bias_hh_l0.tolist() == [*r.tolist(), *z.tolist(), *h.tolist()]
    assert np.array_equal(module["gru"].weight_ih_l0.detach().numpy()[:5], arrays["a/kernel"][:, 5:10].T)
    assert all(np.array_equal(binding.weights()[path], array) for path, array in arrays.items())
    binding.set_gradients(arrays)
    assert all(np.array_equal(binding.gradients()[path], array) for path, array in arrays.items())


def test_moments_of_both_biases_are_loaded():
    table = table_of("GRU", "a", bias=(2, 15))
    arrays, module = arrays_of(table), holder(gru=nn.GRU(3, 5))
    binding, optimizer = Binding(module, table, arrays), torch.optim.SGD(module.parameters(), 1.0, 0.9)
    binding.load_moments([optimizer], {"momentum": arrays}, 3, 1.0)
    r = optimizer.state[module["gru"].bias_hh_l0]["momentum_buffer"][:5]
    assert np.array_equal(r.numpy(), -arrays["a/bias"][1, 5:10])


def test_layers_are_found_by_the_name_of_what_is_around_them():
    table = table_of("LSTM", "one/forward_lstm", "one/backward_lstm", "two/forward_lstm", "two/backward_lstm")
    module = holder(two=KerasLSTM(3, 5, bidirectional=True), one=KerasLSTM(3, 5, bidirectional=True))
    names = [tensor.torch_name for tensor in Binding(module, table, arrays_of(table)).table if tensor.role == "kernel"]
    assert names == [f"{name}.weight_ih_l0{end}" for name in ("one", "two") for end in ("", "_reverse")]
    parts = parts_of("one", module["one"])
    assert named_part("three/forward_lstm/kernel", parts) is None
    linear = nn.Linear(1, 1)
    assert named_part("each/dense/kernel", {"net.each": linear}) is linear


def test_cells_hold_a_layer():
    table = table_of("GRU", "rnn", bias=(2, 15))
    assert Binding(holder(cell=nn.GRUCell(3, 5)), table, arrays_of(table)).table[2].torch_name.count("bias") == 2


def test_a_name_of_one_row_alone_is_refused():
    table = table_of("GRU", "a", bias=(2, 15))
    table[2] = Tensor("a/bias", "GRU", "bias", (2, 15), torch_name="other")
    module = holder(gru=KerasGRU(3, 5))
    module.register_parameter("other", nn.Parameter(torch.zeros(15)))
    with pytest.raises(UserError, match=r"name the first one, such as gru\.bias_ih_l0"):
        Binding(module, table)


def test_what_is_not_matched_is_asked_for_by_torchs_names():
    table = table_of("SimpleRNN", "a")
    module = holder(w=nn.RNN(3, 4), x=nn.RNN(3, 5), y=nn.RNN(3, 5))
    with pytest.raises(UserError, match=r"a may be x or y; .* WEIGHTS = \{'a/kernel': 'x\.weight_ih_l0'"):
        Binding(module, table)


def test_shares_make_up_the_whole():
    one, both = Tensor("a/bias", "LSTM", "bias", (8,)), Tensor("a/bias", "GRU", "bias", (2, 6))
    value = torch.arange(8.0)
    assert [share.tolist() for share in shares(one, value, 2, True)] == [value.tolist(), [0.0] * 8]
    assert torch.equal(whole(one, [value, value], True), 2 * value)
    assert torch.equal(whole(one, shares(one, value, 2, False), False), value)
    value = torch.arange(12.0).reshape(2, 6)
    assert torch.equal(whole(both, shares(both, value, 2, True), True), value)


def test_outputs_are_those_of_the_layers_own_direction():
    module = nn.LSTM(3, 5, 2, batch_first=True, bidirectional=True)
    output = module(torch.randn(2, 4, 3))
    first = outputs_of(module, module.weight_ih_l0, output)
    assert len(first) == 1 and torch.equal(first[0], output[1][0][0])
    hidden, sequence = outputs_of(module, module.weight_ih_l1_reverse, output)
    assert torch.equal(hidden, output[1][0][3]) and torch.equal(sequence[:, -1], hidden)
    cell = nn.LSTMCell(3, 5)
    states = cell(torch.randn(2, 3))
    assert outputs_of(cell, cell.weight_ih, states)[0] is states[0]
    assert outputs_of(nn.Identity(), None, (1, 2)) == []
