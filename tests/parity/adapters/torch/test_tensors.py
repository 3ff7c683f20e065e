"""A module's parameters are bound to the reference's tensors by order or by value, or both tables are named."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from keras_like.adaptive import KerasAdagrad, KerasNadam
from keras_like.more_optimizers import KerasAdamax, KerasLion
from keras_like.optimizers import KerasAdam, KerasRMSprop, KerasSGD
from mlp_spec.support.errors import UserError
from parity.adapters.torch.tensors import Binding, as_array, to_numpy, to_torch, translate_moments
from parity.protocol.tensors import Layout, Tensor, dense_table

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


def test_buffers_are_followed_to_where_the_module_moves():
    paths = ("gamma", "beta", "moving_mean", "moving_variance")
    kind = "BatchNormalization"
    table = [Tensor(f"norm/{name}", kind, name, (3,), trained="moving" not in name) for name in paths]
    arrays = {tensor.path: np.full(3, number, np.float32) for number, tensor in enumerate(table, 1)}
    module = nn.Sequential(nn.BatchNorm1d(3))
    binding = Binding(module, table, arrays)
    module.double().float()  # as to another device: the parameters stay the same objects, the buffers do not
    module[0].running_mean += 1
    assert binding.weights()["norm/moving_mean"].tolist() == [4, 4, 4]
    binding.load({path: array + 10 for path, array in arrays.items()})
    assert module[0].running_var.tolist() == [14, 14, 14] and module[0].weight.tolist() == [11, 11, 11]


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
    with pytest.raises(UserError, match="the candidate's tensors do not fit the reference's") as caught:
        Binding(module, TABLE, ARRAYS)
    assert all(map(torch.equal, before, module.parameters()))  # nothing has been changed
    rows = str(caught.value).splitlines()[2:]
    assert [row.split()[0] for row in rows[:4]] == [tensor.path for tensor in TABLE]
    assert any(row.endswith("<- unmatched") for row in rows)


def test_both_sides_tensors_stand_in_one_table_with_the_unmatched_marked():
    with pytest.raises(UserError) as caught:
        Binding(nn.Sequential(nn.Linear(6, 6), nn.Linear(6, 4)), TABLE)
    assert str(caught.value).splitlines() == [
        "the candidate's tensors do not fit the reference's:",
        "  Keras           in torch's layout  candidate",
        "  dense/kernel    (6, 6)             0.weight",
        "  dense/bias      (6,)               0.bias",
        "  dense_1/kernel  (3, 6)                                <- unmatched",
        "  dense_1/bias    (3,)                                  <- unmatched",
        "                                     1.weight   (4, 6)  <- unmatched",
        "                                     1.bias     (4,)    <- unmatched",
    ]


class Zoo(nn.Module):
    """Layers of several kinds, registered in another order than they run in."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(12, 3)
        self.norm = nn.BatchNorm2d(4)
        self.second, self.first = nn.Conv2d(4, 4, 3), nn.Conv2d(1, 4, 3)
        self.words = nn.Embedding(9, 4)


def table_of_zoo(*names):
    """Keras's table of the same layers, from the input to the output."""
    shapes = {
        "Conv2D": [("kernel", (3, 3, 1, 4)), ("bias", (4,))],
        "BatchNormalization": [("gamma", (4,)), ("beta", (4,)), ("moving_mean", (4,)), ("moving_variance", (4,))],
        "Conv2D ": [("kernel", (3, 3, 4, 4)), ("bias", (4,))],
        "Embedding": [("embeddings", (9, 4))],
        "Dense": [("kernel", (12, 3)), ("bias", (3,))],
    }
    return [
        Tensor(f"{name}/{role}", kind.strip(), role, shape, not role.startswith("moving"))
        for name, (kind, tensors) in zip(names, shapes.items(), strict=True)
        for role, shape in tensors
    ]


