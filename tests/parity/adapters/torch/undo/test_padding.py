"""Paddings become Keras's, wherever the port pads; the module then gives what keras_like's layer gives."""

import pytest
import torch
import torch.nn.functional as F
from sample_undoing import Port, build, tensors, undone
from torch import nn

from keras_like.padding import KerasConv1d, KerasConv2d
from keras_like.transposed import KerasConvTranspose2d

IMAGES, ROWS = torch.randn(2, 3, 6, 6), torch.randn(2, 3, 8)
TABLE = tensors("conv", "Conv2D", (3, 3, 3, 4), (4,))


def conv(port: Port, padding: str = "same", x: torch.Tensor = IMAGES, table=TABLE, **more):
    settings = {"conv": {"class_name": table[0].kind, "padding": padding, **more}}
    return build(port, x, settings, table, {"conv": ((2, *x.shape[2:], 3), (2, 3, 3, 4))})


def same(right: nn.Module, module: nn.Module) -> nn.Module:
    right.load_state_dict(module.state_dict())
    return right


def test_a_convolution_with_strides_pads_as_keras():
    module = nn.Conv2d(3, 4, 3, stride=2, padding=1)
    right = same(KerasConv2d(3, 4, 3, padding="same", stride=2), module)
    built = conv(Port(lambda self, x: self.conv(x), conv=module))
    before = built.run()
    lines, output = undone("same-padding-with-strides", built)
    assert lines == ["conv: nn.Conv2d(padding=1): write keras_like.padding.KerasConv2d(padding='same', stride=2)"]
    assert torch.equal(output, right(IMAGES)) and not torch.allclose(before, output)
    assert undone("same-padding-with-strides", built)[0] == []  # it is Keras's by now


def test_what_pads_before_a_convolution_is_left_out():
    module = nn.Conv2d(3, 4, 3, stride=2)
    right = same(KerasConv2d(3, 4, 3, padding="same", stride=2), module)
    lines, output = undone(
        "same-padding-with-strides", conv(Port(lambda self, x: self.conv(F.pad(x, (1, 1, 1, 1))), conv=module))
    )
    assert lines[0].endswith("without the padding before it") and torch.equal(output, right(IMAGES))


@pytest.mark.parametrize("padding", [1, "same"])
def test_without_strides_both_are_alike(padding):
    built = conv(Port(lambda self, x: self.conv(x), conv=nn.Conv2d(3, 4, 3, padding=padding)))
    assert undone("same-padding-with-strides", built)[0] == [] == undone("causal-padding", built)[0]


def test_causal_and_no_padding():
    table = tensors("conv", "Conv1D", (3, 3, 4), (4,))
    module = nn.Conv1d(3, 4, 3, padding=1)
    right = same(KerasConv1d(3, 4, 3, padding="causal"), module)
    lines, output = undone("causal-padding", conv(Port(lambda s, x: s.conv(x), conv=module), "causal", ROWS, table))
    assert "KerasConv1d(padding='causal')" in lines[0] and torch.equal(output, right(ROWS))
    built = conv(Port(lambda self, x: self.conv(x).mean((2, 3)), conv=nn.Conv2d(3, 4, 3, padding=1)), "valid")
    lines, output = undone("padding-added", built)
    assert "padding='valid'" in lines[0] and built.module.conv(IMAGES).shape == (2, 4, 4, 4)


@pytest.mark.parametrize(
    ("option", "setting", "padding", "own"),
    [
        ("stride", "strides", "valid", {}),
        ("stride", "strides", "same", {"padding": 1}),
        ("dilation", "dilation_rate", "valid", {}),
        ("dilation", "dilation_rate", "same", {"padding": "same"}),
    ],
)
def test_a_convolution_steps_and_is_dilated_as_keras(option, setting, padding, own):
    module = nn.Conv2d(3, 4, 3, **own)
    right = same(KerasConv2d(3, 4, 3, padding=padding, **{option: 2}), module)
    settings = {"strides": 1, "dilation_rate": [1, 1], setting: [2, 2]}
    built = conv(Port(lambda self, x: self.conv(x), conv=module), padding, **settings)
    lines, output = undone(f"convolution-{option}", built)
    also = ", as keras_like.padding.KerasConv2d(padding='same')" * (padding == "same")
    assert lines == [f"conv: nn.Conv2d({option}=1): write {option}=2{also}"]
    assert torch.allclose(output, right(IMAGES), atol=1e-6)
    assert undone(f"convolution-{option}", built)[0] == [] == undone("same-padding-with-strides", built)[0]


@pytest.mark.parametrize(("kernel", "padding", "differs"), [(3, 1, True), (4, 1, False)])
def test_a_transposed_convolution_cuts_as_keras(kernel, padding, differs):
    table = tensors("conv", "Conv2DTranspose", (kernel, kernel, 4, 3), (4,))
    module = nn.ConvTranspose2d(3, 4, kernel, stride=2, padding=padding, output_padding=kernel % 2)
    right = same(KerasConvTranspose2d(3, 4, kernel, stride=2, padding="same"), module)
    built = conv(Port(lambda self, x: self.conv(x), conv=module), table=table, output_padding=None)
    lines, output = undone("transposed-same", built)
    assert bool(lines) == differs and torch.allclose(output, right(IMAGES), atol=1e-6)


def test_zeros_are_put_on_the_sides_that_keras_names():
    settings = {"zeros": {"class_name": "ZeroPadding2D", "padding": [[1, 0], [0, 1]]}}
    built = build(nn.Sequential(nn.ZeroPad2d((1, 0, 0, 1))), IMAGES, settings, [])
    lines, output = undone("zero-padding-order", built)
    assert lines == ["0: padding (1, 0, 0, 1): write (0, 1, 1, 0), the last axis first"]
    assert torch.equal(output, F.pad(IMAGES, (0, 1, 1, 0))) and undone("zero-padding-order", built)[0] != []
