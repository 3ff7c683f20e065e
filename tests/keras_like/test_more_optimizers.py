"""Keras's Adamax, Adadelta and Lion in torch, by hand; their trajectories beside Keras's are in test_optimizers.py."""

import math

import pytest
import torch

from keras_like.more_optimizers import KerasAdadelta, KerasAdamax, KerasLion


def stepped(optimizer_of, *gradients):
    """Where a parameter that starts from 0 is after some steps."""
    parameter = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
    optimizer = optimizer_of([parameter])
    for gradient in gradients:
        parameter.grad = torch.full((1,), gradient, dtype=torch.float64)
        optimizer.step()
    return parameter.item()


def test_adamax_divides_by_the_largest_gradient_and_epsilon():
    def make(parameters):
        return KerasAdamax(parameters, lr=1.0, betas=(0.5, 0.5), eps=0.5, float32_constants=False)

    # m = 1, u = 2: 1 / (.5 * 2.5); then m = 1, u = max(1, 1): 1 / (.75 * 1.5)
    assert stepped(make, 2.0) == pytest.approx(-1 / 1.25)
    assert stepped(make, 2.0, 1.0) == pytest.approx(-1 / 1.25 - 1 / 1.125)


def test_adadeltas_step_is_the_ratio_of_two_roots():
    def make(parameters):
        return KerasAdadelta(parameters, lr=2.0, rho=0.5, eps=0.5)

    # a = .5 * 4 = 2: d = sqrt(.5) 2 / sqrt(2.5), s = .5 d^2; then a = 1 + .5 = 1.5: sqrt(s + .5) / sqrt(2)
    first = math.sqrt(0.5) * 2 / math.sqrt(2.5)
    second = math.sqrt(first**2 / 2 + 0.5) / math.sqrt(2)
    assert stepped(make, 2.0) == pytest.approx(-2 * first)
    assert stepped(make, 2.0, 1.0) == pytest.approx(-2 * first - 2 * second)


def test_lion_steps_by_the_sign_of_what_momentum_and_gradient_say():
    def make(parameters):
        return KerasLion(parameters, lr=0.25, betas=(0.5, 0.5))

    # m = 2 after a gradient of 4: .5 * 2 - .5 * 1 > 0, and .5 * 2 - .5 * 3 < 0
    assert stepped(make, 4.0) == -0.25
    assert stepped(make, 4.0, -1.0) == -0.5 and stepped(make, 4.0, -3.0) == 0.0


@pytest.mark.parametrize(
    ("kind", "allowed", "refused"),
    [
        (KerasAdamax, {"eps": 1e-30}, {"eps": 0}),
        (KerasAdamax, {"betas": (0.0, 0.9)}, {"betas": (1.0, 0.9)}),
        (KerasAdadelta, {"rho": 0.0}, {"rho": 1.0}),
        (KerasLion, {"lr": 1e-30}, {"lr": float("nan")}),
    ],
)
def test_numbers_are_held_to_their_range(kind, allowed, refused):
    parameter = torch.nn.Parameter(torch.ones(1))
    name = next(iter(allowed))
    assert kind([parameter], **allowed).defaults[name] == allowed[name]
    with pytest.raises(ValueError, match="must be"):
        kind([parameter], **refused)
