"""Recurrent modules get one bias, Keras's functions, and give what Keras's layer gives last."""

import pytest
import torch
import torch.nn.functional as F
from sample_undoing import Port, build, tensors, undone
from torch import nn

from keras_like.recurrent import KerasGRU, KerasLSTM

X = torch.randn(2, 5, 3)
SIZES = {"LSTM": ((3, 16), (4, 16), (16,)), "GRU": ((3, 12), (4, 12), (2, 12)), "SimpleRNN": ((3, 4), (4, 4), (4,))}
DEFAULTS = {"activation": "tanh", "recurrent_activation": "sigmoid", "return_sequences": False}


def recurrent(module: nn.Module, kind: str = "LSTM", forward=None, **settings):
    table = tensors("rnn", kind, *settings.pop("shapes", SIZES[kind]))
    port = Port(forward or (lambda self, x: self.rnn(x)[0][:, -1]), rnn=module)
    return build(port, X, {"rnn": {"class_name": kind, **DEFAULTS, **settings}}, table)


def directions(module: nn.Module, forward, **settings):
    names = [f"both/{direction}_lstm" for direction in ("forward", "backward")]
    whole = {"both": {"class_name": "Bidirectional", "merge_mode": "concat"}}
    whole |= {name: {"class_name": "LSTM", **DEFAULTS, **settings} for name in names}
    table = [tensor for name in names for tensor in tensors(name, "LSTM", *SIZES["LSTM"])]
    return build(Port(forward, rnn=module), X, whole, table)


def test_the_second_bias_stays_at_zero_where_keras_has_one():
    built = recurrent(nn.LSTM(3, 4, batch_first=True))
    lines, _ = undone("second-bias", built)
    second = built.module.rnn.bias_hh_l0
    assert len(lines) == 1 and "nn.LSTM trains bias_ih_l0 and bias_hh_l0" in lines[0]
    assert not second.requires_grad and not second.any() and built.module.rnn.bias_ih_l0.requires_grad
    assert undone("second-bias", built)[0] == []
    assert undone("second-bias", recurrent(nn.GRU(3, 4, batch_first=True), "GRU"))[0] == []  # Keras has two there


def test_functions_become_kerass():
    built = recurrent(nn.LSTM(3, 4, batch_first=True), recurrent_activation="hard_sigmoid")
    right = KerasLSTM(3, 4, batch_first=True, recurrent_activation=F.hardsigmoid)
    right.load_state_dict(built.module.rnn.state_dict())
    lines, output = undone("recurrent-activation", built)
    assert lines == ["rnn: write keras_like.recurrent.KerasLSTM(recurrent_activation=F.hardsigmoid)"]
    torch.testing.assert_close(output, right(X)[0][:, -1])
    assert undone("recurrent-activation", recurrent(nn.LSTM(3, 4, batch_first=True)))[0] == []
    built = recurrent(nn.RNN(3, 4, batch_first=True), "SimpleRNN", activation="relu")
    assert undone("recurrent-activation", built)[0] == ["rnn: nonlinearity='tanh': write nonlinearity='relu'"]
    assert (built.run() >= 0).all()


def test_a_gru_resets_before_it_multiplies():
    shapes = (*SIZES["GRU"][:2], (12,))
    built = recurrent(nn.GRU(3, 4, batch_first=True), "GRU", reset_after=False, shapes=shapes)
    lines, output = undone("gru-reset-before", built)
    right = KerasGRU(3, 4, batch_first=True, reset_after=False)
    right.load_state_dict(built.module.rnn.state_dict())
    assert lines == ["rnn: write keras_like.recurrent.KerasGRU(reset_after=False)"]
    torch.testing.assert_close(output, right(X)[0][:, -1])
    built = recurrent(nn.GRU(3, 4, batch_first=True), "GRU", reset_after=True)
    assert undone("gru-reset-before", built)[0] == []


@pytest.mark.parametrize(
    "forward",
    [
        lambda self, x: self.rnn(x)[0][:, 0],
        lambda self, x: self.rnn(x)[0].mean(1),
        lambda self, x: self.rnn(x)[1][1][-1],
    ],
    ids=["the first step", "a mean", "the cell"],
)
def test_whatever_is_taken_is_the_last_output(forward):
    module = nn.LSTM(3, 4, batch_first=True)
    last = module(X)[1][0][-1]
    lines, output = undone("recurrent-output", recurrent(module, forward=forward))
    assert lines[0].startswith("rnn: take h_n[-1]")
    torch.testing.assert_close(output, last)


def test_what_is_the_last_output_already_is_left():
    built = recurrent(nn.LSTM(3, 4, batch_first=True))
    assert undone("recurrent-output", built)[0] == [] == undone("bidirectional-last", built)[0]
    assert not built.module.rnn._forward_hooks
    built = recurrent(nn.LSTM(3, 4, batch_first=True), forward=lambda s, x: s.rnn(x)[0][:, 0], return_sequences=True)
    assert undone("recurrent-output", built)[0] == []


def test_two_directions_give_what_each_gave_last():
    module = nn.LSTM(3, 4, batch_first=True, bidirectional=True)
    right = torch.cat(list(module(X)[1][0]), dim=1)
    lines, output = undone("bidirectional-last", directions(module, lambda self, x: self.rnn(x)[0][:, -1]))
    assert "torch.cat([h_n[-2], h_n[-1]], dim=1)" in lines[0]
    torch.testing.assert_close(output, right)
    built = directions(module, lambda self, x: torch.cat(list(self.rnn(x)[1][0]), dim=1))
    assert undone("bidirectional-last", built)[0] == []


def test_rows_are_read_backwards():
    module, options = nn.LSTM(3, 4, batch_first=True), {"go_backwards": True, "return_sequences": True}
    right = module(X.flip(1))[0]
    for forward in (lambda self, x: self.rnn(x)[0], lambda self, x: self.rnn(x.flip(1))[0].flip(1)):
        lines, output = undone("go-backwards", recurrent(module, forward=forward, **options))
        assert len(lines) == 1
        torch.testing.assert_close(output, right)
        module._forward_hooks.clear()
        module._forward_pre_hooks.clear()
    assert undone("go-backwards", recurrent(module, forward=lambda s, x: s.rnn(x.flip(1))[0], **options))[0] == []
