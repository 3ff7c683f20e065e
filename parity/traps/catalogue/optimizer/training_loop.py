"""Traps in what the training loop does around the optimizer: clipping, accumulation, schedules."""

from parity.traps.catalogue.optimizer import steps
from parity.traps.catalogue.trap import Trap

TRAPS = [
    Trap(
        id="clip-norm",
        title="Gradients are clipped to a norm",
        what="""`Trainer(gradient_clip_val=1.0)` scales all gradients together once their norm exceeds 1. Large
            gradients come early and seldom, so most of the run is the same. Remedy: leave it out; and where Keras
            clips, mind that its `clipnorm` takes each tensor by itself and `global_clipnorm` all together.""",
        keras="w -= lr g",
        port="g min(1, c / |g|) in place of g",
        shows=f"{steps.CHECK} at the first step whose gradients have a larger norm, on all weights by the same factor.",
        inputs="The first step of SGD with a rate of 1; the norm of these gradients is 13.",
        columns=("g = 3", "g = 4", "g = 12"),
        keras_code=steps.first_step_in_keras("SGD(1.0)", "[3.0, 4.0, 12.0]"),
        port_code=steps.first_step_in_torch(
            "torch.optim.SGD([w], lr=1.0)", "[3.0, 4.0, 12.0]", before="nn.utils.clip_grad_norm_([w], 1.0)"
        ),
        keras_numbers=(-3.0, -4.0, -12.0),
        port_numbers=(-0.23077, -0.30769, -0.92308),
    ),
    Trap(
        id="clip-value",
        title="Gradients are clipped one by one",
        what="""`gradient_clip_algorithm="value"` cuts every gradient to the same interval, which changes the direction
            of the step, too. Remedy: leave it out.""",
        keras="w -= lr g",
        port="clip(g, -c, c) in place of g",
        shows=f"{steps.CHECK} at the first step with larger gradients, on the weights that have them.",
        inputs="The first step of SGD with a rate of 1, clipped to 0.5.",
        columns=("g = 0.1", "g = -0.7", "g = 3"),
        keras_code=steps.first_step_in_keras("SGD(1.0)", "[0.1, -0.7, 3.0]"),
        port_code=steps.first_step_in_torch(
            "torch.optim.SGD([w], lr=1.0)", "[0.1, -0.7, 3.0]", before="nn.utils.clip_grad_value_([w], 0.5)"
        ),
        keras_numbers=(-0.1, 0.7, -3.0),
        port_numbers=(-0.1, 0.5, -0.5),
    ),
    steps.sgd_trap(
        id="accumulation",
        title="An update takes several batches",
        what="""`Trainer(accumulate_grad_batches=2)`, meant to save memory, makes half as many updates from batches
            twice as large. The loss falls more slowly for each epoch, and nothing else shows. Remedy: 1, the
            default.""",
        port="one update every k batches, with their mean gradient",
        shows=f"{steps.CHECK} at the first step, at which nothing moves.",
        port_code="""w, seen = torch.zeros(1, requires_grad=True), []
        optimizer = torch.optim.SGD([w], lr=0.01)
        for step in (1, 2, 3):
            (w.sum() / 2).backward()  # w.grad adds up
            if step % 2 == 0:
                optimizer.step(), optimizer.zero_grad()
            seen.append(w.item())
        seen""",
        port_numbers=(0.0, -0.01, -0.01),
    ),
    Trap(
        id="schedule-missing",
        title="Keras's schedule is left out, or is another",
        what="""Keras's schedules stand where a rate stands, as in `Adam(ExponentialDecay(...))`, and are read as a
            number. The port learns at the first rate to the end, or by a schedule that counts epochs. Remedy: a
            scheduler in `configure_optimizers`, with `"interval": "step"`, as Keras's schedules count steps.""",
        keras="w -= lr gamma^t g",
        port="w -= lr g",
        shows=f"{steps.CHECK} from the second step on; the rung callbacks says what Keras's is.",
        inputs=steps.ONES,
        columns=steps.STEPS,
        keras_code=steps.three_steps_in_keras("SGD(keras.optimizers.schedules.ExponentialDecay(0.01, 1, 0.9))"),
        port_code=steps.three_steps_in_torch("torch.optim.SGD([w], lr=0.01)"),
        keras_numbers=(-0.01, -0.019, -0.0271),
        port_numbers=(-0.01, -0.02, -0.03),
    ),
    steps.sgd_trap(
        id="schedule-step",
        title="The learning rate falls at every step",
        what="""A schedule that Keras does not have, or one that was meant per epoch and runs per step (`"interval":
            "step"`). Lightning's default is per epoch, Keras's schedules count steps. Remedy: no schedule where there
            is none; else the same unit on both sides.""",
        port="w -= lr gamma^t g",
        shows=f"{steps.CHECK} from the second step on, more at every step.",
        port_code=steps.three_steps_in_torch(
            "torch.optim.SGD([w], lr=0.01)",
            after_optimizer="schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)",
            after_step="schedule.step()",
        ),
        port_numbers=(-0.01, -0.019, -0.0271),
    ),
    steps.sgd_trap(
        id="frozen",
        title="Nothing is updated",
        what="""The optimizer was given copies of the parameters, or those of a model that was replaced afterwards, or a
            rate of 0. Everything runs, and the accuracy stays at chance. Remedy: build the optimizer last, in
            `configure_optimizers`.""",
        port="w",
        shows=f"{steps.CHECK} at the first step: the candidate's weights are those of the start.",
        port_code=steps.three_steps_in_torch("torch.optim.SGD([w.detach().clone()], lr=0.01)  # a copy"),
        port_numbers=(0.0, 0.0, 0.0),
    ),
]
