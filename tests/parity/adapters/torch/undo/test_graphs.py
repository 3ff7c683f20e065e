"""What rounds in a `forward`, or cuts its graph, is left out; where nothing does, nothing is changed."""

from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from sample_undoing import Port, build, tensors, undone
from torch import nn

from parity.adapters.torch.undo import graphs
from parity.adapters.torch.undo.difference import HOOKS, TRAINER, Built

X = torch.randn(4, 3)
TABLE = [*tensors("first", "Dense", (3, 5), (5,)), *tensors("last", "Dense", (5, 2), (2,))]
SETTINGS = {"first": {"class_name": "Dense"}, "last": {"class_name": "Dense"}}
BRAIN, HALF = torch.bfloat16, torch.float16


def whole(self, x):
    return self.last(F.relu(self.first(x)))


def casts(self, x):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return whole(self, x).float()


def cut_by_mode(self, x):
    with torch.no_grad():
        x = F.relu(self.first(x))
    return self.last(x)


def port(forward):
    module = Port(forward, first=nn.Linear(3, 5), last=nn.Linear(5, 2))
    return module, build(module, X, SETTINGS, TABLE)


@pytest.mark.parametrize(
    ("id", "forward", "line"),
    [
        ("bfloat16", casts, "first: linear in bfloat16: leave autocast and conversions to bfloat16 out"),
        ("bfloat16", lambda self, x: whole(self, x).to(BRAIN).float(), "forward: to in bfloat16: leave autocast"),
        ("bfloat16", lambda self, x: whole(self, x.bfloat16().float()), "forward: bfloat16 in bfloat16: leave"),
        ("float16-or-tf32", lambda self, x: whole(self, x.type(HALF).float()), "forward: type in float16: leave"),
    ],
)
def test_nothing_is_rounded_to_16_bits(id, forward, line):
    module, built = port(forward)
    right = whole(module, X)
    assert not torch.equal(built.run(), right)
    lines, output = undone(id, built)
    assert torch.equal(output, right) and lines[0].startswith(line)


@pytest.mark.parametrize(
    ("forward", "line"),
    [
        (lambda self, x: self.last(F.relu(self.first(x)).detach()), "forward: detach behind first: leave it out"),
        (lambda self, x: self.last(self.first(x).data.relu()), "forward: data behind first: leave it out"),
        (cut_by_mode, "forward: torch.no_grad(): leave it out"),
    ],
)
def test_gradients_reach_all_layers(forward, line):
    module, built = port(forward)
    module(X).sum().backward()
    assert module.first.weight.grad is None
    assert undone("detached-layer", built)[0] == [line]
    module(X).sum().backward()
    assert module.first.weight.grad.abs().sum() > 0


def test_what_neither_rounds_nor_cuts_is_left():
    for forward in (whole, lambda self, x: whole(self, x.detach()), lambda self, x: whole(self, x.to(torch.float32))):
        _, built = port(forward)
        assert [undo.change(built) for undo in graphs.UNDOS] == [[], [], []]


def test_a_layer_that_keras_does_not_train_may_be_cut_off():
    _, built = port(cut_by_mode)
    for tensor in built.facts.tensors[:2]:
        object.__setattr__(tensor, "trained", False)
    assert undone("detached-layer", built)[0] == []
    for tensor in built.facts.tensors[:2]:
        object.__setattr__(tensor, "trained", True)


def test_a_step_that_casts_is_told_by_its_dtype():
    put_back = []
    change = SimpleNamespace(kind="cast", hook="training_step", text="bfloat16", put_back=lambda: put_back.append(1))
    lines = [undo.also[HOOKS](None, change) for undo in graphs.UNDOS if undo.also]
    assert lines == ["training_step: autocast to bfloat16: leave it out", None] and put_back == [1]


@pytest.mark.parametrize(("id", "given"), [("bfloat16", "bf16-mixed"), ("float16-or-tf32", "16-mixed")])
def test_a_trainer_that_mixes_in_16_bits_computes_in_32(id, given):
    (undo,) = [one for one in graphs.UNDOS if one.id == id]
    built = Built(None, None, 0, None, options={"precision": given, "gradient_clip_val": 1.0})
    assert undo.at(TRAINER)(built) == [f'Trainer(precision="{given}"): leave it out']
    assert built.options == {"gradient_clip_val": 1.0} and undo.at(TRAINER)(built) == []
    (other,) = [one for one in graphs.UNDOS if one.at(TRAINER) and one.id != id]
    assert other.at(TRAINER)(Built(None, None, 0, None, options={"precision": given})) == []
