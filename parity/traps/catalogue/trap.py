"""What the catalogue holds of a trap: prose, both formulas, and an example in code."""

from dataclasses import dataclass
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
class Trap:
    """A place where a port goes wrong without a word, and how it is recognised."""

    id: str  # what it is called, also by what undoes it
    title: str  # in a few words
    what: str  # what happens, to whom, with which effect, and the remedy
    keras: str  # Keras's formula
    port: str  # the port's: PyTorch's default, or what the slip computes
    shows: str  # which check fails there, and what it measures
    inputs: str  # of the example, three numbers that both sides compute, each in its own framework; in one sentence
    columns: tuple[str, str, str]  # what each of the three numbers belongs to
    # keras_code, port_code: what computes them, after `IMPORTS`; the last line is an expression of three numbers
    keras_code: str
    port_code: str
    # keras_numbers, port_numbers: the three, rounded
    keras_numbers: Numbers
    port_numbers: Numbers
    digits: int = 5  # how many significant digits they have
    not_undone: str = ""  # why `check` does not undo it under this name; empty where it does
    rung: str = ""  # the rung of the ladder that shows it first; the catalogue takes it from the module's name

    def __post_init__(self):
        for name, value in vars(self).items():
            if name.endswith("_code"):
                object.__setattr__(self, name, cleandoc(value))
            elif isinstance(value, str):  # prose may be wrapped in the source; it is one line
                object.__setattr__(self, name, " ".join(value.split()))
