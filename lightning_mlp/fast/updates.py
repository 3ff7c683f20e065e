"""An optimizer's update as arithmetic on tensors alone, so that a whole step can be compiled or captured.

`optimizer.step()` keeps Python numbers (the count of its steps) and Python dictionaries. Here the same update takes
the parameter, its gradient, its slots, and a row of the numbers that change from step to step.
"""

import torch

from keras_like.optimizers import KerasAdam, KerasOptimizer, step_size


def of(optimizer: torch.optim.Optimizer) -> "Update | None":
    """Returns how an optimizer updates, or None if that is not known here."""
    for kind in (AdamOfKeras, OfKeras, PlainSGD, AdamOfTorch):
        if len(optimizer.param_groups) == 1 and kind.knows(optimizer):
            return kind(optimizer)
    return None


class Update:
    """How one optimizer changes its parameters.

    Args:
        optimizer: an optimizer of one parameter group; its state is where the moments stay.
    """

    slots = ()  # names of the tensors of a parameter's state that an update reads and writes

    def __init__(self, optimizer: torch.optim.Optimizer):
        self.optimizer, self.group = optimizer, optimizer.param_groups[0]
        self.parameters = [parameter for parameter in self.group["params"] if parameter.requires_grad]

    def states(self) -> list[dict[str, torch.Tensor]]:
        """Returns every parameter's slots; they are made before the first step."""
        return [{slot: self.state_of(parameter)[slot] for slot in self.slots} for parameter in self.parameters]

    def state_of(self, parameter: torch.Tensor) -> dict:
        """Returns the optimizer's own state of a parameter."""
        return self.optimizer.state[parameter]

    def numbers(self, steps: int) -> torch.Tensor:
        """Returns what changes from step to step, one row for each of the next steps, on the parameters' device."""
        return torch.zeros(steps, 1, device=self.parameters[0].device)

    def advance(self, steps: int) -> None:
        """Counts steps where the optimizer does."""

    def apply(self, parameter, gradient, state, numbers) -> None:
        """Updates one parameter and its slots in place."""
        raise NotImplementedError


class OfKeras(Update):
    """`KerasSGD` and `KerasRMSprop`, whose steps are all alike."""

    @staticmethod
    def knows(optimizer):
        """Says whether it is one of them, and no subclass with an update of its own."""
        return type(optimizer).__module__ == KerasOptimizer.__module__

    def __init__(self, optimizer):
        super().__init__(optimizer)
        self.slots, self.formula = optimizer.slots(self.group), type(optimizer).update
        self.constants = {**optimizer.numbers(self.group), "params": None}

    def state_of(self, parameter):
        """Returns the optimizer's own state of a parameter, made if there is none yet."""
        return self.optimizer.state_of(parameter, self.group)

    def apply(self, parameter, gradient, state, numbers):
        """Updates as the optimizer does."""
        self.formula(parameter, gradient, state, self.constants)


class AdamOfKeras(OfKeras):
    """`KerasAdam`, also with weight decay: the step size changes with every step."""

    @staticmethod
    def knows(optimizer):
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
        """Counts the steps of every parameter."""
        for parameter in self.parameters:
            state = self.state_of(parameter)
            state["step"] = state.get("step", 0) + steps

    def apply(self, parameter, gradient, state, numbers):
        """Updates as the optimizer does."""
        self.formula(parameter, gradient, state, self.constants, numbers[0])


class PlainSGD(Update):
    """`torch.optim.SGD` without momentum, decay or any other option."""

    @staticmethod
    def knows(optimizer):
        """Says whether it is plain."""
        options = ("momentum", "dampening", "weight_decay", "nesterov", "maximize")
        return type(optimizer) is torch.optim.SGD and not any(optimizer.param_groups[0][name] for name in options)

    def apply(self, parameter, gradient, state, numbers):
        """Takes one step."""
        # w -= lr g
        parameter.add_(gradient, alpha=-self.group["lr"])


class AdamOfTorch(Update):
    """`torch.optim.Adam` without decay, AMSGrad or any other option."""

    slots = ("exp_avg", "exp_avg_sq")

    @staticmethod
    def knows(optimizer):
        """Says whether it is plain."""
        options = ("weight_decay", "amsgrad", "maximize", "capturable", "differentiable", "fused")
        return type(optimizer) is torch.optim.Adam and not any(optimizer.param_groups[0][name] for name in options)

    def state_of(self, parameter):
        """Returns the optimizer's own state of a parameter, made as torch makes it if there is none yet."""
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
        """Counts the steps of every parameter."""
        for parameter in self.parameters:
            self.state_of(parameter)["step"] += steps

    def apply(self, parameter, gradient, state, numbers):
        """Takes one step."""
        beta_1, beta_2 = self.group["betas"]
        first, second = state["exp_avg"], state["exp_avg_sq"]
        # m = m + (1 - beta_1) (g - m)
        first.lerp_(gradient, 1 - beta_1)
        # v = beta_2 v + (1 - beta_2) g^2
        second.mul_(beta_2).addcmul_(gradient, gradient, value=1 - beta_2)
        # w -= lr / (1 - beta_1^t) m / (sqrt(v) / sqrt(1 - beta_2^t) + eps)
        parameter.sub_(numbers[0] * first / (second.sqrt() / numbers[1] + self.group["eps"]))
