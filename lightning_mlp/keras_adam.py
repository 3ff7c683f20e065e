"""Adam as Keras computes it, as a PyTorch optimizer."""

import torch
from torch.optim import Optimizer


class KerasAdam(Optimizer):
    r"""Adam with Keras's update, which no constant epsilon of `torch.optim.Adam` reproduces.

    Keras adds epsilon to the root of the *uncorrected* second moment ("epsilon hat" in Kingma and Ba (2015),
    section 2), so that it weighs most in the first steps; PyTorch adds it after the bias correction.
    Source: `keras/src/optimizers/adam.py` of Keras 3.

    Args:
        params: parameters, or groups of them, as any torch optimizer takes them.
        lr: learning rate.
        betas: decay rates of the first and second moment.
        eps: added to the root of the second moment; Keras's default is 1e-7, PyTorch's 1e-8.
        float32_betas: on TensorFlow the betas pass through float32 on their way into the bias correction,
            also in a float64 model; False computes the correction as Keras's other backends do.

    Raises:
        ValueError: a number is out of its range.
    """

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-7, float32_betas=True):
        if not lr > 0 or not eps > 0:
            raise ValueError(f"lr and eps must be above 0, not {lr} and {eps}")
        if not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"betas must be at least 0 and below 1, not {betas}")
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "float32_betas": float32_betas})

    @torch.no_grad()
    def step(self, closure=None):
        """Updates every parameter that has a gradient; returns the closure's loss, if there is one."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            alphas = {}  # one bias correction serves all parameters of equal step and dtype
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if not state:
                    state["step"] = 0
                    state["momentum"] = torch.zeros_like(parameter)
                    state["velocity"] = torch.zeros_like(parameter)
                state["step"] += 1
                key = (state["step"], parameter.dtype)
                if key not in alphas:
                    alphas[key] = step_size(*key, group["lr"], group["betas"], group["float32_betas"])
                update(parameter, state["momentum"], state["velocity"], alphas[key], group["betas"], group["eps"])
        return loss


def step_size(step, dtype, lr, betas, float32_betas=True):
    """Computes the bias-corrected step size of update `step` (from 1), in `dtype`.

    In float32 the rounding of 1 - beta_2^t moves the first steps by 1e-5 relative, so it is done as Keras does.
    """
    rounded = torch.float32 if float32_betas else dtype
    beta_1, beta_2 = (torch.tensor(beta, dtype=rounded).to(dtype) for beta in betas)
    # alpha = lr * sqrt(1 - beta_2^t) / (1 - beta_1^t)
    return torch.tensor(lr, dtype=dtype) * torch.sqrt(1 - beta_2**step) / (1 - beta_1**step)


def update(parameter, momentum, velocity, alpha, betas, eps):
    """Updates one parameter and its moments in place."""
    gradient = parameter.grad
    # m += (g - m) (1 - beta_1)
    momentum.add_(gradient - momentum, alpha=1 - betas[0])
    # v += (g^2 - v) (1 - beta_2)
    velocity.add_(gradient.square() - velocity, alpha=1 - betas[1])
    # w -= m alpha / (sqrt(v) + eps)
    parameter.sub_((momentum * alpha).div_(velocity.sqrt().add_(eps)))
