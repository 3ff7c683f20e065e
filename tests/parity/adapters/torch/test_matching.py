"""Convolutions of several kinds, which share one class in torch, are told apart by order, shapes and names."""

import pytest
from torch import nn

from keras_like.separable import KerasSeparableConv1d
from mlp_spec.support.errors import UserError
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


class TwoOutputs(nn.Module):
    """Has an attention, and two outputs the other way round."""

    def __init__(self, second=1):
        super().__init__()
        self.attention = nn.MultiheadAttention(4, 1)
        self.amount, self.kind = nn.Linear(4, second), nn.Linear(4, 3)


def outputs_behind_an_attention(second=1):
    """Returns the table of an attention whose projections share a shape, and of two outputs."""
    parts = [
        Tensor(f"multi_head_attention/{part}/{role}", "EinsumDense", role, *rest)
        for part in ("query", "key", "value", "attention_output")
        for role, rest in (
            (
                "kernel",
                ((1, 4, 4) if "output" in part else (4, 1, 4), True, None, (), (), 2 if "output" in part else 1),
            ),
            ("bias", ((4,) if "output" in part else (1, 4),)),
        )
    ]
    sizes = {"dense": 3, "dense_1": second}
    return parts + [
        Tensor(f"{name}/{role}", "Dense", role, shape)
        for name, units in sizes.items()
        for role, shape in (("kernel", (4, units)), ("bias", (units,)))
    ]


def test_outputs_that_shapes_tell_apart_are_found_beside_what_they_do_not():
    names = {tensor.path: tensor.torch_name for tensor in Binding(TwoOutputs(), outputs_behind_an_attention()).table}
    assert names["dense/kernel"] == "kind.weight" and names["dense_1/bias"] == "amount.bias"
    assert names["multi_head_attention/key/kernel"] == "attention.in_proj_weight[4:8]"
    assert names["multi_head_attention/attention_output/kernel"] == "attention.out_proj.weight"


def test_outputs_the_other_way_round_leave_the_order_of_the_layers_before_them():
    # two layers of one shape, in order; behind them two outputs of their own shapes, in another one
    sizes = {"dense": (4, 4), "dense_1": (4, 4), "dense_2": (4, 3), "dense_3": (4, 1)}
    table = [Tensor(f"{name}/kernel", "Dense", "kernel", shape) for name, shape in sizes.items()]
    module = nn.Sequential(*[nn.Linear(4, units, bias=False) for units in (4, 4, 1, 3)])
    names = [tensor.torch_name for tensor in Binding(module, table).table]
    assert names == ["0.weight", "1.weight", "3.weight", "2.weight"]
    # one of the outputs stands between the two: then the order is another one, and nothing tells the two apart
    between = nn.Sequential(*[nn.Linear(4, units, bias=False) for units in (4, 1, 4, 3)])
    with pytest.raises(UserError, match="WEIGHTS in a pair file says which"):
        Binding(between, table)


def test_outputs_that_share_a_shape_are_asked_for():
    # three outputs, two of one size: neither shapes nor names tell these, and the order is another one
    table = outputs_behind_an_attention()
    table += [Tensor(f"dense_2/{role}", "Dense", role, shape) for role, shape in (("kernel", (4, 1)), ("bias", (1,)))]
    module = TwoOutputs()
    module.attention, module.more = nn.ModuleList([nn.Linear(4, 4) for _ in range(4)]), nn.Linear(4, 1)
    with pytest.raises(UserError, match="WEIGHTS in a pair file says which"):
        Binding(module, table)
