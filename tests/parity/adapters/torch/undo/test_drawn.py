"""What draws gets Keras's law."""

import torch
from sample_undoing import Port, build, undone
from torch import nn

ROWS = torch.ones(2000, 5, 4)


def test_a_gaussian_dropout_multiplies():
    module = Port(lambda self, x: self.second(self.first(x)), first=nn.Dropout(0.5), second=nn.Dropout(0.0))
    kinds = {"first": "GaussianDropout", "second": "Dropout"}
    settings = {name: {"class_name": kind, "rate": 0.2} for name, kind in kinds.items()}
    lines, output = undone("gaussian-dropout", build(module, ROWS, settings, []))
    assert lines == ["first: nn.Dropout(0.5): write x * (1 + 0.5 * torch.randn_like(x)) in training"]
    drawn = module.train()(ROWS)
    assert torch.equal(output, ROWS) and (drawn != 0).all() and 0.48 < drawn.std() < 0.52
    assert undone("gaussian-dropout", build(module, ROWS, settings, []))[0] == []
