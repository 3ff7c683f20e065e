"""Writes honest pairs as pair files: drawn from a seed, as a person might have written them."""

from dataclasses import dataclass

from parity.selftest.honest.data import ROWS, Objective, Rows, draw_layout, objectives, outputs_of
from parity.selftest.honest.layers import Draw, Layer, Setting
from parity.selftest.honest.models import INITIALIZERS, draw_layers, with_arguments

PRECISIONS = ("float32", "float32", "float32", "float64")
BACKENDS = ("tensorflow", "tensorflow", "jax")
VAL_ROWS = 50


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

    @property
    def title(self) -> str:
        """The pair in a few words."""
        kinds = "-".join(layer.kind.split(",")[0] for layer in self.layers if layer.kind != "Skip")
        optimizer = self.optimizer.keras.partition("(")[0]
        return f"{self.rows.name}: {kinds}, {optimizer}, {self.setting.backend} {self.setting.precision}"


def draw_pair(seed: int) -> HonestPair:
    """Draws the pair of a seed."""
    draw = Draw(seed)
    backend, precision = draw.of(*BACKENDS), draw.of(*PRECISIONS)
    setting = draw.setting = Setting(backend, precision if backend == "tensorflow" else "float32")
    rows = draw.of(*ROWS)
    objective = draw.of(*objectives(rows, setting))
    batch_size = draw.of(16, 25, 32, 64)
    layers, initializer = draw_layers(draw, rows.shape, rows.words, outputs_of(rows, objective), objective.activation)
    # an embedding's gradients are sparse on TensorFlow: its adaptive optimizers and clips treat every occurrence alone
    is_sparse = bool(rows.words) and setting.backend == "tensorflow"
    optimizer = draw.of(*(one for one in OPTIMIZERS if one.kind == "KerasSGD" or not is_sparse))
    named, skips = draw.chance(0.25), any(layer.kind == "Skip" for layer in layers)
    batches = min(draw.of(300, 500, 800), rows.most - VAL_ROWS) // batch_size
    return HonestPair(
        seed, setting, rows,
        batches * batch_size - batch_size // 2,  # the last batch is half of one
        batch_size,
        draw.of(1, 2, 4),
        objective, tuple(layers), initializer, optimizer,
        draw_torch_optimizer(draw, optimizer, setting),
        draw_layout(draw, rows),
        0.0 if is_sparse else draw.of(0.0, 0.0, 0.0, 0.0625),
        named,
        not skips and draw.chance(0.6),
    )  # fmt: skip


def draw_torch_optimizer(draw: Draw, optimizer: Optimizer, setting: Setting) -> str:
    """Draws the port's optimizer: torch's own where it is Keras's, else keras_like's."""
    arguments = ["self.parameters()", *([optimizer.torch] if optimizer.torch else [])]
    # TensorFlow rounds the momentum to float32, also in float64
    is_exact = setting.precision == "float32" or "momentum" not in optimizer.torch
    if optimizer.kind == "KerasSGD" and is_exact and draw.chance(0.4):
        return f"torch.optim.SGD({', '.join(arguments)})"
    return f"{optimizer.kind}({', '.join(arguments)})"


# ---- the file


def write(pair: HonestPair) -> str:
    """Returns the text of the pair file."""
    text = HEAD + KERAS + (SEQUENTIAL if pair.is_sequential else FUNCTIONAL) + LIGHTNING
    clip = [f"clipvalue={pair.clip}"] if pair.clip else []
    return text.format(
        title=pair.title,
        seed=pair.seed,
        backend=pair.setting.backend,
        precision=pair.setting.precision,
        epochs=pair.epochs,
        batch_size=pair.batch_size,
        rows=indent(rows_lines(pair), 1),
        count=pair.count,
        shape=pair.rows.shape,
        dtype=", dtype='int32'" if pair.rows.words else "",
        keras_layers=indent(keras_lines(pair), 2 if pair.is_sequential else 1),
        keras_optimizer=f"keras.optimizers.{with_arguments(pair.optimizer.keras, clip)}",
        keras_loss=pair.objective.keras,
        helper=CLIP_PROBABILITIES if "clip(" in pair.objective.loss else "",
        modules=indent(module_lines(pair), 3),
        initializer=INITIALIZERS.get(pair.initializer, "GlorotUniform"),
        forward=indent(forward_lines(pair), 3),
        output=pair.objective.output,
        loss=" + ".join([pair.objective.loss, *penalties(pair)]),
        torch_optimizer=pair.torch_optimizer,
        loader_x=pair.layout[0],
        loader_y=pair.objective.turn,
    ) + (CLIP.format(clip=pair.clip) if pair.clip else "")


def indent(lines: list[str], levels: int) -> str:
    """Joins lines, all but the first and the empty ones indented."""
    return "\n".join(f"{'    ' * levels * bool(number and line)}{line}" for number, line in enumerate(lines))


def rows_lines(pair: HonestPair) -> list[str]:
    """Returns the lines that make `x` and `y`."""
    rows = pair.rows
    target = pair.objective.targets.format(labels=rows.labels, values=rows.values, classes=rows.classes)
    lines = [line.format(seed=pair.seed, rows=pair.count + VAL_ROWS) for line in rows.lines]
    return [*(["from sklearn import datasets", ""] if "datasets." in lines[0] else []), *lines, f"y = {target}"]


