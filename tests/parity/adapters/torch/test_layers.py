"""What each layer of a module gives, in its place and alone, in Keras's layout; or why it cannot be compared."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from keras_like.separable import KerasSeparableConv1d
from parity.adapters.torch.layers import alone_of, answer_layers, in_its_place, pair_calls, recorded_calls
from parity.adapters.torch.tensors import Binding
from parity.protocol.inputs import Case
from parity.protocol.layer_forms import OUTPUT
from parity.protocol.records import Cases, LayerCall, LayerOutputs, LayerPasses
from parity.protocol.tensors import Tensor

TABLE = [
    Tensor("conv2d/kernel", "Conv2D", "kernel", (3, 3, 2, 3)),
    Tensor("conv2d/bias", "Conv2D", "bias", (3,)),
    Tensor("norm/gamma", "BatchNormalization", "gamma", (3,)),
    Tensor("norm/beta", "BatchNormalization", "beta", (3,)),
    Tensor("norm/moving_mean", "BatchNormalization", "moving_mean", (3,), False),
    Tensor("norm/moving_variance", "BatchNormalization", "moving_variance", (3,), False),
    Tensor("dense/kernel", "Dense", "kernel", (48, 5), True, None, (4, 4, 3)),
    Tensor("dense/bias", "Dense", "bias", (5,)),
]
DRAW = np.random.default_rng(0)
WEIGHTS = {tensor.path: DRAW.uniform(0.5, 1.5, tensor.shape).astype(np.float32) for tensor in TABLE}
IMAGES = DRAW.standard_normal((32, 6, 6, 2)).astype(np.float32)


class Port(nn.Module):
    """A port of a convolution, a normalisation and a dense layer behind Flatten."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.dense = nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3, momentum=0.01), nn.Linear(48, 5)

    def forward(self, x):
        x = F.relu_(self.norm(self.conv(x)))  # in place: what was recorded before must not change
        return self.dense(x.flatten(1))


def bound(module: nn.Module) -> Binding:
    """Binds a module to the table."""
    return Binding(module, TABLE, WEIGHTS)


def keras_calls(training: bool = False, images: np.ndarray = IMAGES) -> list[LayerCall]:
    """Returns what Keras's layers are given and give: what the sound port gives, in Keras's layout."""
    binding = bound(Port().train(training))
    with torch.no_grad(), recorded_calls(binding) as calls:
        output = binding.module(torch.from_numpy(np.moveaxis(images, -1, 1).copy()))
    pairs = [(layer, [value.numpy() for value in (call[0].input, call[0].outputs[0])]) for layer, call in calls.items()]
    turned = [[layer, *(np.moveaxis(a, 1, -1) if a.ndim > 2 else a for a in arrays)] for layer, arrays in pairs]
    # Keras flattens (H, W, C)
    turned[2][1] = np.moveaxis(turned[2][1].reshape(-1, 3, 4, 4), 1, -1).reshape(-1, 48)
    return [*(LayerCall(layer, gave, given) for layer, given, gave in turned), LayerCall(OUTPUT, output.numpy())]


def answered(module: nn.Module, called=lambda module, inputs: module(*inputs), tracked: bool = False) -> LayerOutputs:
    """Has a candidate of this module answer."""
    passes = LayerPasses(keras_calls(), keras_calls(True, IMAGES[:8]), keras_calls() if tracked else [])
    records = {
        "layers": LayerOutputs(in_place=passes, training_rows=8, tracked_rows=4),
        "cases": Cases(answers={}, cases={"with biases": Case(WEIGHTS, IMAGES, np.zeros(32))}),
    }
    candidate = SimpleNamespace(
        task=SimpleNamespace(reference=records.get),
        bind=lambda weights: bound(module),
        find_output=lambda binding, cases: None,
        input_of=lambda images: [torch.from_numpy(np.moveaxis(images, -1, 1).copy())],
        called=called,
        turned=lambda outputs: torch.cat(outputs).detach().numpy(),
    )
    return answer_layers(candidate)


def gaps(expected: list[LayerCall], found: list[LayerCall]) -> list[float]:
    """Returns the largest difference of each layer."""
    return [float(np.abs(ours.output - theirs.output).max()) for ours, theirs in zip(expected, found, strict=True)]


