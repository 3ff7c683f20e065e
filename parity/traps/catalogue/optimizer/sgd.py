"""Traps in SGD."""

from functools import partial

from parity.traps.catalogue.optimizer import steps
from parity.traps.catalogue.trap import Trap

KERAS_MOMENTUM = "v = mu v - lr g; w += v"
MOMENTUM_NUMBERS = (-0.01, -0.029, -0.0561)
momentum_trap = partial(
    steps.sgd_trap,
    keras=KERAS_MOMENTUM,
    keras_code=steps.three_steps_in_keras("SGD(0.01, momentum=0.9)"),
    keras_numbers=MOMENTUM_NUMBERS,
)

TRAPS = [
    Trap(
        id="learning-rate",
        title="Another learning rate",
        what="""Left to its default, Keras's SGD steps by .01 and PyTorch's by .001; RMSprop's defaults differ tenfold
            the other way. A port that trusts the defaults trains ten times too slowly, and a rate that is off by a
            hundredth of a per cent is seen in no curve. Remedy: write the rate down, on both sides.""",
        keras="w -= lr g, lr = .01",
        port="the same with another lr, for example .001",
        shows=f"""{steps.CHECK} at the first step, by one and the same factor on every weight; the rate is fitted and
            printed.""",
        inputs="The first step of SGD from w = 0, both with their default rate.",
        columns=("g = 1", "g = 2", "g = 3"),
        keras_code=steps.first_step_in_keras("SGD()", "[1.0, 2.0, 3.0]"),
        port_code=steps.first_step_in_torch("torch.optim.SGD([w])", "[1.0, 2.0, 3.0]"),
        keras_numbers=(-0.01, -0.02, -0.03),
        port_numbers=(-0.001, -0.002, -0.003),
    ),
    steps.sgd_trap(
        id="momentum",
        title="Momentum where there is none, or another one",
        what="""`momentum=0.9` is written almost by habit, and steps grow up to tenfold. Where both have momentum, mind
            that Keras's velocity carries the learning rate and PyTorch's does not: they agree only while the rate is
            constant. Remedy: the reference's number; `KerasSGD` where the rate changes.""",
        port=KERAS_MOMENTUM,
        shows=f"{steps.CHECK} from the second step on; the first is the same.",
        port_code=steps.three_steps_in_torch("torch.optim.SGD([w], lr=0.01, momentum=0.9)"),
        port_numbers=MOMENTUM_NUMBERS,
    ),
    Trap(
        id="momentum-and-schedule",
        title="Momentum under a rate that changes",
        what="""Keras's velocity carries the learning rate, PyTorch's does not: when the rate falls, PyTorch scales the
            whole velocity down at once, Keras only what is new in it. With momentum .9, ten steps pass until both step
            alike again. The first step is the same, and without a schedule all are. Remedy: `KerasSGD`, or momentum
            that is scaled by hand.""",
        keras="v = mu v - lr_t g; w += v",
        port="v = mu v + g; w -= lr_t v",
        shows=f"{steps.CHECK} from the second step on.",
        inputs=f"{steps.ONES} The rate is .01, and falls by a tenth from step to step.",
        columns=steps.STEPS,
        keras_code=steps.three_steps_in_keras(
            "SGD(keras.optimizers.schedules.ExponentialDecay(0.01, 1, 0.9), momentum=0.9)"
        ),
        port_code=steps.three_steps_in_torch(
            "torch.optim.SGD([w], lr=0.01, momentum=0.9)",
            after_optimizer="schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)",
            after_step="schedule.step()",
        ),
        keras_numbers=(-0.01, -0.028, -0.0523),
        port_numbers=(-0.01, -0.0271, -0.049051),
    ),
    momentum_trap(
        id="nesterov",
        title="Nesterov's form of momentum",
        what="""`nesterov=True` looks ahead by one more step of the velocity. It often trains a little better and is
            another algorithm. Remedy: the reference's form.""",
        port="v = mu v - lr g; w += mu v - lr g",
        shows=f"{steps.CHECK} at the first step already: it is 1 + mu times as long.",
        port_code=steps.three_steps_in_torch("torch.optim.SGD([w], lr=0.01, momentum=0.9, nesterov=True)"),
        port_numbers=(-0.019, -0.0461, -0.08049),
    ),
    momentum_trap(
        id="dampening",
        title="Momentum with dampening",
        what="""PyTorch's `dampening` takes a part of every gradient but the first away before it enters the velocity;
            Keras has no such number. Whoever sets it to 1 - mu, to get an average, divides the steps by up to ten.
            Remedy: the default, `dampening=0`.""",
        port="v = mu v + (1 - d) g, at first v = g; w -= lr v",
        shows=f"{steps.CHECK} from the second step on; the first is the same.",
        port_code=steps.three_steps_in_torch("torch.optim.SGD([w], lr=0.01, momentum=0.9, dampening=0.9)"),
        port_numbers=(-0.01, -0.02, -0.03),
    ),
]
