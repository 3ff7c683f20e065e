"""Keras's Adam in torch: hand-worked numbers, and the trajectory of Keras's own optimizer."""

import copy
import json
import math

import numpy as np
import pytest
import torch
from conftest import run_python

from keras_like.optimizers import KerasAdam, KerasSGD, step_size


def test_the_first_step_by_hand():
    # t = 1: m = .1 g, v = .001 g^2, alpha = lr sqrt(.001) / .1
    # step = alpha m / (sqrt(v) + eps) = lr g sqrt(.001) / (sqrt(.001) |g| + eps)
    for gradient, shrunk in ((1e-4, 0.0307), (1e-5, 0.2403), (1e-6, 0.7597)):
        parameter = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
        parameter.grad = torch.full((1,), gradient, dtype=torch.float64)
        KerasAdam([parameter], lr=0.001, float32_constants=False).step()
        expected = 0.001 * gradient * math.sqrt(0.001) / (math.sqrt(0.001) * gradient + 1e-7)
        assert -parameter.item() == pytest.approx(expected, rel=1e-12)
        # PyTorch's Adam steps by lr for all of these: the smaller the gradient, the more Keras's steps shrink
        assert 1 - expected / 0.001 == pytest.approx(shrunk, abs=1e-4)


def test_float32_betas_move_the_first_step_sizes():
    # float32(.999) = .999 + 1.287e-8, float32(.9) = .9 - 2.384e-8; alpha = lr sqrt(1 - beta_2) / (1 - beta_1)
    # relative change at t = 1: -1.287e-8 / (2 * .001) - 2.384e-8 / .1 = -6.44e-6 - 2.4e-7 = -6.67e-6
    through, exact = (step_size(1, torch.float64, 0.001, (0.9, 0.999), rounded) for rounded in (True, False))
    assert (through / exact - 1).item() == pytest.approx(-6.67e-6, rel=0.01)


def test_momentum_and_weight_decay_pass_through_float32():
    def moved(cls, **numbers):
        parameter = torch.nn.Parameter(torch.ones(1, dtype=torch.float64))
        optimizer = cls([parameter], **numbers)
        for gradient in (1.0, 0.0):
            parameter.grad = torch.full((1,), gradient, dtype=torch.float64)
            optimizer.step()
        return 1 - parameter.item()

    # steps of lr and mu lr; float32(.9) = .9 - 2.384e-8
    assert moved(KerasSGD, lr=1.0, momentum=0.9) - 1.9 == pytest.approx(-2.384e-8, rel=1e-3)
    assert moved(KerasSGD, lr=1.0, momentum=0.9, float32_constants=False) == pytest.approx(1.9, rel=1e-15)
    # float32(.004) = .004 + 1.9e-10, twice decayed: by half of it each time
    rounded, exact = (
        moved(KerasAdam, lr=0.5, eps=1e30, weight_decay=0.004, float32_constants=rounded) for rounded in (True, False)
    )
    assert exact == pytest.approx(1 - 0.998**2, rel=1e-12)
    assert rounded - exact == pytest.approx(float(np.float32(0.004)) - 0.004, rel=0.01)


def test_a_parameter_without_gradient_stays():
    moved, still = (torch.nn.Parameter(torch.ones(2)) for _ in range(2))
    moved.grad = torch.ones(2)
    KerasAdam([moved, still]).step()
    assert torch.equal(still, torch.ones(2)) and not torch.equal(moved, torch.ones(2))


def test_the_closure_is_called_with_gradients():
    parameter = torch.nn.Parameter(torch.ones(1))
    optimizer = KerasAdam([parameter])

    def closure():
        optimizer.zero_grad()
        loss = parameter.square().sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 1.0
    assert parameter.item() < 1


def test_state_goes_on_to_the_same_bits_after_saving():
    def run(optimizer, parameter, steps):
        for step in steps:
            parameter.grad = torch.tensor([math.sin(step), 1e-6])
            optimizer.step()

    through = torch.nn.Parameter(torch.zeros(2))
    optimizer = KerasAdam([through])
    run(optimizer, through, range(10))
    resumed = torch.nn.Parameter(through.detach().clone())
    other = KerasAdam([resumed])
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))  # as a checkpoint; else both share moments
    run(optimizer, through, range(10, 20))
    run(other, resumed, range(10, 20))
    assert torch.equal(through, resumed)


@pytest.mark.parametrize("numbers", [{"lr": 0}, {"eps": 0}, {"betas": (1.0, 0.9)}, {"lr": float("nan")}])
def test_numbers_out_of_range_are_refused(numbers):
    with pytest.raises(ValueError, match="must be"):
        KerasAdam([torch.nn.Parameter(torch.ones(1))], **numbers)


KERAS_REPLAY = """
import json, sys
from keras_reference import backend
precision = sys.argv[1]
backend.start("cpu", precision)
import keras, numpy as np
gradients = np.load(sys.argv[2])
variable = keras.Variable(np.zeros(gradients.shape[1], precision), dtype=precision)
optimizer = keras.optimizers.Adam(learning_rate=0.001)
optimizer.build([variable])
weights = []
for gradient in gradients:
    optimizer.apply([keras.ops.convert_to_tensor(gradient.astype(precision))])
    weights.append(variable.numpy().astype("float64").tolist())
print(json.dumps(weights))
"""


# Each of 150 steps rounds to half a unit in the last place: 150 * 6e-8, 150 * 1.1e-16.
@pytest.mark.parametrize(("precision", "limit"), [("float32", 9e-6), ("float64", 1.7e-14)])
def test_it_steps_as_keras_does(precision, limit, tmp_path):
    generator = np.random.default_rng(0)
    scales = 10.0 ** np.array([0, -2, -4, -6, -8, -12, 5])
    gradients = generator.standard_normal((150, 7)) * scales  # ordinary, tiny and large, signs changing
    gradients[::5] = 0
    np.save(tmp_path / "gradients.npy", gradients)
    ended = run_python("-c", KERAS_REPLAY, precision, tmp_path / "gradients.npy")
    assert ended.status == 0, ended.err
    keras = np.array(json.loads(ended.out.strip().splitlines()[-1]))

    dtype = getattr(torch, precision)
    parameter = torch.nn.Parameter(torch.zeros(7, dtype=dtype))
    optimizer, torch_adam = KerasAdam([parameter]), torch.nn.Parameter(torch.zeros(7, dtype=dtype))
    other = torch.optim.Adam([torch_adam])
    ours, theirs = [], []
    for gradient in gradients:
        parameter.grad = torch.tensor(gradient, dtype=dtype)
        torch_adam.grad = torch.tensor(gradient, dtype=dtype)
        optimizer.step()
        other.step()
        ours.append(parameter.detach().double().numpy().copy())
        theirs.append(torch_adam.detach().double().numpy().copy())
    scale = np.maximum(np.abs(keras).max(axis=0), 1e-300)
    assert (np.abs(np.array(ours) - keras) / scale).max() <= limit
    assert (np.abs(np.array(theirs) - keras) / scale).max() > 0.5  # PyTorch's Adam does not
