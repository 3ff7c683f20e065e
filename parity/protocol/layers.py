"""The layers of a model, in the words both frameworks share."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Layer:
    """One dense layer with its activation."""

    name: str  # the framework's own name for it
    kind: str  # the framework's own class name
    # inputs, outputs: sizes of the kernel, in Keras's order
    inputs: int
    outputs: int
    activation: str  # `sigmoid`, `tanh`, `relu`, `softmax` or `linear`; `unknown` where it is none of them
    parameters: int  # number of trainable values, kernel and bias
