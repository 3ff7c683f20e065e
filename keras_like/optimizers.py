"""Keras's optimizers as PyTorch optimizers: where the updates of the two frameworks differ, these compute Keras's."""

import torch
from torch.optim import Optimizer


class KerasOptimizer(Optimizer):
    """The base of the optimizers below.

    A subclass names its `slots`, state tensors that start from zeros of a parameter's shape, and computes an `update`.
    """

    cast = ()  # numbers that TensorFlow rounds to float32 before it casts them to the model's dtype

    @torch.no_grad()
    def step(self, closure=None):
        """Updates every parameter that has a gradient; returns the closure's loss, if any."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            self.update_group(group, [parameter for parameter in group["params"] if parameter.grad is not None])
        return loss

    def update_group(self, group, parameters):
        """Updates a group's parameters."""
        numbers = self.numbers(group)
        for parameter in parameters:
            self.update(parameter, parameter.grad, self.state_of(parameter, group), numbers)

    def numbers(self, group):
        """Returns a group's hyperparameters as the update uses them."""
        if not group.get("float32_constants"):
            return group
        return {**group, **{name: rounded(group[name], torch.float32).item() for name in self.cast}}

    def state_of(self, parameter, group):
        """Returns a parameter's state, which starts from zeros."""
        state = self.state[parameter]
        if not state:
            state.update({slot: torch.zeros_like(parameter) for slot in self.slots(group)})
        return state


class KerasSGD(KerasOptimizer):
    """SGD with Keras's momentum, whose velocity carries the learning rate.

    PyTorch's velocity does not: the two are equal only while the learning rate is constant.
    Source: `keras/src/optimizers/sgd.py` of Keras 3.

    Args:
        params: parameters, or groups of them, as any torch optimizer takes them.
        lr: learning rate.
        momentum: decay rate of the velocity; 0 is plain SGD.
        nesterov: whether to use Nesterov momentum.
        float32_constants: round the momentum to float32, also for a float64 model, as Keras on TensorFlow does.

    Raises:
        ValueError: a number is out of its range.
    """

    cast = ("momentum",)

    def __init__(self, params, lr=0.01, momentum=0.0, nesterov=False, float32_constants=True):
        check_positive(lr=lr)
        check_decay(momentum=momentum)
        numbers = {"lr": lr, "momentum": momentum, "nesterov": nesterov, "float32_constants": float32_constants}
        super().__init__(params, numbers)

    @staticmethod
    def slots(group):
        """Names the state tensors, as Keras does."""
        return ("momentum",) if group["momentum"] else ()

    @staticmethod
    def update(parameter, gradient, state, group):
        """Updates one parameter and its velocity in place."""
        step = gradient * group["lr"]
        mu = group["momentum"]
        if mu == 0:
            parameter.sub_(step)
            return
        velocity = state["momentum"]
        # v = mu v - lr g
        velocity.mul_(mu).sub_(step)
        # w += v, or with Nesterov w += mu v - lr g
        parameter.add_(velocity * mu - step if group["nesterov"] else velocity)


class KerasRMSprop(KerasOptimizer):
    """RMSprop with Keras's epsilon, which is added under the root; PyTorch adds it outside.

    Source: `keras/src/optimizers/rmsprop.py` of Keras 3.

    Args:
        params: parameters, or groups of them, as any torch optimizer takes them.
        lr: learning rate; Keras's default is .001, PyTorch's .01.
        rho: decay rate of the squared gradients; Keras's default is .9, PyTorch's .99.
        momentum: decay rate of the steps; 0 for none.
        eps: added under the root; Keras's default is 1e-7, PyTorch's 1e-8.

    Raises:
        ValueError: a number is out of its range.
    """

    def __init__(self, params, lr=1e-3, rho=0.9, momentum=0.0, eps=1e-7):
        check_positive(lr=lr, eps=eps)
        check_decay(rho=rho, momentum=momentum)
        super().__init__(params, {"lr": lr, "rho": rho, "momentum": momentum, "eps": eps})

    @staticmethod
    def slots(group):
        """Names the state tensors."""
        return ("velocity", "momentum") if group["momentum"] else ("velocity",)

    @staticmethod
    def update(parameter, gradient, state, group):
        """Updates one parameter and its averages in place."""
        velocity, rho = state["velocity"], group["rho"]
        # v = rho v + (1 - rho) g^2
        velocity.mul_(rho).add_(gradient.square() * (1 - rho))
        # w -= lr g / sqrt(v + eps)
        step = (gradient * group["lr"]).div_((velocity + group["eps"]).sqrt_())
        if group["momentum"]:
            # m = mu m + step; w -= m
            step = state["momentum"].mul_(group["momentum"]).add_(step)
        parameter.sub_(step)


