"""Code of the examples that take steps of an optimizer, the same on both sides."""

from functools import partial

from parity.traps.catalogue.trap import Trap

CHECK = "`weights after each of 130 steps` fails"
ONES = "Three steps from w = 0, each with the gradient 1."
STEPS = ("after step 1", "after step 2", "after step 3")


def first_step_in_keras(optimizer: str, gradients: str, start: str = "[0.0, 0.0, 0.0]") -> str:
    """Returns Keras's code for one step of three weights, each with its own gradient."""
    return f"""
        w = keras.Variable({start})
        optimizer = keras.optimizers.{optimizer}
        optimizer.apply([ops.array({gradients})], [w])
        w.numpy()
    """


def first_step_in_torch(optimizer: str, gradients: str, start: str = "[0.0, 0.0, 0.0]", before: str = "") -> str:
    """Returns the port's code for the same; `before` stands before the step."""
    lines = [
        f"w = torch.tensor({start}, requires_grad=True)",
        f"optimizer = {optimizer}",
        f"w.grad = torch.tensor({gradients})",
        *([before] if before else []),
        "optimizer.step()",
        "w.detach()",
    ]
    return "\n".join(lines)


def three_steps_in_keras(optimizer: str, gradients: str = "(1.0, 1.0, 1.0)") -> str:
    """Returns Keras's code for three steps of one weight from 0, and where it is after each."""
    return f"""
        w, seen = keras.Variable([0.0]), []
        optimizer = keras.optimizers.{optimizer}
        for g in {gradients}:
            optimizer.apply([ops.array([g])], [w])
            seen.append(w.numpy()[0])
        seen
    """


def three_steps_in_torch(
    optimizer: str, gradients: str = "(1.0, 1.0, 1.0)", after_optimizer: str = "", after_step: str = ""
) -> str:
    """Returns the port's code for the same; further lines stand after the optimizer and after its step."""
    lines = [
        "w, seen = torch.zeros(1, requires_grad=True), []",
        f"optimizer = {optimizer}",
        after_optimizer,
        f"for g in {gradients}:",
        "    w.grad = torch.tensor([g])",
        "    optimizer.step()",
        after_step and f"    {after_step}",
        "    seen.append(w.item())",
        "seen",
    ]
    return "\n".join(line for line in lines if line)


# three steps of plain SGD show it
sgd_trap = partial(
    Trap,
    keras="w -= lr g",
    inputs=ONES,
    columns=STEPS,
    keras_code=three_steps_in_keras("SGD(0.01)"),
    keras_numbers=(-0.01, -0.02, -0.03),
)
