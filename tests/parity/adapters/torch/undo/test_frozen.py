"""What is trained and tracked becomes what Keras trains and tracks."""

from dataclasses import replace

import torch
import torch.nn.functional as F
from sample_undoing import Port, build, tensors, undone
from torch import nn

from keras_like.normalization import KerasBatchNorm1d
from parity.adapters.torch.modes import set_mode

X = torch.randn(6, 4)
NORM = tensors("norm", "BatchNormalization", (4,), (4,), (4,), (4,))


def norm(module: nn.Module, forward=lambda self, x: self.norm(x), **settings):
    return build(Port(forward, norm=module), X, {"norm": {"class_name": "BatchNormalization", **settings}}, NORM)


def test_a_frozen_batch_norm_stays_in_evaluation_mode():
    built = norm(nn.BatchNorm1d(4), trainable=False)
    lines, _ = undone("batch-norm-frozen", built)
    assert lines == ["norm trains, in Keras it is frozen: write self.norm.eval().requires_grad_(False)"]
    set_mode(built.module, True)
    assert built.module.training and not built.module.norm.training
    assert not any(value.requires_grad for value in built.module.norm.parameters())
    assert undone("batch-norm-frozen", norm(nn.BatchNorm1d(4), trainable=True))[0] == []


def test_one_that_keras_trains_is_trained():
    built = norm(nn.BatchNorm1d(4), trainable=True)
    built.module.norm.eval()
    assert undone("batch-norm-frozen", built)[0] == ["norm is frozen, in Keras it trains: leave norm.eval() out"]
    set_mode(built.module, True)
    assert built.module.norm.training


def test_evaluation_takes_the_moving_statistics():
    built = norm(nn.BatchNorm1d(4, momentum=0.0), lambda self, x: self.norm.train()(x))
    lines, output = undone("batch-norm-mode", built)
    assert len(lines) == 1 and "leave .train() out" in lines[0]
    module = built.module.norm
    right = F.batch_norm(X, module.running_mean, module.running_var, module.weight, module.bias)
    torch.testing.assert_close(output, right)
    assert undone("batch-norm-mode", norm(nn.BatchNorm1d(4)))[0] == []


def test_evaluation_takes_them_where_the_layer_computes_as_keras_does():
    built = norm(KerasBatchNorm1d(4), lambda self, x: self.norm.train()(x))
    lines, output = undone("batch-norm-mode", built)
    assert lines == ["norm: normalises by the batch in evaluation mode, too: leave .train() out"]
    module = built.module.norm
    right = F.batch_norm(X, module.running_mean, module.running_var, *module.parameters(), eps=1e-3)
    torch.testing.assert_close(output, right)
    built.module.train()(X)
    assert module.training and undone("batch-norm-mode", norm(KerasBatchNorm1d(4)))[0] == []


def test_a_function_takes_them_in_evaluation():
    def forward(self, x):
        return F.batch_norm(x, self.norm.running_mean, self.norm.running_var, *self.norm.parameters(), True, 0.0)

    built = norm(nn.BatchNorm1d(4), forward)
    lines, output = undone("batch-norm-mode", built)
    assert lines == ["forward: batch norm by the batch in evaluation mode, too: leave .train() out"]
    module = built.module.norm
    torch.testing.assert_close(output, F.batch_norm(X, module.running_mean, module.running_var, *module.parameters()))


def test_what_keras_does_not_train_is_not_trained_and_the_reverse():
    table = [replace(tensor, trained=False) for tensor in tensors("first", "Dense", (4, 2), (2,))]
    module = Port(lambda self, x: self.first(x), first=nn.Linear(4, 2))
    built = build(module, X, {"first": {"class_name": "Dense"}}, table)
    lines, _ = undone("frozen-layer", built)
    assert lines[0] == "first.weight is not trained in Keras: write requires_grad_(False)" and len(lines) == 2
    assert not module.first.weight.requires_grad
    table = tensors("first", "Dense", (4, 2), (2,))
    lines, _ = undone("frozen-layer", build(module, X, {"first": {"class_name": "Dense"}}, table))
    assert "is trained in Keras" in lines[0] and module.first.weight.requires_grad and module.first.bias.requires_grad


def test_every_word_is_trained():
    words = nn.Embedding(7, 3, padding_idx=0)
    module = Port(lambda self, x: self.words(x), words=words)
    built = build(module, torch.zeros(2, 3).long(), {}, tensors("words", "Embedding", (7, 3)))
    assert undone("embedding-padding", built)[0] == ["words: nn.Embedding(padding_idx=0): leave padding_idx out"]
    words(torch.tensor([0, 1])).sum().backward()
    assert words.weight.grad[0].any() and undone("embedding-padding", built)[0] == []