def test_layers_of_many_kinds_are_bound_by_names_or_by_shapes_and_statistics_are_read():
    for names in (("first", "norm", "second", "words", "head"), ("conv2d", "bn", "conv2d_1", "embedding", "dense")):
        module, table = Zoo(), table_of_zoo(*names)
        arrays = {t.path: DRAW.random(t.shape, np.float32) for t in table}
        binding = Binding(module, table, arrays)
        assert [t.torch_name for t in binding.table] == [
            "first.weight", "first.bias", "norm.weight", "norm.bias", "norm.running_mean", "norm.running_var",
            "second.weight", "second.bias", "words.weight", "head.weight", "head.bias",
        ]  # fmt: skip
        kernel = arrays[table[0].path]
        assert module.first.weight[3, 0, 2, 1] == kernel[2, 1, 0, 3]
        assert np.array_equal(module.norm.running_var.numpy(), arrays[table[5].path])
        assert all(np.array_equal(array, arrays[path]) for path, array in binding.weights().items())
        module.first.weight.grad = torch.ones_like(module.first.weight)
        assert binding.gradients().keys() == {table[0].path}


def test_layers_that_fit_each_other_are_bound_in_order_and_not_by_shape():
    module = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    binding = Binding(module, dense_table([(3, 3), (3, 3)]))
    assert [t.torch_name for t in binding.table] == ["0.weight", "0.bias", "1.weight", "1.bias"]


def test_where_two_layers_fit_the_user_is_asked_which_and_answers_once():
    table = dense_table([(6, 6), (6, 6), (6, 3)])
    module = nn.Sequential(nn.Linear(6, 3), nn.Linear(6, 6), nn.Linear(6, 6))
    with pytest.raises(UserError) as caught:
        Binding(module, table)
    assert str(caught.value).splitlines()[-1] == (
        "dense may be 1 or 2, dense_1 may be 1 or 2; WEIGHTS in a pair file says which, such as "
        "WEIGHTS = {'dense/kernel': '1.weight', 'dense/bias': '1.bias'}"
    )
    names = {"dense/kernel": "2.weight", "dense/bias": "2.bias"}  # the others fit one layer each, then
    table = [replace(tensor, torch_name=names.get(tensor.path)) for tensor in table]
    assert [t.torch_name for t in Binding(module, table).table] == [
        "2.weight", "2.bias", "1.weight", "1.bias", "0.weight", "0.bias",
    ]  # fmt: skip


def test_of_a_layer_the_user_may_name_one_tensor_alone():
    names = {"dense/kernel": "0.weight"}
    table = [replace(tensor, torch_name=names.get(tensor.path)) for tensor in dense_table([(6, 6), (6, 3)])]
    bound = Binding(nn.Sequential(nn.Linear(6, 6), nn.Linear(6, 3)), table).table
    assert [t.torch_name for t in bound] == ["0.weight", "0.bias", "1.weight", "1.bias"]


