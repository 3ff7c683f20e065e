"""Keras's Adagrad and Nadam as PyTorch optimizers; its Adam and RMSprop are in `keras_like.optimizers`."""

import torch

from keras_like.optimizers import KerasOptimizer, check_betas, check_positive, rounded

NADAM_DECAY = 0.96  # of Keras's schedule of momentum; PyTorch's is .96 ** momentum_decay, .004 unless given


class KerasAdagrad(KerasOptimizer):
    """Adagrad with Keras's epsilon, which is added under the root, and its accumulator, which starts above 0.

    Source: `keras/src/optimizers/adagrad.py` of Keras 3.

    Args:
        params: parameters, or groups of them, as any torch optimizer takes them.
        lr: learning rate; Keras's default is .001, PyTorch's .01.
        initial_accumulator_value: what the sum of squared gradients starts from; Keras's default is .1, PyTorch's 0.
        eps: added under the root; Keras's default is 1e-7, PyTorch's 1e-10.
        float32_constants: round the initial value to float32, also for a float64 model, as Keras on TensorFlow does.

    Raises:
        ValueError: a number is out of its range.
    """

    cast = ("initial_accumulator_value",)

    def __init__(self, params, lr=1e-3, initial_accumulator_value=0.1, eps=1e-7, float32_constants=True):
        check_positive(lr=lr, eps=eps)
        if not initial_accumulator_value >= 0:
            raise ValueError(f"initial_accumulator_value must be at least 0, not {initial_accumulator_value}")
        numbers = {"lr": lr, "initial_accumulator_value": initial_accumulator_value, "eps": eps}
        super().__init__(params, {**numbers, "float32_constants": float32_constants})

    @staticmethod
    def slots(group):
        """Names the state tensors."""
        return ("accumulator",)

    def state_of(self, parameter, group):
        """Returns a parameter's state, which starts from the initial value."""
        is_new = not self.state[parameter]
        state = super().state_of(parameter, group)
        if is_new:
            state["accumulator"].fill_(self.numbers(group)["initial_accumulator_value"])
        return state

    @staticmethod
    def update(parameter, gradient, state, group):
        """Updates one parameter and its accumulator in place."""
        # a += g^2
        state["accumulator"].add_(gradient.square())
        # w -= lr g / sqrt(a + eps)
        parameter.sub_((gradient * group["lr"]).div_((state["accumulator"] + group["eps"]).sqrt_()))


class WithBetas(KerasOptimizer):
    """What Nadam and Adamax share: two decay rates and an epsilon; see there for the arguments."""

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-7, float32_constants=True):
        check_positive(lr=lr, eps=eps)
        check_betas(betas)
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "float32_constants": float32_constants})


class KerasNadam(WithBetas):
    """Nadam with Keras's schedule of momentum, `beta_1 (1 - .96^t / 2)`.

    PyTorch's is `beta_1 (1 - .96^(.004 t) / 2)` unless `momentum_decay=1` is given.
    Source: `keras/src/optimizers/nadam.py` of Keras 3, after Dozat (2016).

    Args:
        params: parameters, or groups of them, as any torch optimizer takes them.
        lr: learning rate; Keras's default is .001, PyTorch's .002.
        betas: decay rates of the first and second moment.
        eps: added to the root of the second moment; Keras's default is 1e-7, PyTorch's 1e-8.
        float32_constants: round betas and decay to float32, also for a float64 model, as Keras on TensorFlow does.

    Raises:
        ValueError: a number is out of its range.
    """

    @staticmethod
    def slots(group):
        """Names the state tensors."""
        return ("momentum", "velocity")

    @staticmethod
    def update(parameter, gradient, state, group):
        """Updates one parameter and its moments in place."""
        state["step"] = step = state.get("step", 0) + 1
        momentum, velocity, dtype = state["momentum"], state["velocity"], parameter.dtype
        constants = (*group["betas"], NADAM_DECAY)
        beta_1, beta_2, decay = (rounded(number, dtype, group["float32_constants"]) for number in constants)
        # m += (g - m) (1 - beta_1); v += (g^2 - v) (1 - beta_2)
        momentum.add_((gradient - momentum) * (1 - beta_1))
        velocity.add_((gradient.square() - velocity) * (1 - beta_2))
        # u_t = beta_1 (1 - .96^t / 2)
        now, later = (beta_1 * (1 - 0.5 * decay ** torch.tensor(t, dtype=dtype)) for t in (step, step + 1))
        product = product_of_momenta(step, group["betas"][0], dtype)
        # m_hat = u_(t+1) m / (1 - u_1 ... u_(t+1)) + (1 - u_t) g / (1 - u_1 ... u_t)
        corrected = later * momentum / (1 - product * later) + (1 - now) * gradient / (1 - product)
        # w -= lr m_hat / (sqrt(v / (1 - beta_2^t)) + eps)
        power = beta_2 ** torch.tensor(step, dtype=dtype)
        parameter.sub_(corrected.mul_(group["lr"]).div_((velocity / (1 - power)).sqrt_().add_(group["eps"])))


def product_of_momenta(step, beta_1, dtype):
    """Returns the product of the momenta u_1 ... u_t of so many steps, as a tensor ()."""
    t = torch.arange(1, step + 1, dtype=dtype)
    return (beta_1 * (1 - 0.5 * NADAM_DECAY**t)).prod()
