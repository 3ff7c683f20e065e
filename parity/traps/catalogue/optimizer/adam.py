"""Traps in Adam."""

from functools import partial

from parity.traps.catalogue.optimizer import steps
from parity.traps.catalogue.trap import Trap

FORMULA = "w -= lr sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + eps)"
TINY_GRADIENTS = "[1e-6, 1e-5, 1e-4]"
FALLING = "Three steps from w = 0 with the gradients 1, 0.1 and 0.01."
GRADIENTS = "(1.0, 0.1, 0.01)"
IMPORT_KERAS_ADAM = "from keras_like.optimizers import KerasAdam\n\n"

first_step_trap = partial(
    Trap,
    columns=("g = 1e-6", "g = 1e-5", "g = 1e-4"),
    keras_code=steps.first_step_in_keras("Adam(0.001, epsilon=1e-7)", TINY_GRADIENTS),
    keras_numbers=(-0.00024025, -0.00075974, -0.00096934),
)
falling_trap = partial(
    Trap,
    inputs=FALLING,
    columns=steps.STEPS,
    keras_code=steps.three_steps_in_keras("Adam(0.001)", GRADIENTS),
    keras_numbers=(-0.00099999, -0.0017408, -0.0023198),
)

TRAPS = [
    first_step_trap(
        id="adam-epsilon-place",
        title="Adam's epsilon stands at another place",
        what="""Keras adds epsilon to the root of the uncorrected second moment, PyTorch after the bias correction. In
            the first steps Keras's therefore weighs up to thirty times more, so weights with small gradients (those of
            pixels that are seldom lit) move less; no constant epsilon makes the two equal. Remedy: `KerasAdam` in
            `keras_like/optimizers.py`.""",
        keras=FORMULA,
        port="w -= lr m_hat / (sqrt(v_hat) + eps), m_hat = m / (1 - b1^t), v_hat = v / (1 - b2^t)",
        shows=f"{steps.CHECK} at the first steps, on the columns whose gradients are small from the start.",
        inputs="The first step from w = 0, both with epsilon 1e-7.",
        port_code=steps.first_step_in_torch("torch.optim.Adam([w], lr=0.001, eps=1e-7)", TINY_GRADIENTS),
        port_numbers=(-0.00090909, -0.0009901, -0.000999),
    ),
    first_step_trap(
        id="adam-epsilon",
        title="Adam's epsilon has another value",
        what="""Keras's default is 1e-7, PyTorch's 1e-8; others take 1e-3 from a paper. It matters wherever gradients
            are not much larger than epsilon. Remedy: write the number down, on both sides.""",
        keras=f"{FORMULA}, eps = 1e-7",
        port="the same with another eps, for example 1e-8",
        shows=f"{steps.CHECK} from the first step on, on the columns whose gradients are small.",
        inputs="The first step from w = 0; the port has Keras's formula with epsilon 1e-8.",
        port_code=IMPORT_KERAS_ADAM + steps.first_step_in_torch("KerasAdam([w], lr=0.001, eps=1e-8)", TINY_GRADIENTS),
        port_numbers=(-0.00075974, -0.00096934, -0.00099684),
    ),
    falling_trap(
        id="adam-beta-1",
        title="Adam's beta_1 has another value",
        what="""The first moment remembers for a longer or a shorter time. On a steady gradient nothing is seen; when
            it changes, the weights follow later or sooner. Remedy: write the number down, on both sides.""",
        keras="m = b1 m + (1 - b1) g, b1 = .9",
        port="the same with another b1, for example .95",
        shows=f"{steps.CHECK} from the second step on: in the first, the bias correction cancels beta_1.",
        port_code=IMPORT_KERAS_ADAM
        + steps.three_steps_in_torch("KerasAdam([w], lr=0.001, betas=(0.95, 0.999))", GRADIENTS),
        port_numbers=(-0.00099999, -0.0017579, -0.0023669),
    ),
    falling_trap(
        id="adam-beta-2",
        title="Adam's beta_2 has another value",
        what="""The second moment forgets large gradients sooner or later; .98 and .95 are common in transformers.
            The step size after a large gradient differs. Remedy: write the number down, on both sides.""",
        keras="v = b2 v + (1 - b2) g^2, b2 = .999",
        port="the same with another b2, for example .99",
        shows=f"{steps.CHECK} from the second step on, or from the first where epsilon counts.",
        port_code=IMPORT_KERAS_ADAM
        + steps.three_steps_in_torch("KerasAdam([w], lr=0.001, betas=(0.9, 0.99))", GRADIENTS),
        port_numbers=(-0.001, -0.0017425, -0.002324),
    ),
    falling_trap(
        id="adam-no-correction",
        not_undone="an optimizer without it is of one's own: `adam-for-sgd` puts Keras's in its place",
        title="Adam without its bias correction",
        what="""An Adam written by hand that starts its moments at 0 and does not correct for it takes larger first
            steps, since the second moment is still far too small. After some thousand steps the difference is gone,
            and the weights are elsewhere. Remedy: an optimizer that corrects.""",
        keras=FORMULA,
        port="w -= lr m / (sqrt(v) + eps)",
        shows=f"{steps.CHECK} at the first step, by one and the same factor on every weight.",
        port_code="""w, m, v, seen = torch.zeros(1), 0.0, 0.0, []
        for g in torch.tensor([1.0, 0.1, 0.01]):
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
            w = w - 0.001 * m / (v.sqrt() + 1e-7)
            seen.append(w.item())
        seen""",
        port_numbers=(-0.0031623, -0.0063104, -0.0091765),
    ),
    Trap(
        id="amsgrad",
        title="AMSGrad is switched on",
        what="""`amsgrad=True` divides by the largest second moment so far instead of the current one, so steps stay
            small after a large gradient. Until then all steps are the same, and a short comparison passes. Remedy: the
            default, `amsgrad=False`.""",
        keras="w -= lr sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + eps)",
        port="the same with max(v, all v before) in place of v",
        shows=f"""{steps.CHECK} only once gradients have become smaller, unless the port is PyTorch's Adam, whose
            epsilon shows before.""",
        inputs=f"{FALLING} Both with beta_2 = .9, so that three steps show it.",
        columns=steps.STEPS,
        keras_code=steps.three_steps_in_keras("Adam(0.001, beta_2=0.9)", GRADIENTS),
        port_code=steps.three_steps_in_torch(
            "torch.optim.Adam([w], lr=0.001, betas=(0.9, 0.9), amsgrad=True)", GRADIENTS
        ),
        keras_numbers=(-0.001, -0.0017605, -0.0023713),
        port_numbers=(-0.001, -0.0017255, -0.0022783),
    ),
    Trap(
        id="adam-for-sgd",
        title="Adam in place of SGD",
        what="""Many PyTorch programs take Adam without asking, and on MNIST it learns faster, so nobody complains.
            Its steps hardly depend on the gradient's size, SGD's are proportional to it. Remedy: the optimizer of
            the reference.""",
        keras="w -= lr g",
        port="w -= lr m_hat / (sqrt(v_hat) + eps)",
        shows=f"{steps.CHECK} at the first step: weights with tiny gradients move as far as the others.",
        inputs="The first step from w = 0 with a learning rate of 0.01.",
        columns=("g = 0.001", "g = 0.1", "g = 10"),
        keras_code=steps.first_step_in_keras("SGD(0.01)", "[0.001, 0.1, 10.0]"),
        port_code=steps.first_step_in_torch("torch.optim.Adam([w], lr=0.01)", "[0.001, 0.1, 10.0]"),
        keras_numbers=(-0.00001, -0.001, -0.1),
        port_numbers=(-0.0099999, -0.01, -0.01),
    ),
]
