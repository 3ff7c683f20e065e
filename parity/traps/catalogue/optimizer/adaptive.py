"""Traps in Adamax, Adagrad, Nadam and Adadelta."""

from parity.traps.catalogue.optimizer import steps
from parity.traps.catalogue.trap import Trap

SMALL = "[1e-7, 1e-6, 1e-5]"
COLUMNS = ("g = 1e-7", "g = 1e-6", "g = 1e-5")

TRAPS = [
    Trap(
        id="adamax-epsilon-place",
        title="Adamax's epsilon stands in the norm",
        what="""Keras adds epsilon, 1e-7, to the norm where it divides; PyTorch adds its 1e-8 to the gradient's absolute
            value, and keeps the sum in the norm. Remedy: `KerasAdamax` in `keras_like/more_optimizers.py`.""",
        keras="u = max(b2 u, |g|), w -= lr m / ((1 - b1^t) (u + eps))",
        port="u = max(b2 u, |g| + eps), w -= lr m / ((1 - b1^t) u)",
        shows=f"{steps.CHECK} at the first step, on the columns whose gradients are small.",
        inputs="The first step from w = 0, both with the rate .001; epsilon is each one's own.",
        columns=COLUMNS,
        keras_code=steps.first_step_in_keras("Adamax(0.001)", SMALL),
        port_code=steps.first_step_in_torch("torch.optim.Adamax([w], lr=0.001)", SMALL),
        keras_numbers=(-0.0005, -0.00090909, -0.0009901),
        port_numbers=(-0.00090909, -0.0009901, -0.000999),
    ),
    Trap(
        id="adagrad-accumulator",
        title="Adagrad starts at another sum of squares",
        what="""Keras starts the sum of squared gradients at .1 and adds epsilon, 1e-7, under the root; PyTorch starts
            at 0 and adds 1e-10 behind it, so that its first step is as long as the rate whatever the gradient. Remedy:
            `KerasAdagrad` in `keras_like/adaptive.py`.""",
        keras="a = .1 + sum g^2, w -= lr g / sqrt(a + eps)",
        port="a = sum g^2, w -= lr g / (sqrt(a) + eps)",
        shows=f"{steps.CHECK} at the first step.",
        inputs=steps.ONES,
        columns=steps.STEPS,
        keras_code=steps.three_steps_in_keras("Adagrad(0.001)"),
        port_code=steps.three_steps_in_torch("torch.optim.Adagrad([w], lr=0.001)"),
        keras_numbers=(-0.00095346, -0.0016435, -0.0022115),
        port_numbers=(-0.001, -0.0017071, -0.0022845),
    ),
    Trap(
        id="nadam-momentum",
        title="NAdam's momentum grows on another schedule",
        what="""Keras's momentum nears b1 by .96^t, PyTorch's by .96^(.004 t), `momentum_decay`, two hundred and fifty
            times as slowly; and epsilon is 1e-7 in Keras, 1e-8 in PyTorch. Remedy: `KerasNadam` in
            `keras_like/adaptive.py`.""",
        keras="u_t = b1 (1 - .5 .96^t), w -= lr (u_{t+1} m_hat + (1 - u_t) g_hat) / (sqrt(v_hat) + eps)",
        port="the same with u_t = b1 (1 - .5 .96^(.004 t)), eps = 1e-8",
        shows=f"{steps.CHECK} at the first step.",
        inputs="The first step from w = 0, both with the rate .001; epsilon is each one's own.",
        columns=COLUMNS,
        keras_code=steps.first_step_in_keras("Nadam(0.001)", SMALL),
        port_code=steps.first_step_in_torch("torch.optim.NAdam([w], lr=0.001)", SMALL),
        keras_numbers=(-0.00053139, -0.00096617, -0.0010523),
        port_numbers=(-0.00096041, -0.001046, -0.0010554),
    ),
    Trap(
        id="adadelta-numbers",
        title="Adadelta's rho and epsilon have other defaults",
        what="""Keras's Adadelta forgets with rho = .95 and has epsilon 1e-7, PyTorch's with .9 and 1e-6; the rates are
            .001 and 1 unless they are given. Remedy: write the numbers down, on both sides.""",
        keras="rho = .95, eps = 1e-7",
        port="rho = .9, eps = 1e-6",
        shows=f"{steps.CHECK} at the first step.",
        inputs=f"{steps.ONES} Both have the rate 1.",
        columns=steps.STEPS,
        keras_code=steps.three_steps_in_keras("Adadelta(1.0)"),
        port_code=steps.three_steps_in_torch("torch.optim.Adadelta([w], lr=1.0)"),
        keras_numbers=(-0.0014142, -0.0028464, -0.0042909),
        port_numbers=(-0.0031623, -0.0064067, -0.0097075),
    ),
]
