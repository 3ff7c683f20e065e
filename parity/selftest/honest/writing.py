"""Writes honest pairs as pair files, as a person might have written them."""

from parity.selftest.honest.data import VAL_ROWS
from parity.selftest.honest.models import INITIALIZERS, with_arguments
from parity.selftest.honest.pairs import HonestPair
from parity.selftest.honest.recurrent import MASKS
from parity.selftest.honest.several import AMOUNT, NUMBERS
from parity.selftest.honest.training import with_rate


def write(pair: HonestPair) -> str:
    """Returns the text of the pair file."""
    text = HEAD + KERAS + (SEQUENTIAL if pair.is_sequential else FUNCTIONAL) + LIGHTNING
    return text.format(
        title=pair.title,
        seed=pair.seed,
        backend=pair.setting.backend,
        precision=pair.setting.precision,
        epochs=pair.epochs,
        batch_size=pair.batch_size,
        constants=constants(pair),
        rows=indent(rows_lines(pair), 1),
        shape=pair.rows.shape,
        dtype=", dtype='int32'" if pair.rows.words else "",
        keras_layers=indent(keras_lines(pair), 2 if pair.is_sequential else 1),
        more_input=f"    more = second_input = keras.Input(({NUMBERS},))\n" if pair.has_input else "",
        keras_inputs="[inputs, second_input]" if pair.has_input else "inputs",
        keras_outputs="[x, second]" if pair.second else "x",
        compiled=", ".join(compile_arguments(pair)),
        helpers="".join(helpers(pair)),
        modules=indent(module_lines(pair), 3),
        initializer=INITIALIZERS.get(pair.initializer, "GlorotUniform"),
        forward=indent(forward_lines(pair), 3),
        inputs=", ".join(inputs_of(pair)),
        targets=", ".join(targets_of(pair)),
        outputs=", ".join(outputs_of(pair, "out")),
        returned=", ".join(outputs_of(pair, pair.objective.output)),
        loss=" + ".join([*losses_of(pair), *penalties(pair)]),
        validation=VALIDATION if pair.training.fit else "",
        configured=indent(optimizer_lines(pair), 3),
        rows_of_one=f"{one_or_several(inputs_of(pair))}, {one_or_several(targets_of(pair))}",
        tensors=", ".join(tensors_of(pair)),
    ) + "".join(arguments_of(pair))


def indent(lines: list[str], levels: int) -> str:
    """Joins lines, all but the first and the empty ones indented."""
    return "\n".join(f"{'    ' * levels * bool(number and line)}{line}" for number, line in enumerate(lines))


def one_or_several(names: list[str]) -> str:
    """Returns a name, or several as a tuple."""
    return names[0] if len(names) == 1 else f"({', '.join(names)})"


# ---- data


def inputs_of(pair: HonestPair) -> list[str]:
    """Returns what the inputs are called."""
    return ["x", "more"] if pair.has_input else ["x"]


def targets_of(pair: HonestPair) -> list[str]:
    """Returns what the targets are called."""
    return ["y", "amount"] if pair.second else ["y"]


def rows_lines(pair: HonestPair) -> list[str]:
    """Returns the lines that make inputs and targets, and return both splits."""
    rows, count = pair.rows, pair.count + VAL_ROWS
    target = pair.objective.targets.format(labels=rows.labels, values=rows.values, classes=rows.classes)
    lines = [line.format(seed=pair.seed, rows=count) for line in rows.lines]
    lines = [*(["from sklearn import datasets", ""] if "datasets." in lines[0] else []), *lines, f"y = {target}"]
    if pair.has_input:
        draw = f"np.random.default_rng({pair.seed + 1})"
        lines.append(f"more = {draw}.standard_normal((len(x), {NUMBERS})).astype('float32')")
    if pair.second:
        lines += [f"amount = {AMOUNT}", *([f"amount = {pair.second.target}"] if pair.second.target != "amount" else [])]
    splits = [
        f"({one_or_several([f'{name}{part}' for name in inputs_of(pair)])}, "
        f"{one_or_several([f'{name}{part}' for name in targets_of(pair)])})"
        for part in (f"[:{pair.count}]", f"[{pair.count}:]")
    ]
    return [*lines, f"return {', '.join(splits)}"]


