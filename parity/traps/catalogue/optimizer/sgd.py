"""Traps in the other optimizers, and in what is done to gradients and rates."""

from parity.traps.catalogue.optimizer.steps import (
    CHECK,
    STEPS,
    first_step_in_keras,
    first_step_in_torch,
    in_keras,
    in_torch,
)
from parity.traps.catalogue.trap import Example, Numbers, Trap

ONES = "Three steps from w = 0, each with the gradient 1."
KERAS_MOMENTUM = "v = mu v - lr g; w += v"
SGD_GIVES = (-0.01, -0.02, -0.03)
MOMENTUM_GIVES = (-0.01, -0.029, -0.0561)
WHOLE = "each weight w, with the gradient 0.1"


def of_sgd(id: str, title: str, what: str, other: str, shows: str, code: str, gives: Numbers) -> Trap:
    """Returns a trap that three steps of plain SGD show."""
    example = Example(ONES, STEPS, in_keras("SGD(0.01)"), code, SGD_GIVES, gives)
    return Trap(id, title, what, "w -= lr g", other, "optimizer", shows, example)


TRAPS = [
    Trap(
        id="learning-rate",
        title="Another learning rate",
        what="""Left to its default, Keras's SGD steps by .01 and PyTorch's by .001; RMSprop's defaults differ tenfold
            the other way. A port that trusts the defaults trains ten times too slowly, and a rate that is off by a
            hundredth of a per cent is seen in no curve. Remedy: write the rate down, on both sides.""",
        keras="w -= lr g, lr = .01",
        other="the same with another lr, for example .001",
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
    of_sgd(
        "momentum",
        "Momentum where there is none, or another one",
        """`momentum=0.9` is written almost by habit, and steps grow up to tenfold. Where both have momentum, mind that
        Keras's velocity carries the learning rate and PyTorch's does not: they agree only while the rate is
        constant. Remedy: the reference's number; `KerasSGD` where the rate changes.""",
        "v = mu v - lr g; w += v",
        f"{CHECK} from the second step on; the first is the same.",
        in_torch("torch.optim.SGD([w], lr=0.01, momentum=0.9)"),
        (-0.01, -0.029, -0.0561),
    ),
    Trap(
        id="nesterov",
        title="Nesterov's form of momentum",
        what="""`nesterov=True` looks ahead by one more step of the velocity. It often trains a little better and is
            another algorithm. Remedy: the reference's form.""",
        keras=KERAS_MOMENTUM,
        other="v = mu v - lr g; w += mu v - lr g",
        rung="optimizer",
        shows=f"{CHECK} at the first step already: it is 1 + mu times as long.",
        example=Example(
            ONES,
            STEPS,
            in_keras("SGD(0.01, momentum=0.9)"),
            in_torch("torch.optim.SGD([w], lr=0.01, momentum=0.9, nesterov=True)"),
            MOMENTUM_GIVES,
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
        other="v = mu v + (1 - d) g, at first v = g; w -= lr v",
        rung="optimizer",
        shows=f"{CHECK} from the second step on; the first is the same.",
        example=Example(
            ONES,
            STEPS,
            in_keras("SGD(0.01, momentum=0.9)"),
            in_torch("torch.optim.SGD([w], lr=0.01, momentum=0.9, dampening=0.9)"),
            MOMENTUM_GIVES,
            (-0.01, -0.02, -0.03),
        ),
    ),
    Trap(
        id="weight-decay-coupled",
        title="weight_decay is another algorithm in PyTorch",
        what="""The same argument means two things. In every Keras optimizer it shrinks the weights beside the
            gradient (decoupled); in PyTorch's SGD and Adam it is added to the gradient, so momentum and Adam's
            division act on it, and with Adam it hardly decays anything. Remedy: `torch.optim.AdamW` or `KerasAdam`
            for Adam; and no decay where the reference has none.""",
        keras="w -= lr c w; then the update with g",
        other="g += c w; then the update",
        rung="optimizer",
        shows=f"{CHECK} at the first step, on the weights that do not start at 0.",
        example=Example(
            f"The first step of Adam with weight_decay=0.1 and a rate of 0.01: {WHOLE}.",
            ("w = 1", "w = 2", "w = 3"),
            first_step_in_keras("Adam(0.01, weight_decay=0.1)", "[0.1, 0.1, 0.1]", "[1.0, 2.0, 3.0]"),
            first_step_in_torch(
                "torch.optim.Adam([w], lr=0.01, weight_decay=0.1)", "[0.1, 0.1, 0.1]", "[1.0, 2.0, 3.0]"
            ),
            (0.989, 1.988, 2.987),
            (0.99, 1.99, 2.99),
        ),
    ),
    Trap(
        id="weight-decay-decoupled",
        title="AdamW in place of Adam",
        what="""`torch.optim.AdamW` decays every weight by default (.01), `Adam` does not; and Keras's own AdamW decays
            by .004. Every weight shrinks a little at each step, whatever its gradient. Remedy: `Adam`, or AdamW with
            the reference's number.""",
        keras="the update with g",
        other="w -= lr c w; then the update with g",
        rung="optimizer",
        shows=f"{CHECK} at the first step, on the weights that do not start at 0, in proportion to them.",
        example=Example(
            f"The first step with a rate of 0.01: {WHOLE}.",
            ("w = 1", "w = 2", "w = 3"),
            first_step_in_keras("Adam(0.01)", "[0.1, 0.1, 0.1]", "[1.0, 2.0, 3.0]"),
            first_step_in_torch("torch.optim.AdamW([w], lr=0.01)", "[0.1, 0.1, 0.1]", "[1.0, 2.0, 3.0]"),
            (0.99, 1.99, 2.99),
            (0.9899, 1.9898, 2.9897),
        ),
    ),
    Trap(
        id="rmsprop-epsilon-place",
        title="RMSprop's epsilon stands behind the root",
        what="""Keras adds epsilon under the root, where 1e-7 weighs as much as 3e-4 behind it. At gradients of a
            thousandth PyTorch's steps are far longer, with the same rho and the same epsilon. Remedy: `KerasRMSprop`
            in `lightning_mlp/keras_optimizers.py`.""",
        keras="w -= lr g / sqrt(v + eps)",
        other="w -= lr g / (sqrt(v) + eps)",
        rung="optimizer",
        shows=f"{CHECK} at the first step, on the columns whose gradients are small.",
        example=Example(
            "The first step from w = 0, both with rho = .9 and epsilon 1e-7.",
            ("g = 1e-4", "g = 1e-3", "g = 1e-2"),
            first_step_in_keras("RMSprop(0.001, rho=0.9, epsilon=1e-7)", "[1e-4, 1e-3, 1e-2]"),
            first_step_in_torch("torch.optim.RMSprop([w], lr=0.001, alpha=0.9, eps=1e-7)", "[1e-4, 1e-3, 1e-2]"),
            (-0.00031466, -0.0022361, -0.0031466),
            (-0.0031523, -0.0031613, -0.0031622),
        ),
    ),
    Trap(
        id="rmsprop-rho",
        title="RMSprop's rho (alpha) has another default",
        what="""Keras forgets squared gradients with rho = .9, PyTorch (which calls it alpha) with .99. As neither
            corrects for the start at 0, PyTorch's first step is three times as long. Remedy: write the number down,
            on both sides.""",
        keras="v = rho v + (1 - rho) g^2, rho = .9",
        other="the same with rho = .99",
        rung="optimizer",
        shows=f"{CHECK} at the first step, by one and the same factor wherever gradients are ordinary.",
        example=Example(
            ONES,
            STEPS,
            in_keras("RMSprop(0.001)"),
            in_torch("torch.optim.RMSprop([w], lr=0.001)"),
            (-0.0031623, -0.0054564, -0.0073774),
            (-0.01, -0.017089, -0.022891),
        ),
    ),
    Trap(
        id="clip-norm",
        title="Gradients are clipped to a norm",
        what="""`Trainer(gradient_clip_val=1.0)` scales all gradients together once their norm exceeds 1. Large
            gradients come early and seldom, so most of the run is the same. Remedy: leave it out; and where Keras
            clips, mind that its `clipnorm` takes each tensor by itself and `global_clipnorm` all together.""",
        keras="w -= lr g",
        other="g min(1, c / |g|) in place of g",
        rung="optimizer",
        shows=f"{CHECK} at the first step whose gradients have a larger norm, on all weights by the same factor.",
        example=Example(
            "The first step of SGD with a rate of 1; the norm of these gradients is 13.",
            ("g = 3", "g = 4", "g = 12"),
            first_step_in_keras("SGD(1.0)", "[3.0, 4.0, 12.0]"),
            first_step_in_torch(
                "torch.optim.SGD([w], lr=1.0)", "[3.0, 4.0, 12.0]", before="nn.utils.clip_grad_norm_([w], 1.0)"
            ),
            (-3.0, -4.0, -12.0),
            (-0.23077, -0.30769, -0.92308),
        ),
    ),
    Trap(
        id="clip-value",
        title="Gradients are clipped one by one",
        what="""`gradient_clip_algorithm="value"` cuts every gradient to the same interval, which changes the direction
            of the step, too. Remedy: leave it out.""",
        keras="w -= lr g",
        other="clip(g, -c, c) in place of g",
        rung="optimizer",
        shows=f"{CHECK} at the first step with larger gradients, on the weights that have them.",
        example=Example(
            "The first step of SGD with a rate of 1, clipped to 0.5.",
            ("g = 0.1", "g = -0.7", "g = 3"),
            first_step_in_keras("SGD(1.0)", "[0.1, -0.7, 3.0]"),
            first_step_in_torch(
                "torch.optim.SGD([w], lr=1.0)", "[0.1, -0.7, 3.0]", before="nn.utils.clip_grad_value_([w], 0.5)"
            ),
            (-0.1, 0.7, -3.0),
            (-0.1, 0.5, -0.5),
        ),
    ),
    of_sgd(
        "accumulation",
        "An update takes several batches",
        """`Trainer(accumulate_grad_batches=2)`, meant to save memory, makes half as many updates from batches twice
        as large. The loss falls more slowly for each epoch, and nothing else shows. Remedy: 1, the default.""",
        "one update every k batches, with their mean gradient",
        f"{CHECK} at the first step, at which nothing moves.",
        """
            w, seen = torch.zeros(1, requires_grad=True), []
            optimizer = torch.optim.SGD([w], lr=0.01)
            for step in (1, 2, 3):
                (w.sum() / 2).backward()  # w.grad adds up
                if step % 2 == 0:
                    optimizer.step(), optimizer.zero_grad()
                seen.append(w.item())
            seen
        """,
        (0.0, -0.01, -0.01),
    ),
    of_sgd(
        "schedule-step",
        "The learning rate falls at every step",
        """A schedule that Keras does not have, or one that was meant per epoch and runs per step
        (`"interval": "step"`). Lightning's default is per epoch, Keras's schedules count steps. Remedy: no schedule
        where there is none; else the same unit on both sides.""",
        "w -= lr gamma^t g",
        f"{CHECK} from the second step on, more at every step.",
        in_torch(
            "torch.optim.SGD([w], lr=0.01)",
            more=("schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)", "schedule.step()"),
        ),
        (-0.01, -0.019, -0.0271),
    ),
    of_sgd(
        "frozen",
        "Nothing is updated",
        """The optimizer was given copies of the parameters, or those of a model that was replaced afterwards, or a
        rate of 0. Everything runs, and the accuracy stays at chance. Remedy: build the optimizer last, in
        `configure_optimizers`.""",
        "w",
        f"{CHECK} at the first step: the candidate's weights are those of the start.",
        in_torch("torch.optim.SGD([w.detach().clone()], lr=0.01)  # a copy"),
        (0.0, 0.0, 0.0),
    ),
]
