"""Updates as functions of tensors: the same bits as the optimizer's own steps, and what is not supported."""

import copy

import pytest
import torch

from keras_like.optimizers import KerasAdam, KerasRMSprop, KerasSGD
from lightning_mlp.fast.updates import find_update

OPTIMIZERS = {
    "sgd": lambda parameters: torch.optim.SGD(parameters, 0.1),
    "momentum": lambda parameters: KerasSGD(parameters, 0.1, 0.9),
    "nesterov": lambda parameters: KerasSGD(parameters, 0.1, 0.9, True),
    "rmsprop": lambda parameters: KerasRMSprop(parameters, 0.1, momentum=0.5),
    "adam": lambda parameters: KerasAdam(parameters, 0.1),
    "adamw": lambda parameters: KerasAdam(parameters, 0.1, weight_decay=0.01),
    "torch-adam": lambda parameters: torch.optim.Adam(parameters, 0.1),
}


def parameters_of(dtype):
    return [torch.nn.Parameter(torch.linspace(-1, 1, size, dtype=dtype)) for size in (3, 4)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_update_takes_the_optimizers_steps(name, dtype):
    stepped, updated = parameters_of(dtype), parameters_of(dtype)
    optimizer, other = OPTIMIZERS[name](stepped), OPTIMIZERS[name](updated)
    generator = torch.Generator().manual_seed(0)
    gradients = [[torch.randn(value.shape, generator=generator, dtype=dtype) for value in stepped] for _ in range(6)]
    for row in gradients:
        for parameter, gradient in zip(stepped, row, strict=True):
            parameter.grad = gradient.clone()
        optimizer.step()
    update = find_update(other)
    for block in (gradients[:2], gradients[2:]):  # the count of steps goes on
        states = update.states()
        for row, numbers in zip(block, update.numbers(len(block)), strict=True):
            for arguments in zip(updated, row, states, strict=True):
                with torch.no_grad():
                    update.apply(*arguments, numbers)
        update.advance(len(block))
    for value, expected in zip(updated, stepped, strict=True):
        torch.testing.assert_close(value, expected, rtol=0 if name != "torch-adam" else 1e-6, atol=0)
    steps = [state["step"] for state in other.state.values() if "step" in state]
    assert steps == ([6, 6] if "adam" in name else [])


@pytest.mark.parametrize("options", [{"momentum": 0.9}, {"weight_decay": 0.1}, {"maximize": True}])
def test_an_option_of_sgd_that_the_update_lacks_is_not_supported(options):
    parameters = parameters_of(torch.float32)
    assert find_update(torch.optim.SGD(parameters, 0.1)) is not None
    assert find_update(torch.optim.SGD(parameters, 0.1, **options)) is None


@pytest.mark.parametrize("options", [{"weight_decay": 0.1}, {"amsgrad": True}, {"maximize": True}])
def test_an_option_of_adam_that_the_update_lacks_is_not_supported(options):
    parameters = parameters_of(torch.float32)
    assert find_update(torch.optim.Adam(parameters)) is not None
    assert find_update(torch.optim.Adam(parameters, **options)) is None


def test_a_subclass_with_an_update_of_its_own_is_not_supported():
    class Halved(KerasSGD):
        pass

    assert find_update(KerasSGD(parameters_of(torch.float32))) is not None
    assert find_update(Halved(parameters_of(torch.float32))) is None


def test_two_groups_of_parameters_are_not_supported():
    groups = [{"params": [parameter]} for parameter in parameters_of(torch.float32)]
    assert find_update(torch.optim.SGD(copy.copy(groups), 0.1)) is None
    assert find_update(torch.optim.SGD(groups[:1], 0.1)) is not None