def test_a_sound_port_gives_the_same_in_both_modes_in_place_and_alone():
    module = Port()
    found, few = answered(module, tracked=True), keras_calls(True, IMAGES[:8])
    assert [call.layer for call in found.in_place.evaluation] == ["conv2d", "norm", "dense", OUTPUT]
    assert max(gaps(keras_calls(), found.in_place.evaluation)) == max(gaps(few, found.in_place.training)) == 0
    assert max(gaps(keras_calls()[:3], found.alone.evaluation) + gaps(few[:3], found.alone.training)) < 1e-6
    # statistics are tracked for a pass of their own, and taken back
    assert gaps(keras_calls()[:2], found.in_place.tracked[:2])[1] > 1e-3
    assert gaps(found.in_place.tracked[:2], found.alone.tracked[:2]) == [0, 0]
    assert np.array_equal(module.norm.running_var.numpy(), WEIGHTS["norm/moving_variance"])
    assert not module.conv._forward_hooks and module.training


def test_a_difference_inside_a_layer_shows_in_it_alone_and_in_all_behind_it():
    module = Port()
    module.norm.eps = 0.1
    found = answered(module)
    here, behind = (
        gaps(keras_calls()[:3], found.in_place.evaluation[:3]),
        gaps(keras_calls()[:3], found.alone.evaluation),
    )
    assert here[0] == 0 and min(here[1:]) > 1e-2
    assert behind[1] > 1e-2 and max(behind[0], behind[2]) < 1e-6


class Wider(Port):
    """Gives its convolution another shape."""

    def forward(self, x):
        x = F.relu(self.norm(self.conv(F.pad(x, (0, 1)))[..., :4]))
        return self.dense(x.flatten(1))


class Twice(Port):
    """Calls a layer once more."""

    def forward(self, x):
        self.norm(self.conv(x))
        return super().forward(x)


class ByHand(Port):
    """Takes a layer's tensors, and not the layer."""

    def forward(self, x):
        x = F.relu(self.norm(F.conv2d(x, self.conv.weight, self.conv.bias)))
        return self.dense(x.flatten(1))


@pytest.mark.parametrize(
    ("module", "in_place", "by_itself"),
    [
        (
            Wider(),
            "its module gives (32, 3, 4, 5), Keras's layer (32, 4, 4, 3)",
            "the port pads or reshapes before it: it is given (32, 2, 6, 7), in Keras (32, 6, 6, 2)",
        ),
        (
            Twice(),
            "its module is called 2 times, Keras's layer once",
            "its module is called 2 times, Keras's layer once",
        ),
        (
            ByHand(),
            "its module is called 0 times, Keras's layer once",
            "its module is called 0 times, Keras's layer on",
        ),
    ],
)
def test_what_cannot_be_compared_says_why(module, in_place, by_itself):
    found = answered(module)
    assert found.in_place.evaluation[0].why_not == in_place and found.in_place.evaluation[0].output is None
    assert found.alone.evaluation[0].why_not.startswith(by_itself)
    assert found.in_place.evaluation[2].output is not None  # other layers are


def test_a_module_that_sets_its_own_mode_is_told():
    found = answered(Port(), lambda module, inputs: module.eval()(*inputs))
    assert all(call.output is not None for call in found.in_place.evaluation)
    assert {call.why_not for call in found.in_place.training} == {"lightning_output() sets a mode of its own"}


def test_a_module_that_needs_more_than_its_input_is_told():
    class Needy(nn.Conv2d):
        ready = True

        def forward(self, x):
            if not self.ready:
                raise ValueError("not without the rest")
            return super().forward(x)

    module = Port()
    module.conv = Needy(2, 3, 3)
    binding, expected = bound(module.eval()), keras_calls()
    with torch.no_grad(), recorded_calls(binding) as calls:
        module(torch.from_numpy(np.moveaxis(IMAGES, -1, 1).copy()))
    (_, call, _), *_ = pair_calls(expected, calls)
    Needy.ready = False
    alone = alone_of(binding, WEIGHTS, expected[0], call, "")
    assert alone.why_not == "its module cannot be called alone (ValueError: not without the rest)"
    assert in_its_place(expected[0], call, "").output.shape == (32, 4, 4, 3)


def test_calls_of_a_shared_layer_are_paired_in_their_order():
    expected = [LayerCall("a", np.ones(1)), LayerCall("b", np.ones(1)), LayerCall("a", np.ones(1))]
    pairs = pair_calls(expected, {"a": ["first", "second"], "b": []})
    assert [call for _, call, _ in pairs] == ["first", None, "second"]
    assert [why_not for *_, why_not in pairs] == ["", "its module is called 0 times, Keras's layer once", ""]


