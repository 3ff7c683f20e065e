"""Masks reach recurrent modules as in Keras; packed rows repeat their last output; given states leave masks out."""

import torch
from sample_undoing import Port, build, tensors, undone
from torch import nn
from torch.nn.utils import rnn

from keras_like.recurrent import KerasLSTM

SHAPES = ((3, 16), (4, 16), (16,))
LSTM = {"class_name": "LSTM", "return_sequences": False}
WORDS = torch.tensor([[1, 2, 3, 0, 0], [4, 5, 6, 1, 2]])
MASK = WORDS != 0
X = torch.randn(2, 5, 3) * MASK[..., None]


def right_of(module: nn.Module) -> KerasLSTM:
    right = KerasLSTM(3, 4, batch_first=True)
    right.load_state_dict(module.state_dict())
    return right


def test_the_words_mask_reaches_the_recurrent_module():
    words, module = nn.Embedding(7, 3), nn.LSTM(3, 4, batch_first=True)
    settings = {
        "words": {"class_name": "Embedding", "mask_zero": True, "fed_by": ["input"]},
        "drop": {"class_name": "Dropout", "fed_by": ["words"]},
        "rnn": LSTM | {"fed_by": ["drop"]},
    }
    table = [*tensors("words", "Embedding", (7, 3)), *tensors("rnn", "LSTM", *SHAPES)]
    port = Port(lambda self, x: self.rnn(self.words(x))[0][:, -1], words=words, rnn=module)
    right = right_of(module)
    built = build(port, WORDS, settings, table)
    lines, output = undone("mask-ignored", built)
    assert lines == ["rnn: write keras_like.recurrent.KerasLSTM, and call it with mask=words's input != 0"]
    torch.testing.assert_close(output, right(words(WORDS), mask=MASK)[0][:, -1])
    settings["words"]["mask_zero"] = False
    assert undone("mask-ignored", build(port, WORDS, settings, table))[0] == []


def test_a_masking_is_computed_from_what_it_is_given():
    module = nn.LSTM(3, 4, batch_first=True)
    settings = {"m": {"class_name": "Masking", "mask_value": 0.0}, "rnn": LSTM | {"fed_by": ["m"]}}
    right, table = right_of(module), tensors("rnn", "LSTM", *SHAPES)
    port = Port(lambda self, x: self.rnn(x)[0][:, -1], rnn=module)
    lines, output = undone("mask-ignored", build(port, X, settings, table))
    assert "mask=(x != 0).any(dim=-1)" in lines[0]
    torch.testing.assert_close(output, right(X, mask=MASK)[0][:, -1])
    assert undone("mask-ignored", build(port, X, {"rnn": LSTM}, table))[0] == []  # nothing makes a mask


def test_packed_rows_repeat_their_last_output():
    def forward(self, x):
        packed = rnn.pack_padded_sequence(x, [3, 5], batch_first=True, enforce_sorted=False)
        return rnn.pad_packed_sequence(self.rnn(packed)[0], batch_first=True)[0]

    module = nn.LSTM(3, 4, batch_first=True)
    right, settings = right_of(module), {"rnn": LSTM | {"return_sequences": True}}
    built = build(Port(forward, rnn=module), X, settings, tensors("rnn", "LSTM", *SHAPES))
    assert not built.run()[0, 3:].any()
    lines, output = undone("mask-outputs", built)
    assert lines[0].endswith("with a mask, in place of packed rows")
    torch.testing.assert_close(output, right(X, mask=MASK)[0])


def test_a_mask_beside_states_is_left_out():
    module, states = KerasLSTM(3, 4, batch_first=True), (torch.ones(1, 2, 4), torch.ones(1, 2, 4))
    table = tensors("rnn", "LSTM", *SHAPES)
    port = Port(lambda self, x: self.rnn(x, states, mask=MASK)[0][:, -1], rnn=module)
    right = module(X, states)[0][:, -1]
    lines, output = undone("mask-with-states", build(port, X, {"rnn": LSTM}, table))
    assert lines == ["rnn: leave its mask out, since it is given states"]
    torch.testing.assert_close(output, right)
    port = Port(lambda self, x: self.rnn(x, mask=MASK)[0][:, -1], rnn=KerasLSTM(3, 4, batch_first=True))
    assert undone("mask-with-states", build(port, X, {"rnn": LSTM}, table))[0] == []


def test_a_recurrent_layer_drops_features_of_its_input():
    module = nn.LSTM(3, 4, num_layers=2, batch_first=True, dropout=0.5)
    names = ("rnn", "rnn_1")
    table = [*tensors("rnn", "LSTM", *SHAPES), *tensors("rnn_1", "LSTM", (4, 16), *SHAPES[1:])]
    settings = {name: LSTM | {"dropout": 0.5} for name in names}
    built = build(Port(lambda self, x: self.rnn(x)[0], rnn=module), X, settings, table)
    lines, _ = undone("recurrent-dropout", built)
    assert module.dropout == 0 and "F.dropout1d(x.mT, 0.5, self.training)" in lines[0]
    seen = []
    module.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    module.train()(torch.ones(2, 5, 3))
    assert all((seen[0][:, step] == seen[0][:, 0]).all() for step in range(5)) and (seen[0] != 1).all()
