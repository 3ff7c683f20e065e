"""Optimizer updates as functions of tensors alone, so that a whole step can be compiled or captured.

`optimizer.step()` uses Python numbers (its step count) and dictionaries. Here the same update takes the parameter, its
gradient, its state tensors, and a row of the numbers that change from step to step.
"""

import torch

from keras_like.optimizers import KerasAdam, KerasOptimizer, step_size


def find_update(optimizer: torch.optim.Optimizer) -> "Update | None":
    """Returns the update of an optimizer, or None if it is not supported here."""
    for kind in (KerasAdamUpdate, KerasUpdate, TorchSGDUpdate, TorchAdamUpdate):
        if len(optimizer.param_groups) == 1 and kind.supports(optimizer):
            return kind(optimizer)
    return None


class Update:
    """Applies one optimizer's update to its parameters.

    Args:
        optimizer: an optimizer with one parameter group; it keeps the moments in its state.
    """

    slots = ()  # names of the state tensors that an update reads and writes

    def __init__(self, optimizer: torch.optim.Optimizer):
        self.optimizer, self.group = optimizer, optimizer.param_groups[0]
        self.parameters = [parameter for parameter in self.group["params"] if parameter.requires_grad]

    def states(self) -> list[dict[str, torch.Tensor]]:
        """Returns the state tensors of every parameter; they are created before the first step."""
        return [{slot: self.state_of(parameter)[slot] for slot in self.slots} for parameter in self.parameters]

    def state_of(self, parameter: torch.Tensor) -> dict:
        """Returns the optimizer's own state of a parameter."""
        return self.optimizer.state[parameter]

    def numbers(self, steps: int) -> torch.Tensor:
        """Returns the numbers that change from step to step, one row per step, on the parameters' device."""
        return torch.zeros(steps, 1, device=self.parameters[0].device)

    def advance(self, steps: int) -> None:
        """Adds to the optimizer's own step count."""

    def apply(self, parameter, gradient, state, numbers) -> None:
        """Updates one parameter and its state in place."""
        raise NotImplementedError


class KerasUpdate(Update):
    """`KerasSGD` and `KerasRMSprop`, whose update does not depend on the step."""

    @staticmethod
    def supports(optimizer):
        """Says whether it is one of them, and not a subclass with another update."""
        return type(optimizer).__module__ == KerasOptimizer.__module__

    def __init__(self, optimizer):
        super().__init__(optimizer)
        self.slots, self.formula = optimizer.slots(self.group), type(optimizer).update
        self.constants = {**optimizer.numbers(self.group), "params": None}

    def state_of(self, parameter):
        """Returns the optimizer's own state of a parameter, created if there is none yet."""
        return self.optimizer.state_of(parameter, self.group)

    def apply(self, parameter, gradient, state, numbers):
        """Updates one parameter and its state in place."""
        self.formula(parameter, gradient, state, self.constants)


class KerasAdamUpdate(KerasUpdate):
    """`KerasAdam`, also with weight decay; the step size changes with every step."""

    @staticmethod
    def supports(optimizer):
        """Says whether it is Keras's Adam."""
        return type(optimizer) is KerasAdam

    def numbers(self, steps):
        """Returns the bias-corrected step sizes (steps, 1), in the model's dtype."""
        first, group = self.state_of(self.parameters[0]).get("step", 0) + 1, self.group
        dtype = self.parameters[0].dtype
        count = torch.arange(first, first + steps)
        sizes = step_size(count, dtype, group["lr"], group["betas"], group["float32_constants"])
        return sizes.unsqueeze(1).to(self.parameters[0].device)

    def advance(self, steps):
        """Adds to the step count of every parameter."""
        for parameter in self.parameters:
            state = self.state_of(parameter)
            state["step"] = state.get("step", 0) + steps

    def apply(self, parameter, gradient, state, numbers):
        """Updates one parameter and its state in place."""
        self.formula(parameter, gradient, state, self.constants, numbers[0])


class TorchSGDUpdate(Update):
    """`torch.optim.SGD` without momentum, decay or any other option."""

    @staticmethod
    def supports(optimizer):
        """Says whether no other option is set."""
        options = ("momentum", "dampening", "weight_decay", "nesterov", "maximize")
        return type(optimizer) is torch.optim.SGD and not any(optimizer.param_groups[0][name] for name in options)

    def apply(self, parameter, gradient, state, numbers):
        """Updates one parameter and its state in place."""
        # w -= lr g
        parameter.add_(gradient, alpha=-self.group["lr"])


class TorchAdamUpdate(Update):
    """`torch.optim.Adam` without decay, AMSGrad or any other option."""

    slots = ("exp_avg", "exp_avg_sq")

    @staticmethod
    def supports(optimizer):
        """Says whether no other option is set."""
        options = ("weight_decay", "amsgrad", "maximize", "capturable", "differentiable", "fused")
        return type(optimizer) is torch.optim.Adam and not any(optimizer.param_groups[0][name] for name in options)

    def state_of(self, parameter):
        """Returns the optimizer's own state of a parameter, created as torch does if there is none yet."""
        state = self.optimizer.state[parameter]
        if not state:
            state["step"] = torch.tensor(0.0)
            state.update({slot: torch.zeros_like(parameter) for slot in self.slots})
        return state

    def numbers(self, steps):
        """Returns lr / (1 - beta_1^t) and sqrt(1 - beta_2^t), (steps, 2); computed in Python, as torch does."""
        first, (beta_1, beta_2) = int(self.state_of(self.parameters[0])["step"]) + 1, self.group["betas"]
        rows = [(self.group["lr"] / (1 - beta_1**t), (1 - beta_2**t) ** 0.5) for t in range(first, first + steps)]
        return torch.tensor(rows, dtype=self.parameters[0].dtype, device=self.parameters[0].device)

    def advance(self, steps):
        """Adds to the step count of every parameter."""
        for parameter in self.parameters:
            self.state_of(parameter)["step"] += steps

    def apply(self, parameter, gradient, state, numbers):
        """Updates one parameter and its state in place."""
        beta_1, beta_2 = self.group["betas"]
        first, second = state["exp_avg"], state["exp_avg_sq"]
        # m = m + (1 - beta_1) (g - m)
        first.lerp_(gradient, 1 - beta_1)
        # v = beta_2 v + (1 - beta_2) g^2
        second.mul_(beta_2).addcmul_(gradient, gradient, value=1 - beta_2)
        # w -= lr / (1 - beta_1^t) m / (sqrt(v) / sqrt(1 - beta_2^t) + eps)
        parameter.sub_(numbers[0] * first / (second.sqrt() / numbers[1] + self.group["eps"]))