def test_what_a_module_is_given_beside_its_input_it_is_given_alone_too():
    class Scaled(nn.Linear):
        def forward(self, x, *, times, offset=None):
            return times * super().forward(x) + (0 if offset is None else offset)

    class Whole(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = Scaled(3, 3), Scaled(3, 3)

        def forward(self, x):
            return self.second(self.first(x, times=2), times=3, offset=torch.ones(3))

    roles = {"kernel": (3, 3), "bias": (3,)}
    table = [Tensor(f"dense{n}/{role}", "Dense", role, shape) for n in ("", "_1") for role, shape in roles.items()]
    weights = {tensor.path: DRAW.standard_normal(tensor.shape).astype(np.float32) for tensor in table}
    binding, x = Binding(Whole(), table, weights), DRAW.standard_normal((4, 3)).astype(np.float32)
    with torch.no_grad(), recorded_calls(binding) as calls:
        binding.module(torch.from_numpy(x))
    expected = 2 * (x @ weights["dense/kernel"] + weights["dense/bias"])
    alone = alone_of(binding, weights, LayerCall("dense", expected, x), calls["dense"][0], "")
    assert np.allclose(alone.output, expected, atol=1e-6)
    alone = alone_of(binding, weights, LayerCall("dense_1", expected, x), calls["dense_1"][0], "")
    assert alone.why_not == "the layer is given more than one tensor"


@pytest.mark.parametrize("is_one", [True, False])
def test_a_layer_of_ones_own_is_the_module_that_holds_its_tensors_and_no_others(is_one):
    class Block(nn.Sequential):
        pass

    module = nn.Sequential(nn.ReLU(), Block(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)))
    names = ("1.0.weight", "1.0.bias", "1.2.weight", "1.2.bias")
    if not is_one:
        module = nn.Sequential(nn.ReLU(), nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
        names = tuple(name.replace("1.0", "1").replace("1.2", "3") for name in names)
    shapes = {"kernel0": (3, 4), "bias0": (4,), "kernel1": (4, 2), "bias1": (2,)}
    table = [
        Tensor(f"own/{role}", "Own", role, shape, torch_name=name, axes=(1, 0)[: len(shape) * 2 - 2])
        for (role, shape), name in zip(shapes.items(), names, strict=True)
    ]
    weights = {tensor.path: DRAW.standard_normal(tensor.shape).astype(np.float32) for tensor in table}
    binding, x = Binding(module, table, weights), torch.randn(5, 3)
    with torch.no_grad(), recorded_calls(binding) as calls:
        output = module(x)
    (_, call, why_not), _ = pair_calls([LayerCall("own", output.numpy()), LayerCall(OUTPUT, output.numpy())], calls)
    if is_one:
        assert call.module is module[1] and torch.equal(call.outputs[0], output)
    else:
        assert call is None and why_not == "the port has no module that holds its tensors and no others"


ROLES = {"depthwise_kernel": (3, 2, 2), "pointwise_kernel": (1, 4, 5), "bias": (5,)}
SEPARABLE = [Tensor(f"separable_conv1d/{role}", "SeparableConv1D", role, shape) for role, shape in ROLES.items()]


@pytest.mark.parametrize(
    ("module", "why_not"),
    [
        (nn.Sequential(KerasSeparableConv1d(2, 5, 3, depth_multiplier=2)), ""),
        (
            nn.Sequential(nn.Conv1d(2, 4, 3, groups=2, bias=False), nn.Conv1d(4, 5, 1)),
            "the port has its parts in several modules",
        ),
    ],
)
def test_a_layer_that_is_two_in_torch_is_compared_by_what_the_last_one_gives(module, why_not):
    weights = {tensor.path: DRAW.standard_normal(tensor.shape).astype(np.float32) for tensor in SEPARABLE}
    binding, x = Binding(module, SEPARABLE, weights), torch.randn(4, 2, 9)
    with torch.no_grad(), recorded_calls(binding) as calls:
        output = module(x)
    given, gave = (np.moveaxis(value.detach().numpy(), 1, -1) for value in (x, output))
    expected = LayerCall("separable_conv1d", gave, given)
    ((_, call, why),) = pair_calls([expected], calls)
    assert not why and np.array_equal(in_its_place(expected, call, "").output, gave)
    alone = alone_of(binding, weights, expected, call, "")
    assert alone.why_not == why_not
    assert (alone.output is None) == bool(why_not) and (why_not or np.allclose(alone.output, gave, atol=1e-6))