class KerasAdam(KerasOptimizer):
    r"""Adam with Keras's update, which no constant epsilon of `torch.optim.Adam` reproduces.

    Keras adds epsilon to the root of the *uncorrected* second moment ("epsilon hat" in Kingma and Ba (2015),
    section 2), so that it matters most in the first steps; PyTorch adds it after the bias correction.
    Source: `keras/src/optimizers/adam.py` of Keras 3.

    Args:
        params: parameters, or groups of them, as any torch optimizer takes them.
        lr: learning rate.
        betas: decay rates of the first and second moment.
        eps: added to the root of the second moment; Keras's default is 1e-7, PyTorch's 1e-8.
        float32_constants: round the weight decay, and the betas in the bias correction, to float32, also for a float64
            model, as Keras on TensorFlow does; its other backends do not.
        weight_decay: decoupled (AdamW); Keras's default for AdamW is .004, PyTorch's .01.

    Raises:
        ValueError: a number is out of its range.
    """

    cast = ("weight_decay",)

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-7, float32_constants=True, weight_decay=0.0):
        check_positive(lr=lr, eps=eps)
        check_betas(betas)
        if not weight_decay >= 0:
            raise ValueError(f"weight_decay must be at least 0, not {weight_decay}")
        numbers = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, {**numbers, "float32_constants": float32_constants})

    def update_group(self, group, parameters):
        """Updates a group's parameters; those of equal step and dtype share a step size."""
        numbers, alphas = self.numbers(group), {}
        for parameter in parameters:
            state = self.state_of(parameter, group)
            state["step"] = state.get("step", 0) + 1
            key = (state["step"], parameter.dtype)
            if key not in alphas:
                alphas[key] = step_size(*key, group["lr"], group["betas"], group["float32_constants"])
            self.update(parameter, parameter.grad, state, numbers, alphas[key])

    @staticmethod
    def slots(group):
        """Names the state tensors."""
        return ("momentum", "velocity")

    @staticmethod
    def update(parameter, gradient, state, group, alpha):
        """Updates one parameter and its moments in place."""
        if group["weight_decay"]:
            # w -= w decay lr
            parameter.sub_(parameter * group["weight_decay"] * group["lr"])
        momentum, velocity, betas = state["momentum"], state["velocity"], group["betas"]
        # m += (g - m) (1 - beta_1)
        momentum.lerp_(gradient, 1 - betas[0])
        # v += (g^2 - v) (1 - beta_2)
        velocity.lerp_(gradient.square(), 1 - betas[1])
        # w -= m alpha / (sqrt(v) + eps)
        parameter.addcdiv_(momentum * alpha, velocity.sqrt().add_(group["eps"]), value=-1)


def step_size(step, dtype, lr, betas, float32_constants=True):
    """Computes the bias-corrected step size of update `step` (from 1; a number or a tensor of them), in `dtype`.

    In float32 the rounding of 1 - beta_2^t changes the first steps by 1e-5 relative, so it is done as in Keras.
    """
    # The exponent is a floating-point tensor, as in Keras: with an integer, .999^3 rounds differently in float32, which
    # changes 1 - .999^3 by 1e-5 relative.
    t = torch.as_tensor(step, dtype=dtype)
    power_1, power_2 = (rounded(beta, dtype, float32_constants) ** t for beta in betas)
    # alpha = lr * sqrt(1 - beta_2^t) / (1 - beta_1^t)
    return torch.tensor(lr, dtype=dtype) * torch.sqrt(1 - power_2) / (1 - power_1)


def rounded(number, dtype, float32_constants=True):
    """Returns a constant as a tensor () of a precision, rounded to float32 before, as Keras on TensorFlow does."""
    return torch.tensor(number, dtype=torch.float32 if float32_constants else dtype).to(dtype)


def check_positive(**numbers):
    """Checks that numbers are above 0."""
    for name, number in numbers.items():
        if not number > 0:
            raise ValueError(f"{name} must be above 0, not {number}")


def check_decay(**numbers):
    """Checks that decay rates are at least 0 and below 1."""
    for name, number in numbers.items():
        if not 0 <= number < 1:
            raise ValueError(f"{name} must be at least 0 and below 1, not {number}")


def check_betas(betas):
    """Checks that two decay rates are at least 0 and below 1."""
    check_decay(**dict(zip(("beta_1", "beta_2"), betas, strict=True)))