def tensors_of(pair: HonestPair) -> list[str]:
    """Returns the tensors of the port's data set."""
    turns = {"x": pair.layout[0], "y": pair.objective.turn}
    return [f"torch.from_numpy({name}){turns.get(name, '')}" for name in (*inputs_of(pair), *targets_of(pair))]


# ---- Keras


def names_of(pair: HonestPair) -> list[str]:
    """Returns what each layer is called in the port, and in Keras where they are named alike."""
    if not pair.is_named:
        return [f"layer{number}" for number in range(len(pair.layers))]
    return [f"{layer.kind.split(',')[0].lower().replace(' ', '_')}_of_{i}" for i, layer in enumerate(pair.layers)]


def constants(pair: HonestPair) -> str:
    """Returns the line that says which tensor is which, for layers that only it can say it of."""
    named = zip(pair.layers, names_of(pair), strict=True)
    entries = [f'"{name}/{weight}": "{name}.{weight}"' for layer, name in named for weight in layer.weights]
    return f"WEIGHTS = {{{', '.join(entries)}}}\n" if entries else ""


def keras_lines(pair: HonestPair) -> list[str]:
    """Returns the lines of Keras's layers: entries of a list, or calls."""
    lines = []
    for layer, name in zip(pair.layers, names_of(pair), strict=True):
        text = layer.keras
        if (pair.is_named or layer.weights) and text:
            text = with_arguments(text, [f"name='{name}'"])
        lines.append(f"layers.{text}," if pair.is_sequential else layer.call.format(layer=f"layers.{text}"))
    return lines


def compile_arguments(pair: HonestPair) -> list[str]:
    """Returns the arguments of `compile`."""
    training, optimizer = pair.training, pair.optimizer.keras
    optimizer = with_rate(optimizer, training.rate) if training.rate else optimizer
    more = [f"clipvalue={pair.clip}"] if pair.clip else []
    more += [f"gradient_accumulation_steps={training.accumulated}"] if training.accumulated > 1 else []
    optimizer = f"keras.optimizers.{with_arguments(optimizer, more)}"
    if not pair.second:
        return [optimizer, pair.objective.keras]
    losses = f"[{pair.objective.keras}, {pair.second.objective.keras}]"
    return [optimizer, losses, f"loss_weights={list(pair.second.weights)}"]


# ---- the port


def helpers(pair: HonestPair) -> list[str]:
    """Returns the functions and classes that the port is made of."""
    return [
        *dict.fromkeys(layer.helper for layer in pair.layers),
        CLIP_PROBABILITIES * ("clip(" in pair.objective.loss),
    ]


def module_lines(pair: HonestPair) -> list[str]:
    """Returns the lines that make the port's modules."""
    pairs = zip(pair.layers, names_of(pair), strict=True)
    lines = [f"self.{name} = {layer.torch}" for layer, name in pairs if layer.torch]
    return lines[::-1] if pair.is_named else lines


def forward_lines(pair: HonestPair) -> list[str]:
    """Returns the lines of the port's forward."""
    lines = [f"x = {pair.layout[1]}"] if pair.layout[1] else []
    lines += [line for kind, line in MASKS.items() if any(layer.kind == kind for layer in pair.layers)]
    for layer, name in zip(pair.layers, names_of(pair), strict=True):
        lines.append(f"{layer.target} = {layer.forward.format(layer=f'self.{name}')}")
    return lines


def outputs_of(pair: HonestPair, first: str) -> list[str]:
    """Returns the port's outputs in its order.

    Args:
        pair: of one output or two.
        first: what the first of Keras's is called.
    """
    if not pair.second:
        return [first]
    return ["second", first] if pair.second.is_first else [first, "second"]


def losses_of(pair: HonestPair) -> list[str]:
    """Returns the losses that the port adds up."""
    if not pair.second:
        return [pair.objective.loss]
    return [f"{weight} * ({loss})" for weight, loss in zip(
        pair.second.weights, (pair.objective.loss, pair.second.loss), strict=True
    )]  # fmt: skip


