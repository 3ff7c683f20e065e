"""Keras's Adam in torch: hand-worked numbers, and the trajectory of Keras's own optimizer."""

import copy
import json
import math

import numpy as np
import pytest
import torch
from conftest import run_python

from keras_like.adaptive import KerasAdagrad, KerasNadam
from keras_like.more_optimizers import KerasAdadelta, KerasAdamax, KerasLion
from keras_like.optimizers import KerasAdam, KerasRMSprop, KerasSGD, rounded, step_size


def test_constants_pass_through_float32_where_keras_rounds_them():
    assert rounded(0.9, torch.float64, False).item() == 0.9
    assert rounded(0.9, torch.float64).item() == pytest.approx(0.9 - 2.38e-8, abs=1e-10)


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
    copied = KerasAdam([resumed])
    copied.load_state_dict(copy.deepcopy(optimizer.state_dict()))  # as a checkpoint; else both share moments
    run(optimizer, through, range(10, 20))
    run(copied, resumed, range(10, 20))
    assert torch.equal(through, resumed)


@pytest.mark.parametrize(
    ("kind", "allowed", "refused"),
    [
        (KerasAdam, {"lr": 1e-30}, {"lr": 0}),
        (KerasAdam, {"lr": 1.0}, {"lr": float("nan")}),
        (KerasAdam, {"eps": 1e-30}, {"eps": 0}),
        (KerasAdam, {"betas": (0.0, 0.9)}, {"betas": (1.0, 0.9)}),
        (KerasAdam, {"weight_decay": 0.0}, {"weight_decay": -0.1}),
        (KerasSGD, {"momentum": 0.0}, {"momentum": 1.0}),
        (KerasRMSprop, {"rho": 0.0}, {"rho": -0.1}),
        (KerasRMSprop, {"eps": 1e-30}, {"eps": 0}),
    ],
)
def test_numbers_are_held_to_their_range(kind, allowed, refused):
    parameter = torch.nn.Parameter(torch.ones(1))
    name = next(iter(allowed))
    assert kind([parameter], **allowed).defaults[name] == allowed[name]
    with pytest.raises(ValueError, match="must be"):
        kind([parameter], **refused)


KERAS_STEPS = """
import json, sys
from keras_reference import backend
backend.start("cpu", "float32")
import keras, numpy as np
gradients, kinds = np.load(sys.argv[1]), json.loads(sys.argv[2])
steps = {}
for precision in ("float32", "float64"):
    keras.config.set_floatx(precision)  # of the learning rate, too
    for name, (kind, options) in kinds.items():
        variable = keras.Variable(np.zeros(gradients.shape[1], precision), dtype=precision)
        optimizer = getattr(keras.optimizers, kind)(**options)
        optimizer.build([variable])
        weights = []
        for gradient in gradients:
            optimizer.apply([keras.ops.convert_to_tensor(gradient.astype(precision))])
            weights.append(variable.numpy().astype("float64").tolist())
        steps[f"{name} {precision}"] = weights
print(json.dumps(steps))
"""
# ours, Keras's name and numbers, and what PyTorch has under the same name
KINDS = {
    "adam": (KerasAdam, "Adam", {"learning_rate": 0.001}, torch.optim.Adam),
    "adamw": (lambda p: KerasAdam(p, weight_decay=0.1), "AdamW", {"weight_decay": 0.1}, torch.optim.AdamW),
    "nesterov": (
        lambda p: KerasSGD(p, 0.01, 0.9, True), "SGD", {"learning_rate": 0.01, "momentum": 0.9, "nesterov": True},
        torch.optim.SGD,
    ),
    "rmsprop": (lambda p: KerasRMSprop(p, momentum=0.5), "RMSprop", {"momentum": 0.5}, torch.optim.RMSprop),
    "adagrad": (KerasAdagrad, "Adagrad", {}, torch.optim.Adagrad),
    "nadam": (KerasNadam, "Nadam", {}, torch.optim.NAdam),
    "adamax": (KerasAdamax, "Adamax", {}, torch.optim.Adamax),
    "adadelta": (KerasAdadelta, "Adadelta", {}, torch.optim.Adadelta),
    "lion": (KerasLion, "Lion", {}, torch.optim.SGD),  # PyTorch has none
}  # fmt: skip


@pytest.fixture(scope="module")
def gradients():
    generator = np.random.default_rng(0)
    scales = 10.0 ** np.array([0, -2, -4, -6, -8, -12, 5])
    gradients = generator.standard_normal((150, 7)) * scales  # ordinary, tiny and large, signs changing
    gradients[::5] = 0
    return gradients


@pytest.fixture(scope="module")
def keras(gradients, tmp_path_factory):
    """Keras's weights after every step, by optimizer and precision."""
    path = tmp_path_factory.mktemp("gradients") / "gradients.npy"
    np.save(path, gradients)
    ended = run_python("-c", KERAS_STEPS, path, json.dumps({name: kind[1:3] for name, kind in KINDS.items()}))
    assert ended.status == 0, ended.err
    return json.loads(ended.out.strip().splitlines()[-1])


def weights_of(make, gradients, dtype):
    """The weights after every step, (steps, weights)."""
    parameter = torch.nn.Parameter(torch.zeros(gradients.shape[1], dtype=dtype))
    optimizer, weights = make([parameter]), []
    for gradient in gradients:
        parameter.grad = torch.tensor(gradient, dtype=dtype)
        optimizer.step()
        weights.append(parameter.detach().double().numpy().copy())
    return np.array(weights)


# Each of 150 steps rounds to half a unit in the last place: 150 * 6e-8, 150 * 1.1e-16.
@pytest.mark.parametrize(("precision", "limit"), [("float32", 9e-6), ("float64", 1.7e-14)])
@pytest.mark.parametrize("name", KINDS)
def test_it_steps_as_keras_does_and_as_pytorchs_optimizer_does_not(name, precision, limit, keras, gradients):
    make, _, _, torch_optimizer = KINDS[name]
    expected, dtype = np.array(keras[f"{name} {precision}"]), getattr(torch, precision)
    scale = np.maximum(np.abs(expected).max(axis=0), 1e-300)
    assert (np.abs(weights_of(make, gradients, dtype) - expected) / scale).max() <= limit
    assert (np.abs(weights_of(torch_optimizer, gradients, dtype) - expected) / scale).max() > 0.5
