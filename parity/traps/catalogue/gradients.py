"""Traps in the gradients."""

from parity.traps.catalogue.trap import Trap

# What Keras computes in both examples.
PRODUCT = {
    "keras": "dL/dW of every layer",
    "columns": ("dy/dw1", "dy/dw2", "dy/dw3"),
    "keras_code": """w = tf.Variable([2.0, 3.0, 4.0])
        with tf.GradientTape() as tape:
            y = w[0] * w[1] * w[2]
        tape.gradient(y, w)""",
    "keras_numbers": (12.0, 8.0, 6.0),
}
TRAPS = [
    Trap(
        **PRODUCT,
        id="detached-layer",
        title="No gradient reaches the first layers",
        what="""A `detach()`, a detour through numpy or `torch.no_grad()` cuts the graph: the layers before it never
            learn. The others make up for much of it, so the loss still falls. Remedy: check after one backward pass
            that every parameter has a gradient.""",
        port="none for the first layers",
        shows="`gradients` fails on the first layers alone, while `probabilities` and `batch loss` pass.",
        inputs="y = w1 w2 w3 with the weights 2, 3 and 4; the derivative of y by each.",
        port_code="""w = torch.tensor([2.0, 3.0, 4.0], requires_grad=True)
        y = w[0].detach() * w[1] * w[2]
        y.backward()
        w.grad""",
        port_numbers=(0.0, 8.0, 6.0),
    ),
    Trap(
        **PRODUCT,
        id="gradient-hook",
        title="A hook changes the gradients",
        what="""`on_after_backward` or `on_before_optimizer_step` scales some gradients, sets them to zero or adds noise
            to them, as tricks against overfitting do. Keras's `fit` takes them as they are. Remedy: leave the hook
            out, or write the same in a Keras optimizer of one's own.""",
        port="f(dL/dW)",
        shows="`gradients` fails on the tensors that the hook changes, while `batch loss` passes.",
        inputs="y = w1 w2 w3 with the weights 2, 3 and 4; a hook halves the first gradient.",
        port_code="""w = torch.tensor([2.0, 3.0, 4.0], requires_grad=True)
        y = w[0] * w[1] * w[2]
        y.backward()
        w.grad[0] *= 0.5  # in on_after_backward
        w.grad""",
        port_numbers=(6.0, 8.0, 6.0),
    ),
]
