"""Keras's Adamax, Adadelta and Lion as PyTorch optimizers; PyTorch has no Lion, and no Ftrl at all."""

import torch

from keras_like.adaptive import WithBetas
from keras_like.optimizers import KerasOptimizer, check_betas, check_decay, check_positive, rounded


class KerasAdamax(WithBetas):
    """Adamax with Keras's epsilon, which is added to the norm when it divides; PyTorch keeps it in the norm.

    Source: `keras/src/optimizers/adamax.py` of Keras 3, after Kingma and Ba (2015), section 7.

    Args:
        params: parameters, or groups of them, as any torch optimizer takes them.
        lr: learning rate; Keras's default is .001, PyTorch's .002.
        betas: decay rates of the first moment and of the norm.
        eps: added to the norm; Keras's default is 1e-7, PyTorch's 1e-8.
        float32_constants: round beta_1 in the bias correction to float32, also for a float64 model, as Keras on
            TensorFlow does.

    Raises:
        ValueError: a number is out of its range.
    """

    @staticmethod
    def slots(group):
        """Names the state tensors."""
        return ("momentum", "norm")

    @staticmethod
    def update(parameter, gradient, state, group):
        """Updates one parameter, its moment and its norm in place."""
        state["step"] = step = state.get("step", 0) + 1
        momentum, norm, dtype, (beta_1, beta_2) = state["momentum"], state["norm"], parameter.dtype, group["betas"]
        # m += (g - m) (1 - beta_1); u = max(beta_2 u, |g|)
        momentum.add_((gradient - momentum) * (1 - beta_1))
        torch.maximum(norm * beta_2, gradient.abs(), out=norm)
        power = rounded(beta_1, dtype, group["float32_constants"]) ** torch.tensor(step, dtype=dtype)
        # w -= lr m / ((1 - beta_1^t) (u + eps))
        parameter.sub_((momentum * group["lr"]).div_((norm + group["eps"]).mul_(1 - power)))


class KerasAdadelta(KerasOptimizer):
    """Adadelta as PyTorch has it, with Keras's defaults.

    Source: `keras/src/optimizers/adadelta.py` of Keras 3, after Zeiler (2012).

    Args:
        params: parameters, or groups of them, as any torch optimizer takes them.
        lr: learning rate; Keras's default is .001, PyTorch's 1.
        rho: decay rate of both averages of squares; Keras's default is .95, PyTorch's .9.
        eps: added under both roots; Keras's default is 1e-7, PyTorch's 1e-6.

    Raises:
        ValueError: a number is out of its range.
    """

    def __init__(self, params, lr=1e-3, rho=0.95, eps=1e-7):
        check_positive(lr=lr, eps=eps)
        check_decay(rho=rho)
        super().__init__(params, {"lr": lr, "rho": rho, "eps": eps})

    @staticmethod
    def slots(group):
        """Names the state tensors: the averages of squared gradients, and of squared steps."""
        return ("accumulator", "delta")

    @staticmethod
    def update(parameter, gradient, state, group):
        """Updates one parameter and its averages in place."""
        accumulator, delta, rho, eps = state["accumulator"], state["delta"], group["rho"], group["eps"]
        # a = rho a + (1 - rho) g^2
        accumulator.mul_(rho).add_(gradient.square() * (1 - rho))
        # d = -sqrt(s + eps) g / sqrt(a + eps)
        step = ((delta + eps).sqrt_() * gradient).div_((accumulator + eps).sqrt_()).neg_()
        # s = rho s + (1 - rho) d^2
        delta.mul_(rho).add_(step.square() * (1 - rho))
        # w += lr d
        parameter.add_(step * group["lr"])


class KerasLion(KerasOptimizer):
    """Lion: steps of one size, in the direction of a mean of momentum and gradient; PyTorch has none.

    Source: `keras/src/optimizers/lion.py` of Keras 3, after Chen et al. (2023).

    Args:
        params: parameters, or groups of them, as any torch optimizer takes them.
        lr: learning rate.
        betas: how much the momentum counts in a step, and its decay rate.
        float32_constants: round betas to float32, also for a float64 model, as Keras on TensorFlow does.

    Raises:
        ValueError: a number is out of its range.
    """

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.99), float32_constants=True):
        check_positive(lr=lr)
        check_betas(betas)
        super().__init__(params, {"lr": lr, "betas": betas, "float32_constants": float32_constants})

    @staticmethod
    def slots(group):
        """Names the state tensors."""
        return ("momentum",)

    @staticmethod
    def update(parameter, gradient, state, group):
        """Updates one parameter and its momentum in place."""
        momentum = state["momentum"]
        beta_1, beta_2 = (rounded(beta, parameter.dtype, group["float32_constants"]) for beta in group["betas"])
        # w -= lr sign(beta_1 m + (1 - beta_1) g)
        parameter.sub_((momentum * beta_1 + gradient * (1 - beta_1)).sign_().mul_(group["lr"]))
        # m = beta_2 m + (1 - beta_2) g
        momentum.copy_(momentum * beta_2 + gradient * (1 - beta_2))