def penalties(pair: HonestPair) -> list[str]:
    """Returns what the port's loss adds for Keras's regularisers."""
    pairs = zip(pair.layers, names_of(pair), strict=True)
    return [layer.penalty.format(layer=f"self.{name}") for layer, name in pairs if layer.penalty]


def optimizer_lines(pair: HonestPair) -> list[str]:
    """Returns the lines of `configure_optimizers`."""
    if not pair.training.scheduler:
        return [f"return {pair.torch_optimizer}"]
    return [
        f"optimizer = {pair.torch_optimizer}",
        f'return {{"optimizer": optimizer, "lr_scheduler": {pair.training.scheduler}}}',
    ]


def arguments_of(pair: HonestPair) -> list[str]:
    """Returns the functions of the arguments of `fit` and `Trainer`."""
    training, texts = pair.training, []
    if training.fit:
        texts.append(FIT.format(callbacks=", ".join(training.fit)))
    options = [f'"gradient_clip_val": {pair.clip}', '"gradient_clip_algorithm": "value"'] if pair.clip else []
    options += [f'"accumulate_grad_batches": {training.accumulated}'] if training.accumulated > 1 else []
    options += [f'"callbacks": [{", ".join(training.trainer)}]'] if training.trainer else []
    imported = CALLBACKS if training.trainer else ""
    return [*texts, *([TRAINER.format(imported=imported, options=", ".join(options))] if options else [])]


HEAD = '''"""{title}

python -m parity check pair.py --level quick --seed {seed} --keras-backend {backend} --precision {precision}
"""

EPOCHS, BATCH_SIZE = {epochs}, {batch_size}
{constants}

def rows():
    import numpy as np
    {rows}


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
    model.compile({compiled})
    return model
"""
FUNCTIONAL = """    inputs = x = keras.Input({shape}{dtype})
{more_input}    {keras_layers}
    model = keras.Model({keras_inputs}, {keras_outputs})
    model.compile({compiled})
    return model
"""
LIGHTNING = """

def lightning_module():
    import math

    import lightning
    import torch
    import torch.nn.functional as F
    from torch import nn

    from keras_like.adaptive import KerasAdagrad, KerasNadam
    from keras_like.attention import KerasMultiHeadAttention
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
{helpers}
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
                elif isinstance(layer, nn.MultiheadAttention):
                    with torch.no_grad():
                        for weight in (*layer.in_proj_weight.chunk(3), layer.out_proj.weight):
                            glorot_uniform_(weight)
                elif type(layer) in (nn.RNN, nn.LSTM, nn.GRU):
                    for name, weight in layer.named_parameters():
                        if "weight" in name:
                            (glorot_uniform_ if "weight_ih" in name else nn.init.orthogonal_)(weight)
                        else:
                            nn.init.zeros_(weight)

        def forward(self, {inputs}):
            {forward}
            return {returned}

        def training_step(self, batch, batch_idx):
            {inputs}, {targets} = batch
            {outputs} = self({inputs})
            return {loss}
{validation}
        def configure_optimizers(self):
            {configured}

    return Port()


def lightning_data():
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    sets = [TensorDataset({tensors}) for {rows_of_one} in rows()]
    return DataLoader(sets[0], BATCH_SIZE, shuffle=True), DataLoader(sets[1], 100)
"""
CLIP_PROBABILITIES = """
    def clip(p):  # torch.clamp has another derivative at the ends
        return torch.minimum(torch.maximum(p, torch.tensor(1e-7)), torch.tensor(1 - 1e-7))
"""
VALIDATION = """
        def validation_step(self, batch, batch_idx):
            self.log("val_loss", self.training_step(batch, batch_idx))
"""
FIT = """

def keras_fit():
    import keras

    return {{"callbacks": [{callbacks}]}}
"""
TRAINER = """

def lightning_trainer():
{imported}    return {{{options}}}
"""
CALLBACKS = """    from lightning.pytorch import callbacks

"""