def names_of(pair: HonestPair) -> list[str]:
    """Returns what each layer is called in the port, and in Keras where they are named alike."""
    if not pair.is_named:
        return [f"layer{number}" for number in range(len(pair.layers))]
    return [f"{layer.kind.split(',')[0].lower()}_of_{number}" for number, layer in enumerate(pair.layers)]


def keras_lines(pair: HonestPair) -> list[str]:
    """Returns the lines of Keras's layers: entries of a list, or calls."""
    lines = []
    for layer, name in zip(pair.layers, names_of(pair), strict=True):
        text = layer.keras
        if pair.is_named and text:
            text = with_arguments(text, [f"name='{name}'"])
        if pair.is_sequential:
            lines.append(f"layers.{text},")
        elif layer.kind == "Skip":
            lines.append("skip = x")
        else:
            lines.append(f"x = layers.{text}({'[x, skip]' if layer.kind in ('Add', 'Concatenate') else 'x'})")
    return lines


def module_lines(pair: HonestPair) -> list[str]:
    """Returns the lines that make the port's modules."""
    pairs = zip(pair.layers, names_of(pair), strict=True)
    lines = [f"self.{name} = {layer.torch}" for layer, name in pairs if layer.torch]
    return lines[::-1] if pair.is_named else lines


def forward_lines(pair: HonestPair) -> list[str]:
    """Returns the lines of the port's forward."""
    lines = [f"x = {pair.layout[1]}"] if pair.layout[1] else []
    lines += ["mask = x != 0"] * any(layer.kind == "Embedding, masked" for layer in pair.layers)
    for layer, name in zip(pair.layers, names_of(pair), strict=True):
        lines.append("skip = x" if layer.kind == "Skip" else f"x = {layer.forward.format(layer=f'self.{name}')}")
    return lines


def penalties(pair: HonestPair) -> list[str]:
    """Returns what the port's loss adds for Keras's regularisers."""
    pairs = zip(pair.layers, names_of(pair), strict=True)
    return [layer.penalty.format(layer=f"self.{name}") for layer, name in pairs if layer.penalty]


HEAD = '''"""{title}

python -m parity check pair.py --level quick --seed {seed} --keras-backend {backend} --precision {precision}
"""

EPOCHS, BATCH_SIZE = {epochs}, {batch_size}


def rows():
    import numpy as np
    {rows}
    return (x[:{count}], y[:{count}]), (x[{count}:], y[{count}:])


keras_data = rows
'''
KERAS = """

def keras_model():
    import keras
    from keras import layers

"""
SEQUENTIAL = """    model = keras.Sequential([
        keras.Input({shape}{dtype}),
        {keras_layers}
    ])
    model.compile({keras_optimizer}, {keras_loss})
    return model
"""
FUNCTIONAL = """    inputs = x = keras.Input({shape}{dtype})
    {keras_layers}
    model = keras.Model(inputs, x)
    model.compile({keras_optimizer}, {keras_loss})
    return model
"""
LIGHTNING = """

def lightning_module():
    import lightning
    import torch
    import torch.nn.functional as F
    from torch import nn

    from keras_like.adaptive import KerasAdagrad, KerasNadam
    from keras_like.initializers import glorot_uniform_, initialize_
    from keras_like.normalization import KerasBatchNorm1d, KerasBatchNorm2d, KerasBatchNorm3d
    from keras_like.optimizers import KerasAdam, KerasRMSprop, KerasSGD
    from keras_like.padding import (
        KerasAvgPool1d, KerasAvgPool2d, KerasAvgPool3d, KerasConv1d, KerasConv2d, KerasConv3d, KerasMaxPool1d,
        KerasMaxPool2d, KerasMaxPool3d
    )
    from keras_like.recurrent import KerasGRU, KerasLSTM, KerasRNN
    from keras_like.separable import KerasSeparableConv1d, KerasSeparableConv2d
    from keras_like.slopes import KerasPReLU
    from keras_like.transposed import KerasConvTranspose1d, KerasConvTranspose2d, KerasConvTranspose3d
{helper}
    class Port(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            {modules}
            for layer in self.children():
                if isinstance(layer, nn.modules.conv._ConvNd | nn.Linear):
                    if getattr(layer, "groups", 1) > 1:
                        glorot_uniform_(layer.weight, depthwise=layer.groups)
                    else:
                        initialize_(layer.weight, "{initializer}")
                    if layer.bias is not None:
                        nn.init.zeros_(layer.bias)
                elif isinstance(layer, nn.Embedding):
                    initialize_(layer.weight, "RandomUniform")

        def forward(self, x):
            {forward}
            return {output}

        def training_step(self, batch, batch_idx):
            x, y = batch
            out = self(x)
            return {loss}

        def configure_optimizers(self):
            return {torch_optimizer}

    return Port()


def lightning_data():
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    sets = [TensorDataset(torch.from_numpy(x){loader_x}, torch.from_numpy(y){loader_y}) for x, y in rows()]
    return DataLoader(sets[0], BATCH_SIZE, shuffle=True), DataLoader(sets[1], 100)
"""
CLIP_PROBABILITIES = """
    def clip(p):  # torch.clamp has another derivative at the ends
        return torch.minimum(torch.maximum(p, torch.tensor(1e-7)), torch.tensor(1 - 1e-7))
"""
CLIP = """

def lightning_trainer():
    return {{"gradient_clip_val": {clip}, "gradient_clip_algorithm": "value"}}
"""
