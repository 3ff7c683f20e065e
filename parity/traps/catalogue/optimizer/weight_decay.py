"""Traps in the decay of weights."""

from parity.traps.catalogue.optimizer.steps import CHECK, first_step_in_keras, first_step_in_torch
from parity.traps.catalogue.trap import Trap

WEIGHTS = "each weight w, with the gradient 0.1"
GRADIENTS_AND_START = ("[0.1, 0.1, 0.1]", "[1.0, 2.0, 3.0]")

TRAPS = [
    Trap(
        id="weight-decay-coupled",
        title="weight_decay is another algorithm in PyTorch",
        what="""The same argument means two things. In every Keras optimizer it shrinks the weights beside the
            gradient (decoupled); in PyTorch's SGD and Adam it is added to the gradient, so momentum and Adam's
            division act on it, and with Adam it hardly decays anything. Remedy: `torch.optim.AdamW` or `KerasAdam`
            for Adam; and no decay where the reference has none.""",
        keras="w -= lr c w; then the update with g",
        port="g += c w; then the update",
        shows=f"{CHECK} at the first step, on the weights that do not start at 0.",
        inputs=f"The first step of Adam with weight_decay=0.1 and a rate of 0.01: {WEIGHTS}.",
        columns=("w = 1", "w = 2", "w = 3"),
        keras_code=first_step_in_keras("Adam(0.01, weight_decay=0.1)", *GRADIENTS_AND_START),
        port_code=first_step_in_torch("torch.optim.Adam([w], lr=0.01, weight_decay=0.1)", *GRADIENTS_AND_START),
        keras_numbers=(0.989, 1.988, 2.987),
        port_numbers=(0.99, 1.99, 2.99),
    ),
    Trap(
        id="weight-decay-decoupled",
        title="AdamW in place of Adam",
        what="""`torch.optim.AdamW` decays every weight by default (.01), `Adam` does not; and Keras's own AdamW decays
            by .004. Every weight shrinks a little at each step, whatever its gradient. Remedy: `Adam`, or AdamW with
            the reference's number.""",
        keras="the update with g",
        port="w -= lr c w; then the update with g",
        shows=f"{CHECK} at the first step, on the weights that do not start at 0, in proportion to them.",
        inputs=f"The first step with a rate of 0.01: {WEIGHTS}.",
        columns=("w = 1", "w = 2", "w = 3"),
        keras_code=first_step_in_keras("Adam(0.01)", *GRADIENTS_AND_START),
        port_code=first_step_in_torch("torch.optim.AdamW([w], lr=0.01)", *GRADIENTS_AND_START),
        keras_numbers=(0.99, 1.99, 2.99),
        port_numbers=(0.9899, 1.9898, 2.9897),
    ),
]
