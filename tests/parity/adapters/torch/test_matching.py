"""Convolutions of several kinds, which share one class in torch, are told apart by order, shapes and names."""

import pytest
from torch import nn

from keras_like.separable import KerasSeparableConv1d
from parity.adapters.torch.tensors import Binding
from parity.protocol.tensors import Tensor


def convolutions():
    """Returns the table of a convolution of each kind, all of 4 channels and 3 places."""
    shapes = {
        "conv1d": ("Conv1D", {"kernel": (3, 4, 4), "bias": (4,)}),
        "depthwise_conv1d": ("DepthwiseConv1D", {"kernel": (3, 4, 1), "bias": (4,)}),
        "separable_conv1d": (
            "SeparableConv1D", {"depthwise_kernel": (3, 4, 1), "pointwise_kernel": (1, 4, 4), "bias": (4,)}
        ),
        "separable_conv1d_1": (
            "SeparableConv1D", {"depthwise_kernel": (3, 4, 1), "pointwise_kernel": (1, 4, 4), "bias": (4,)}
        ),
    }  # fmt: skip
    return [
        Tensor(f"{name}/{role}", kind, role, shape)
        for name, (kind, roles) in shapes.items()
        for role, shape in roles.items()
    ]


def convolution(window, **options):
    """Returns a convolution of 4 channels."""
    return nn.Conv1d(4, 4, window, **options)


class ByKind(nn.Module):
    """Has its depthwise convolutions by themselves."""

    def __init__(self):
        super().__init__()
        self.places = nn.ModuleList([convolution(1), convolution(1)])
        self.all_channels = convolution(3)
        self.depthwise = nn.ModuleList([convolution(3, groups=4, bias=False) for _ in range(2)])
        self.with_bias = convolution(3, groups=4)


class ByName(nn.Module):
    """Has Keras's names, and layers in another order."""

    def __init__(self):
        super().__init__()
        self.separable_conv1d_1 = KerasSeparableConv1d(4, 4, 3)
        self.separable_conv1d = KerasSeparableConv1d(4, 4, 3)
        self.depthwise_conv1d, self.conv1d = convolution(3, groups=4), convolution(3)


IN_ORDER = [
    convolution(3), convolution(3, groups=4), convolution(3, groups=4, bias=False), convolution(1),
    nn.Sequential(convolution(3, groups=4, bias=False), convolution(1)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (lambda: nn.Sequential(*IN_ORDER), ["0", "0", "1", "1", "2", "3", "3", "4.0", "4.1", "4.1"]),
        (
            ByKind,
            [*["all_channels"] * 2, *["with_bias"] * 2, "depthwise.0", *["places.0"] * 2, "depthwise.1"]
            + ["places.1"] * 2,
        ),
        (
            ByName,
            [*["conv1d"] * 2, *["depthwise_conv1d"] * 2]
            + [
                f"separable_conv1d{more}.{part}"
                for more in ("", "_1")
                for part in ("depthwise", "pointwise", "pointwise")
            ],
        ),
    ],
)
def test_convolutions_of_several_kinds_share_one_class_in_torch(make, names):
    table = Binding(make(), convolutions()).table
    assert [tensor.torch_name.rpartition(".")[0] for tensor in table] == names
