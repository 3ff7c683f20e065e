"""Honest pairs: a Keras model and the port that trains like it, drawn from a seed."""

from dataclasses import dataclass

from parity.selftest.honest.data import ROWS, VAL_ROWS, Objective, Rows, draw_layout, objectives, outputs_of
from parity.selftest.honest.layers import CALL, Draw, Layer, Setting
from parity.selftest.honest.losses import further_objectives
from parity.selftest.honest.models import draw_layers
from parity.selftest.honest.several import NUMBERS, Second, draw_second
from parity.selftest.honest.training import MOST_ACCUMULATED, Training, draw_training

PRECISIONS = ("float32", "float32", "float32", "float64")
BACKENDS = ("tensorflow", "tensorflow", "jax")


@dataclass(frozen=True)
class Optimizer:
    """An optimizer, as both sides write it."""

    keras: str
    torch: str  # between the brackets, behind the parameters
    kind: str  # keras_like's class


OPTIMIZERS = (
    Optimizer("SGD(0.05)", "lr=0.05", "KerasSGD"),
    Optimizer("SGD(0.01, momentum=0.9)", "lr=0.01, momentum=0.9", "KerasSGD"),
    Optimizer("SGD(0.01, momentum=0.9, nesterov=True)", "lr=0.01, momentum=0.9, nesterov=True", "KerasSGD"),
    Optimizer("Adam()", "", "KerasAdam"),
    Optimizer("Adam(0.002, beta_2=0.99)", "lr=0.002, betas=(0.9, 0.99)", "KerasAdam"),
    Optimizer("AdamW()", "weight_decay=0.004", "KerasAdam"),
    Optimizer("RMSprop()", "", "KerasRMSprop"),
    Optimizer("RMSprop(momentum=0.5)", "momentum=0.5", "KerasRMSprop"),
    Optimizer("Adagrad(0.02)", "lr=0.02", "KerasAdagrad"),
    Optimizer("Nadam()", "", "KerasNadam"),
)


@dataclass(frozen=True)
class HonestPair:
    """A Keras model and the port that trains like it."""

    seed: int
    setting: Setting
    rows: Rows
    count: int  # of training rows
    batch_size: int
    epochs: int
    objective: Objective
    layers: tuple[Layer, ...]
    initializer: str  # of the kernels: Keras's name; empty for the default
    optimizer: Optimizer
    torch_optimizer: str  # the port's, with its arguments
    layout: tuple[str, str]  # of inputs: what the loader does, and what the module does then
    clip: float  # of every gradient's values; 0 for none
    is_named: bool  # whether layers have Keras's names in the port, which registers them backwards
    is_sequential: bool
    has_input: bool  # a second one
    second: Second | None  # output
    training: Training

    @property
    def title(self) -> str:
        """The pair in a few words."""
        kinds = "-".join(layer.kind.split(",")[0] for layer in self.layers if layer.kind != "Skip")
        optimizer = self.optimizer.keras.partition("(")[0]
        return f"{self.rows.name}: {kinds}, {optimizer}, {self.setting.backend} {self.setting.precision}"


def draw_pair(seed: int, draw: Draw | None = None) -> HonestPair:
    """Draws the pair of a seed.

    Args:
        seed: of its rows.
        draw: the source of choices; the seed's own unless given.
    """
    draw = draw or Draw(seed)
    backend, precision = draw.of(*BACKENDS), draw.of(*PRECISIONS)
    setting = draw.setting = Setting(backend, precision if backend == "tensorflow" else "float32")
    rows = draw.of(*ROWS)
    objective = draw.of(*objectives(rows, setting), *further_objectives(rows, setting))
    batch_size = draw.of(16, 25, 32, 64)
    has_input, second = draw.chance(0.15), draw_second(draw) if draw.chance(0.15) else None
    layers, initializer = draw_layers(
        draw, rows.shape, rows.words, outputs_of(rows, objective), objective.activation, rows.is_padded,
        (NUMBERS * has_input, 1 if second else 0),
    )  # fmt: skip
    # an embedding's gradients are sparse on TensorFlow: its adaptive optimizers and clips treat every occurrence alone
    is_sparse = bool(rows.words) and setting.backend == "tensorflow"
    optimizer = draw.of(*(one for one in OPTIMIZERS if one.kind == "KerasSGD" or not is_sparse))
    named, is_chain = draw.chance(0.25), all(layer.call == CALL for layer in layers)
    batches = min(draw.of(300, 500, 800), rows.most - VAL_ROWS) // batch_size
    training = draw_training(draw, not is_sparse and batches > MOST_ACCUMULATED)
    batches -= batches % training.accumulated
    return HonestPair(
        seed, setting, rows,
        batches * batch_size - batch_size // 2,  # the last batch is half of one
        batch_size,
        draw.of(1, 2, 4),
        objective, tuple(layers), initializer, optimizer,
        draw_torch_optimizer(draw, optimizer, setting, training),
        draw_layout(draw, rows),
        0.0 if is_sparse else draw.of(0.0, 0.0, 0.0, 0.0625),
        named,
        is_chain and second is None and draw.chance(0.6),
        has_input,
        second,
        training,
    )  # fmt: skip


def draw_torch_optimizer(draw: Draw, optimizer: Optimizer, setting: Setting, training: Training) -> str:
    """Draws the port's optimizer: torch's own where it is Keras's, else keras_like's."""
    arguments = ["self.parameters()", *([optimizer.torch] if optimizer.torch else [])]
    # TensorFlow rounds the momentum to float32, also in float64; Keras's velocity carries a rate that changes
    is_exact = (setting.precision == "float32" and not training.rate) or "momentum" not in optimizer.torch
    if optimizer.kind == "KerasSGD" and is_exact and draw.chance(0.4):
        return f"torch.optim.SGD({', '.join(arguments)})"
    return f"{optimizer.kind}({', '.join(arguments)})"
