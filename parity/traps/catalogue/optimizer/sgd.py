"""Traps in SGD."""

from parity.traps.catalogue.optimizer.steps import (
    CHECK,
    ONES,
    STEPS,
    first_step_in_keras,
    first_step_in_torch,
    sgd_trap,
    three_steps_in_keras,
    three_steps_in_torch,
)
from parity.traps.catalogue.trap import Example, Trap

KERAS_MOMENTUM = "v = mu v - lr g; w += v"
MOMENTUM_NUMBERS = (-0.01, -0.029, -0.0561)

TRAPS = [
    Trap(
        id="learning-rate",
        title="Another learning rate",
        what="""Left to its default, Keras's SGD steps by .01 and PyTorch's by .001; RMSprop's defaults differ tenfold
            the other way. A port that trusts the defaults trains ten times too slowly, and a rate that is off by a
            hundredth of a per cent is seen in no curve. Remedy: write the rate down, on both sides.""",
        keras="w -= lr g, lr = .01",
        port="the same with another lr, for example .001",
        rung="optimizer",
        shows=f"{CHECK} at the first step, by one and the same factor on every weight; the rate is fitted and printed.",
        example=Example(
            "The first step of SGD from w = 0, both with their default rate.",
            ("g = 1", "g = 2", "g = 3"),
            first_step_in_keras("SGD()", "[1.0, 2.0, 3.0]"),
            first_step_in_torch("torch.optim.SGD([w])", "[1.0, 2.0, 3.0]"),
            (-0.01, -0.02, -0.03),
            (-0.001, -0.002, -0.003),
        ),
    ),
    sgd_trap(
        "momentum",
        "Momentum where there is none, or another one",
        """`momentum=0.9` is written almost by habit, and steps grow up to tenfold. Where both have momentum, mind that
        Keras's velocity carries the learning rate and PyTorch's does not: they agree only while the rate is
        constant. Remedy: the reference's number; `KerasSGD` where the rate changes.""",
        "v = mu v - lr g; w += v",
        f"{CHECK} from the second step on; the first is the same.",
        three_steps_in_torch("torch.optim.SGD([w], lr=0.01, momentum=0.9)"),
        (-0.01, -0.029, -0.0561),
    ),
    Trap(
        id="nesterov",
        title="Nesterov's form of momentum",
        what="""`nesterov=True` looks ahead by one more step of the velocity. It often trains a little better and is
            another algorithm. Remedy: the reference's form.""",
        keras=KERAS_MOMENTUM,
        port="v = mu v - lr g; w += mu v - lr g",
        rung="optimizer",
        shows=f"{CHECK} at the first step already: it is 1 + mu times as long.",
        example=Example(
            ONES,
            STEPS,
            three_steps_in_keras("SGD(0.01, momentum=0.9)"),
            three_steps_in_torch("torch.optim.SGD([w], lr=0.01, momentum=0.9, nesterov=True)"),
            MOMENTUM_NUMBERS,
            (-0.019, -0.0461, -0.08049),
        ),
    ),
    Trap(
        id="dampening",
        title="Momentum with dampening",
        what="""PyTorch's `dampening` takes a part of every gradient but the first away before it enters the velocity;
            Keras has no such number. Whoever sets it to 1 - mu, to get an average, divides the steps by up to ten.
            Remedy: the default, `dampening=0`.""",
        keras=KERAS_MOMENTUM,
        port="v = mu v + (1 - d) g, at first v = g; w -= lr v",
        rung="optimizer",
        shows=f"{CHECK} from the second step on; the first is the same.",
        example=Example(
            ONES,
            STEPS,
            three_steps_in_keras("SGD(0.01, momentum=0.9)"),
            three_steps_in_torch("torch.optim.SGD([w], lr=0.01, momentum=0.9, dampening=0.9)"),
            MOMENTUM_NUMBERS,
            (-0.01, -0.02, -0.03),
        ),
    ),
]
