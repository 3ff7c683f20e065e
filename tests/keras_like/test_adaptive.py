"""Keras's Adagrad and Nadam in torch, by hand; their trajectories beside Keras's own are in test_optimizers.py."""

import math

import pytest
import torch

from keras_like.adaptive import KerasAdagrad, KerasNadam, product_of_momenta


def stepped(optimizer_of, *gradients):
    """Where a parameter that starts from 0 is after some steps."""
    parameter = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
    optimizer = optimizer_of([parameter])
    for gradient in gradients:
        parameter.grad = torch.full((1,), gradient, dtype=torch.float64)
        optimizer.step()
    return parameter.item()


def test_adagrad_sums_squares_upon_its_initial_value():
    def make(parameters):
        return KerasAdagrad(parameters, lr=1.0, initial_accumulator_value=0.25, eps=0.5, float32_constants=False)

    # 1 / sqrt(.25 + 1 + .5), then 2 / sqrt(.25 + 1 + 4 + .5)
    assert stepped(make, 1.0) == pytest.approx(-1 / math.sqrt(1.75))
    assert stepped(make, 1.0, 2.0) == pytest.approx(-1 / math.sqrt(1.75) - 2 / math.sqrt(5.75))


def test_adagrads_initial_value_passes_through_float32():
    # at a gradient of almost nothing: g / sqrt(a), and float32(.1) = .1 + 1.49e-9
    rounded, exact = (
        stepped(lambda p, through=through: KerasAdagrad(p, eps=1e-30, float32_constants=through), 1e-12)
        for through in (True, False)
    )
    assert rounded / exact - 1 == pytest.approx(-1.49e-9 / 0.2, rel=0.01)


def test_nadams_first_step_looks_ahead():
    def make(parameters):
        return KerasNadam(parameters, lr=1.0, betas=(0.5, 0.75), eps=1e-30, float32_constants=False)

    # u_1 = .5 (1 - .96 / 2) = .26, u_2 = .5 (1 - .96^2 / 2) = .2696; m = .5 g, v = .25 g^2, v_hat = g^2
    # m_hat = u_2 m / (1 - u_1 u_2) + (1 - u_1) g / (1 - u_1)
    assert stepped(make, 3.0) == pytest.approx(-(0.2696 * 0.5 / (1 - 0.26 * 0.2696) + 1))
    assert product_of_momenta(2, 0.5, torch.float64).item() == pytest.approx(0.26 * 0.2696)


@pytest.mark.parametrize(
    ("kind", "allowed", "refused"),
    [
        (KerasAdagrad, {"initial_accumulator_value": 0.0}, {"initial_accumulator_value": -0.1}),
        (KerasAdagrad, {"eps": 1e-30}, {"eps": 0}),
        (KerasNadam, {"betas": (0.0, 0.9)}, {"betas": (1.0, 0.9)}),
        (KerasNadam, {"lr": 1e-30}, {"lr": float("nan")}),
    ],
)
def test_numbers_are_held_to_their_range(kind, allowed, refused):
    parameter = torch.nn.Parameter(torch.ones(1))
    name = next(iter(allowed))
    assert kind([parameter], **allowed).defaults[name] == allowed[name]
    with pytest.raises(ValueError, match="must be"):
        kind([parameter], **refused)
