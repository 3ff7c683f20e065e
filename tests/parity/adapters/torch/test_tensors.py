"""A module's parameters are bound to the reference's tensors by order or by value, or both tables are named."""

import numpy as np
import pytest
import torch
from torch import nn

from keras_like.optimizers import KerasAdam, KerasRMSprop, KerasSGD
from mlp_spec.support.errors import UserError
from parity.adapters.torch.tensors import Binding, to_numpy, to_torch, translate_moments
from parity.protocol.tensors import Layout, dense_table

TABLE = dense_table([(6, 6), (6, 3)])  # the first kernel is square
DRAW = np.random.default_rng(0)
ARRAYS = {tensor.path: DRAW.random(tensor.shape, np.float32) for tensor in TABLE}


def stack(*more):
    return nn.Sequential(nn.Linear(6, 6), nn.Sigmoid(), nn.Linear(6, 3), *more)


class Own(nn.Module):
    """Holds its weights in a way of its own, and fills them itself: one matrix is not transposed."""

    def __init__(self):
        super().__init__()
        self.last, self.first = nn.Linear(6, 3), nn.Linear(6, 6)  # registered in another order

    def load_canonical(self, arrays):
        self.names = sorted(arrays)
        for layer, name in ((self.first, "dense_0"), (self.last, "dense_1")):
            layer.weight.copy_(torch.from_numpy(arrays[f"{name}/kernel"].T.copy()))
            layer.bias.copy_(torch.from_numpy(arrays[f"{name}/bias"]))


def test_layers_are_bound_in_their_order_and_a_square_kernel_is_transposed():
    module = stack()
    binding = Binding(module, TABLE, ARRAYS)
    assert [tensor.torch_name for tensor in binding.table] == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert np.array_equal(module[0].weight.detach().numpy(), ARRAYS["dense/kernel"].T)
    assert not np.array_equal(module[0].weight.detach().numpy(), ARRAYS["dense/kernel"])
    assert all(np.array_equal(array, ARRAYS[path]) for path, array in binding.weights().items())
    output = torch.sigmoid(
        torch.ones(1, 6) @ torch.from_numpy(ARRAYS["dense/kernel"]) + torch.from_numpy(ARRAYS["dense/bias"])
    )
    assert torch.allclose(module[:2](torch.ones(1, 6)), output, atol=1e-6)


def test_without_arrays_the_weights_stay_as_they_are():
    module = stack()
    before = module[0].weight.detach().clone()
    binding = Binding(module, TABLE)
    assert torch.equal(module[0].weight, before)
    binding.weights()["dense/kernel"][:] = 9  # a copy
    assert torch.equal(module[0].weight, before)


@pytest.mark.parametrize(
    "module",
    [
        nn.Sequential(nn.Linear(6, 5), nn.Linear(5, 3)),
        nn.Sequential(nn.Linear(6, 6), nn.Linear(6, 3, bias=False)),
        nn.Sequential(nn.Linear(6, 6)),
        stack(nn.Linear(3, 3)),
        stack(nn.LayerNorm(3)),
        nn.Sequential(nn.Conv1d(6, 6, 1), nn.Linear(6, 3)),
    ],
    ids=["other shapes", "no bias", "a layer too few", "a layer too many", "more parameters", "another kind"],
)
def test_a_module_with_other_parameters_is_refused_with_both_tables(module):
    before = [value.detach().clone() for value in module.parameters()]
    with pytest.raises(UserError, match=r"the candidate's trainable parameters are: 0\.weight") as caught:
        Binding(module, TABLE, ARRAYS)
    assert all(map(torch.equal, before, module.parameters()))  # nothing has been changed
    assert "the experiment has (in torch's layout): dense/kernel (6, 6), dense/bias (6,)" in str(caught.value)


def test_gradients_are_in_keras_layout_and_a_missing_one_is_left_out():
    module = stack()
    binding = Binding(module, TABLE, ARRAYS)
    module[2].weight.grad = torch.arange(18.0).reshape(3, 6)
    assert binding.gradients().keys() == {"dense_1/kernel"}
    assert np.array_equal(binding.gradients()["dense_1/kernel"], np.arange(18.0).reshape(3, 6).T)


# ---- a module that fills itself


def test_a_module_that_fills_itself_is_given_the_names_of_its_contract_and_found_by_values():
    module = Own()
    binding = Binding(module, TABLE, ARRAYS)
    assert module.names == ["dense_0/bias", "dense_0/kernel", "dense_1/bias", "dense_1/kernel"]
    assert [t.torch_name for t in binding.table] == ["first.weight", "first.bias", "last.weight", "last.bias"]
    assert all(np.array_equal(array, ARRAYS[path]) for path, array in binding.weights().items())