def test_a_layer_without_a_partner_is_named_among_those_that_have_one():
    table = [*table_of_zoo("a", "b", "c", "d", "e"), *dense_table([(5, 2)])]
    with pytest.raises(UserError) as caught:
        Binding(Zoo(), table)
    lines = str(caught.value).splitlines()
    assert [line.split()[0] for line in lines if line.endswith("unmatched")][:2] == ["dense/kernel", "dense/bias"]


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

    with pytest.raises(UserError, match="after load_canonical, 0 parameters hold dense/kernel; the cand"):
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
        # m = lr b: .5 / .1
        (lambda p: torch.optim.RMSprop(p, 0.1, momentum=0.9), SLOTS,
         {"square_avg": SLOTS["velocity"], "momentum_buffer": torch.full((2,), 5.0), "step": 7.0}),
        (torch.optim.Adagrad, {"accumulator": SLOTS["velocity"]}, {"sum": SLOTS["velocity"], "step": 7.0}),
        (KerasAdagrad, {"accumulator": SLOTS["velocity"]}, {"accumulator": SLOTS["velocity"]}),
        (KerasNadam, SLOTS, {**SLOTS, "step": 7}),
        # .9^7 (1 - .96 / 2) (1 - .96^2 / 2) ... (1 - .96^7 / 2)
        (lambda p: torch.optim.NAdam(p, momentum_decay=1), SLOTS,
         {"exp_avg": SLOTS["momentum"], "exp_avg_sq": SLOTS["velocity"], "step": 7.0, "mu_product": 0.0096825}),
        (torch.optim.Adamax, {"momentum": SLOTS["momentum"], "norm": SLOTS["velocity"]},
         {"exp_avg": SLOTS["momentum"], "exp_inf": SLOTS["velocity"], "step": 7.0}),
        (torch.optim.Adadelta, {"accumulator": SLOTS["momentum"], "delta": SLOTS["velocity"]},
         {"square_avg": SLOTS["momentum"], "acc_delta": SLOTS["velocity"], "step": 7.0}),
        (KerasAdamax, {"momentum": SLOTS["momentum"], "norm": SLOTS["velocity"]},
         {"momentum": SLOTS["momentum"], "norm": SLOTS["velocity"], "step": 7}),
        (KerasLion, {"momentum": SLOTS["momentum"]}, {"momentum": SLOTS["momentum"]}),
        (torch.optim.Rprop, {}, {}),
    ],
    ids=["KerasAdam", "KerasSGD", "KerasRMSprop", "Adam", "SGD with momentum", "SGD", "RMSprop",
         "RMSprop with momentum", "Adagrad",
         "KerasAdagrad", "KerasNadam", "NAdam", "Adamax", "Adadelta", "KerasAdamax", "KerasLion", "no moments"],
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
    optimizer = torch.optim.Rprop([nn.Parameter(torch.zeros(2))])
    with pytest.raises(UserError, match="Keras's moments cannot be put into Rprop"):
        translate_moments(optimizer, SLOTS, 7, 0.1)
    optimizer = torch.optim.Adadelta([nn.Parameter(torch.zeros(2))])
    with pytest.raises(UserError, match="Adadelta needs accumulator and delta, too"):
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


def test_moments_of_an_optimizer_that_is_not_known_are_told():
    module = stack()
    binding, optimizer = Binding(module, TABLE, ARRAYS), torch.optim.Adagrad(module.parameters())
    binding.load_moments([optimizer], {"Ftrl": {}}, 0, 0.001)  # before the first step, there are none
    words = "Keras's Ftrl keeps other moments than momentum, velocity, norm, accumulator, delta, which"
    with pytest.raises(UserError, match=words):
        binding.load_moments([optimizer], {"Ftrl": {}}, 5, 0.001)


def test_arrays_cross_with_their_layout():
    kernel = DRAW.random((2, 3)).astype(np.float32)
    assert to_torch(kernel, Layout((1, 0))).shape == (3, 2)
    assert np.array_equal(to_numpy(to_torch(kernel, Layout((1, 0))), Layout((1, 0))), kernel)
    assert to_numpy(torch.ones(2, dtype=torch.bfloat16), Layout((0,))).dtype == np.float32
    assert as_array(torch.full((2,), 0.5, dtype=torch.bfloat16, requires_grad=True)).tolist() == [0.5, 0.5]


def test_an_embedding_bag_holds_an_embeddings_weights():
    module = nn.Sequential(nn.EmbeddingBag(9, 4))
    table = [Tensor("embedding/embeddings", "Embedding", "embeddings", (9, 4), True)]
    assert Binding(module, table).table[0].torch_name == "0.weight"


@pytest.mark.parametrize(
    ("optimizer", "slots", "words"),
    [
        (KerasAdam, ("velocity",), "keeps velocity; KerasAdam needs momentum, too"),
        (torch.optim.Adam, ("velocity",), "keeps velocity; Adam needs momentum, too"),
        (torch.optim.AdamW, (), "keeps no moments; AdamW needs momentum and velocity, too"),
        (torch.optim.RMSprop, (), "keeps no moments; RMSprop needs velocity, too"),
    ],
)
def test_moments_that_another_kind_of_optimizer_needs_are_told(optimizer, slots, words):
    parameter = torch.zeros(2)
    with pytest.raises(UserError, match=words):
        translate_moments(optimizer([parameter]), dict.fromkeys(slots, parameter), 3, 0.1)
