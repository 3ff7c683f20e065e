"""Features are joined, flattened and laid out in Keras's order."""

import torch
from sample_undoing import Port, build, tensors, undone
from torch import nn

A, B = torch.randn(4, 3), torch.randn(4, 2)
TABLE = [*tensors("a", "Dense", (3, 5), (5,)), *tensors("b", "Dense", (2, 5), (5,))]
JOINED = {
    "a": {"class_name": "Dense", "fed_by": ["x"]},
    "bent": {"class_name": "ReLU", "fed_by": ["a"]},
    "b": {"class_name": "Dense", "fed_by": ["y"]},
    "both": {"class_name": "Concatenate", "axis": -1, "fed_by": ["bent", "b"]},
}


def join(forward, settings=JOINED):
    return build(Port(forward, a=nn.Linear(3, 5), b=nn.Linear(2, 5)), (A, B), settings, TABLE)


def test_parts_are_joined_in_kerass_order():
    built = join(lambda self, a, b: torch.cat([self.b(b), self.a(a).relu()], dim=1))
    lines, output = undone("concatenate-order", built)
    assert lines == ["forward: torch.cat: join in the order of Keras's: a, b"]
    assert torch.equal(output, torch.cat([built.module.a(A).relu(), built.module.b(B)], dim=1))
    built = join(lambda self, a, b: torch.cat([self.a(a).relu(), self.b(b)], dim=1))
    assert undone("concatenate-order", built)[0] == []


def test_inputs_without_layers_are_exchanged_where_they_are_two():
    settings = {"both": {"class_name": "Concatenate", "fed_by": ["x", "y"]}}
    built = join(lambda self, a, b: torch.cat([b, a], dim=1), settings)
    lines, output = undone("concatenate-order", built)
    assert torch.equal(output, torch.cat([A, B], dim=1)) and "an input, an input" in lines[0]


def test_features_are_laid_out_as_images_with_channels_last():
    settings = {
        "first": {"class_name": "Dense"},
        "image": {"class_name": "Reshape", "target_shape": [2, 2, 3], "fed_by": ["first"]},
    }
    module = Port(lambda self, x: self.first(x).view(-1, 3, 2, 2), first=nn.Linear(3, 12))
    built = build(module, A, settings, tensors("first", "Dense", (3, 12), (12,)))
    lines, output = undone("flatten-order", built)
    assert lines == ["forward: view to (3, 2, 2): write x.unflatten(1, (2, 2, 3)).movedim(-1, 1)"]
    assert torch.equal(output, module.first(A).view(-1, 2, 2, 3).movedim(-1, 1))


def test_images_are_flattened_as_keras_does_where_no_kernel_can_be_turned():
    images = torch.randn(2, 3, 4, 4)
    settings = {"flat": {"class_name": "Flatten", "fed_by": ["x"]}, "norm": {"class_name": "LayerNormalization"}}
    table = tensors("norm", "LayerNormalization", (48,), (48,))
    module = Port(lambda self, x: self.norm(torch.flatten(x, 1)), norm=nn.LayerNorm(48))
    right = module.norm(images.movedim(1, -1).flatten(1))
    lines, output = undone("flatten-order", build(module, images, settings, table))
    assert lines == ["forward: flatten: flatten (H, W, C), x.movedim(1, -1).flatten(1)"] and torch.equal(output, right)
    table = tensors("last", "Dense", (48, 2), (2,), flattened=(4, 4, 3))
    module = Port(lambda self, x: self.last(torch.flatten(x, 1)), last=nn.Linear(48, 2))
    assert undone("flatten-order", build(module, images, settings, table))[0] == []  # the tool turns its kernel