def test_a_module_that_fills_the_square_kernel_the_wrong_way_is_refused():
    class Turned(Own):
        def load_canonical(self, arrays):
            super().load_canonical(arrays)
            self.first.weight.copy_(torch.from_numpy(arrays["dense_0/kernel"]))

    with pytest.raises(UserError, match="after load_canonical, 0 parameters hold dense/kernel; the candidate's"):
        Binding(Turned(), TABLE, ARRAYS)


def test_a_module_that_writes_into_the_arrays_is_refused():
    class Writes(Own):
        def load_canonical(self, arrays):
            super().load_canonical(arrays)
            arrays["dense_0/bias"] += 1

    before = {path: array.copy() for path, array in ARRAYS.items()}
    with pytest.raises(UserError, match="load_canonical wrote into the arrays it was given"):
        Binding(Writes(), TABLE, ARRAYS)
    assert all(np.array_equal(array, before[path]) for path, array in ARRAYS.items())


def test_a_module_that_holds_a_tensor_twice_or_more_is_refused():
    class Twice(Own):
        def __init__(self):
            super().__init__()
            self.copy = nn.Linear(6, 6)

        def load_canonical(self, arrays):
            super().load_canonical(arrays)
            self.copy.load_state_dict(self.first.state_dict())

    class More(Own):
        def __init__(self):
            super().__init__()
            self.more = nn.Linear(2, 2)

    with pytest.raises(UserError, match="after load_canonical, 2 parameters hold dense/kernel"):
        Binding(Twice(), TABLE, ARRAYS)
    with pytest.raises(UserError, match=r"more\.weight"):
        Binding(More(), TABLE, ARRAYS)


# ---- moments


SLOTS = {"momentum": torch.full((2,), 0.5), "velocity": torch.full((2,), 0.25)}


@pytest.mark.parametrize(
    ("make", "slots", "state"),
    [
        (KerasAdam, SLOTS, {**SLOTS, "step": 7}),
        (lambda p: KerasSGD(p, 0.1, 0.9), {"momentum": SLOTS["momentum"]}, {"momentum": SLOTS["momentum"]}),
        (KerasRMSprop, {"velocity": SLOTS["velocity"]}, {"velocity": SLOTS["velocity"]}),
        (torch.optim.Adam, SLOTS, {"exp_avg": SLOTS["momentum"], "exp_avg_sq": SLOTS["velocity"], "step": 7.0}),
        # v = -lr b: .5 / -.1
        (lambda p: torch.optim.SGD(p, 0.1, 0.9), {"momentum": SLOTS["momentum"]},
         {"momentum_buffer": torch.full((2,), -5.0)}),
        (lambda p: torch.optim.SGD(p, 0.1), {}, {}),
        (torch.optim.RMSprop, {"velocity": SLOTS["velocity"]}, {"square_avg": SLOTS["velocity"], "step": 7.0}),
        (torch.optim.Adagrad, {}, {}),
    ],
    ids=["KerasAdam", "KerasSGD", "KerasRMSprop", "Adam", "SGD with momentum", "SGD", "RMSprop", "no moments"],
)  # fmt: skip
def test_keras_moments_become_each_optimizers_own_state(make, slots, state):
    translated = translate_moments(make([nn.Parameter(torch.zeros(2))]), slots, 7, 0.1)
    assert translated.keys() == state.keys()
    for name, value in state.items():
        assert torch.allclose(torch.as_tensor(translated[name]), torch.as_tensor(value)), name


def test_amsgrad_has_its_largest_moment():
    optimizer = torch.optim.Adam([nn.Parameter(torch.zeros(2))], amsgrad=True)
    assert torch.equal(translate_moments(optimizer, SLOTS, 7, 0.1)["max_exp_avg_sq"], SLOTS["velocity"])


def test_an_optimizer_with_a_state_that_is_unknown_is_refused():
    optimizer = torch.optim.Adagrad([nn.Parameter(torch.zeros(2))])
    with pytest.raises(UserError, match="Keras's moments cannot be put into Adagrad"):
        translate_moments(optimizer, SLOTS, 7, 0.1)


def test_moments_are_loaded_in_torchs_layout_and_none_before_the_first_step():
    module = stack()
    binding, optimizer = Binding(module, TABLE, ARRAYS), KerasAdam(module.parameters())
    moments = {"momentum": ARRAYS, "velocity": ARRAYS}
    binding.load_moments([optimizer], moments, 5, 0.001)
    assert np.array_equal(optimizer.state[module[0].weight]["velocity"].numpy(), ARRAYS["dense/kernel"].T)
    assert optimizer.state[module[0].weight]["step"] == 5
    binding.load_moments([optimizer], moments, 0, 0.001)
    assert not optimizer.state


def test_arrays_cross_with_their_layout():
    kernel = DRAW.random((2, 3)).astype(np.float32)
    assert to_torch(kernel, Layout((1, 0))).shape == (3, 2)
    assert np.array_equal(to_numpy(to_torch(kernel, Layout((1, 0))), Layout((1, 0))), kernel)
    assert to_numpy(torch.ones(2, dtype=torch.bfloat16), Layout((0,))).dtype == np.float32
