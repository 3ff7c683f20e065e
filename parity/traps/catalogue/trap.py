"""What the catalogue holds of a trap: prose, both formulas, and an example in code."""

from dataclasses import dataclass, fields
from inspect import cleandoc

Numbers = tuple[float, float, float]
# What is imported before every snippet.
IMPORTS = {
    "keras": """
        import keras
        import numpy as np
        import tensorflow as tf
        from keras import ops
    """,
    "port": """
        import torch
        import torch.nn.functional as F
        import torchmetrics
        from torch import nn
        from torch.utils.data import DataLoader
    """,
}
IMPORTS = {side: cleandoc(code) for side, code in IMPORTS.items()}


@dataclass(frozen=True)
class Example:
    """Three numbers that both sides compute, each in its own framework.

    Attributes:
        inputs: what both sides are given, in one sentence.
        columns: what each of the three numbers belongs to.
        keras_code, port_code: what computes them, after `IMPORTS`; the last line is an expression of three numbers.
        keras, port: the numbers, rounded.
        digits: how many significant digits they have.
    """

    inputs: str
    columns: tuple[str, str, str]
    keras_code: str
    port_code: str
    keras: Numbers
    port: Numbers
    digits: int = 5

    def __post_init__(self):
        for name in ("keras_code", "port_code"):
            object.__setattr__(self, name, cleandoc(getattr(self, name)))


@dataclass(frozen=True)
class Trap:
    """A place where a port goes wrong without a word, and how it is recognised.

    Attributes:
        id: of the cause in `parity.causes`.
        title: in a few words.
        what: what happens, to whom, with which effect, and the remedy.
        keras: Keras's formula.
        port: the port's: PyTorch's default, or what the slip computes.
        rung: the rung of the ladder that shows it first.
        shows: which check fails there, and what it measures.
        example: three numbers.
    """

    id: str
    title: str
    what: str
    keras: str
    port: str
    rung: str
    shows: str
    example: Example

    def __post_init__(self):
        for field in fields(self):  # prose may be wrapped in the source; it is one line
            if field.name != "example":
                object.__setattr__(self, field.name, " ".join(getattr(self, field.name).split()))
