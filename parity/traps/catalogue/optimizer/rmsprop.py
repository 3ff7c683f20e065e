"""Traps in RMSprop."""

from parity.traps.catalogue.optimizer import steps
from parity.traps.catalogue.trap import Trap

SMALL = "[1e-4, 1e-3, 1e-2]"

TRAPS = [
    Trap(
        id="rmsprop-epsilon-place",
        title="RMSprop's epsilon stands behind the root",
        what="""Keras adds epsilon under the root, where 1e-7 weighs as much as 3e-4 behind it. At gradients of a
            thousandth PyTorch's steps are far longer, with the same rho and the same epsilon. Remedy: `KerasRMSprop`
            in `keras_like/optimizers.py`.""",
        keras="w -= lr g / sqrt(v + eps)",
        port="w -= lr g / (sqrt(v) + eps)",
        shows=f"{steps.CHECK} at the first step, on the columns whose gradients are small.",
        inputs="The first step from w = 0, both with rho = .9 and epsilon 1e-7.",
        columns=("g = 1e-4", "g = 1e-3", "g = 1e-2"),
        keras_code=steps.first_step_in_keras("RMSprop(0.001, rho=0.9, epsilon=1e-7)", SMALL),
        port_code=steps.first_step_in_torch("torch.optim.RMSprop([w], lr=0.001, alpha=0.9, eps=1e-7)", SMALL),
        keras_numbers=(-0.00031466, -0.0022361, -0.0031466),
        port_numbers=(-0.0031523, -0.0031613, -0.0031622),
    ),
    Trap(
        id="rmsprop-rho",
        title="RMSprop's rho (alpha) has another default",
        what="""Keras forgets squared gradients with rho = .9, PyTorch (which calls it alpha) with .99. As neither
            corrects for the start at 0, PyTorch's first step is three times as long. Remedy: write the number down,
            on both sides.""",
        keras="v = rho v + (1 - rho) g^2, rho = .9",
        port="the same with rho = .99",
        shows=f"{steps.CHECK} at the first step, by one and the same factor wherever gradients are ordinary.",
        inputs=steps.ONES,
        columns=steps.STEPS,
        keras_code=steps.three_steps_in_keras("RMSprop(0.001)"),
        port_code=steps.three_steps_in_torch("torch.optim.RMSprop([w], lr=0.001)"),
        keras_numbers=(-0.0031623, -0.0054564, -0.0073774),
        port_numbers=(-0.01, -0.017089, -0.022891),
    ),
]
