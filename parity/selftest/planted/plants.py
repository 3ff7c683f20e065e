"""Faults that are planted in the examples' right ports: each is the inverse of what undoes a difference.

A plant changes what a port gives, as a person's own lines would: the module once it is built, what it configures, the
Trainer's arguments, or the data. Those that configure something come in the order in which they wrap each other.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import nn
from torch.utils.data import DataLoader

from keras_like import adaptive
from keras_like import optimizers as keras_like

CNN, BATCH_NORM, LSTM, GRU = "digits_cnn", "digits_batch_norm", "digits_lstm", "lines_gru"
DIABETES, WINE = "diabetes", "wine_two_inputs"
EXAMPLES = (CNN, BATCH_NORM, LSTM, GRU, DIABETES, WINE)
# What an optimizer of another kind changes.
OPTIMIZER = ("kind", "arithmetic", "rate", "epsilon", "betas", "rho", "momentum", "nesterov", "decay")


@dataclass(frozen=True)
class Plant:
    """A fault that can be planted in the right ports of some examples."""

    id: str  # of the difference that it is, in a catalogue
    examples: tuple[str, ...]
    touches: tuple[str, ...]  # what it changes: two that change the same are not planted together
    module: Callable[[nn.Module], None] | None = None  # changes a module that was just built
    data: Callable | None = None  # returns other data than what it is given
    options: dict = field(default_factory=dict)  # of the Trainer
    form: str = ""  # what tells it from others of the same difference

    @property
    def name(self) -> str:
        """What it is called."""
        return f"{self.id}:{self.form}" if self.form else self.id


# ---- how a module is changed


def override(module: nn.Module, **methods) -> None:
    """Puts methods in the place of a module's own, as a subclass does."""
    module.__class__ = type(type(module).__name__, (type(module),), methods)


def still_biases(module: nn.Module) -> None:
    """Has biases learn nothing, once their gradients are there."""
    for parameter in module.parameters():
        if parameter.ndim == 1 and parameter.grad is not None:
            parameter.grad.zero_()


def configured(change: Callable) -> Callable[[nn.Module], None]:
    """Returns what has a module configure `change(optimizer)` in place of its optimizer."""

    def plant(module: nn.Module) -> None:
        """Overrides `configure_optimizers`."""
        configure = type(module).configure_optimizers
        override(module, configure_optimizers=lambda self: change(configure(self)))

    return plant


def with_numbers(**numbers) -> Callable[[nn.Module], None]:
    """Returns what has a module's optimizer get other numbers; a function makes one of the number before."""

    def change(optimizer):
        """Sets the numbers in every group of parameters."""
        for group in optimizer.param_groups:
            for name in numbers.keys() & group.keys():
                value = numbers[name]
                group[name] = value(group[name]) if callable(value) else value
        return optimizer

    return configured(change)


def with_optimizer(make: Callable, **names: str) -> Callable[[nn.Module], None]:
    """Returns what has a module use another optimizer.

    Args:
        make: of parameters and numbers.
        names: of its numbers that stay, and what they are called in the module's own.
    """

    def change(optimizer):
        """Makes it of the same groups of parameters."""
        groups = [
            {"params": group["params"], **{new: group[old] for new, old in names.items()}}
            for group in optimizer.param_groups
        ]
        return make(groups)

    return configured(change)


def with_schedule(make: Callable, interval: str = "epoch") -> Callable[[nn.Module], None]:
    """Returns what has a module's learning rate scheduled."""

    def change(optimizer):
        """Returns both in Lightning's form."""
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": make(optimizer), "interval": interval}}

    return configured(change)


def layers(module: nn.Module, kinds: type | tuple[type, ...]) -> list[nn.Module]:
    """Returns the layers of some kinds."""
    return [layer for layer in module.modules() if isinstance(layer, kinds)]


def each(kinds: type | tuple[type, ...], change: Callable) -> Callable[[nn.Module], None]:
    """Returns what changes every layer of some kinds."""

    def plant(module: nn.Module) -> None:
        """Changes them."""
        with torch.no_grad():
            for layer in layers(module, kinds):
                change(layer)

    return plant


def with_attributes(kinds: type | tuple[type, ...], **values) -> Callable[[nn.Module], None]:
    """Returns what sets attributes of every layer of some kinds."""
    return each(kinds, lambda layer: [setattr(layer, name, value) for name, value in values.items()])


def with_log(log: Callable) -> Callable[[nn.Module], None]:
    """Returns what has a module log by `log(module, by, name, value, **options)`, where `by` is its own `log`."""

    def plant(module: nn.Module) -> None:
        """Overrides `log`."""
        own = type(module).log
        override(module, log=lambda self, name, value, **options: log(self, own, name, value, **options))

    return plant


class Served:
    """A data module of which a loader is another one.

    Args:
        data: the data module.
        changed: by the names of its methods, what is returned of it in their place.
    """

    def __init__(self, data, **changed: Callable):
        self.data, self.changed = data, changed

    def __getattr__(self, name: str):
        """Returns an attribute of the data module, or what is in its place."""
        change = self.changed.get(name)
        return partial(change, self.data) if change else getattr(self.data, name)


def training_loader(data, **options) -> DataLoader:
    """Returns a training loader with other options."""
    loader = data.train_dataloader()
    return DataLoader(loader.dataset, loader.batch_size, **options)


# ---- initial weights, as PyTorch draws them


def torch_kernel(layer: nn.Module) -> None:
    """Draws a kernel from U(-1/sqrt(fan_in), 1/sqrt(fan_in))."""
    nn.init.kaiming_uniform_(layer.weight, a=5**0.5)


def torch_bias(layer: nn.Module) -> None:
    """Draws a bias from U(-1/sqrt(fan_in), 1/sqrt(fan_in))."""
    bound = layer.weight[0].numel() ** -0.5
    nn.init.uniform_(layer.bias, -bound, bound)


def torch_recurrent(layer: nn.Module, name: str) -> None:
    """Draws what is called like this from U(-1/sqrt(units), 1/sqrt(units)); what is not trained stays zeros."""
    bound = layer.hidden_size**-0.5
    for parameter_name, parameter in layer.named_parameters():
        if parameter_name.startswith(name) and parameter.requires_grad:
            nn.init.uniform_(parameter, -bound, bound)


WEIGHTED = (nn.Linear, nn.Conv2d)
STARTS = [
    Plant("dense-start", EXAMPLES, ("dense kernels",), each(nn.Linear, torch_kernel)),
    Plant("dense-bias-start", EXAMPLES, ("biases",), each(WEIGHTED, torch_bias)),
    Plant("convolution-start", (CNN, BATCH_NORM), ("convolutions",), each(nn.Conv2d, torch_kernel)),
    Plant("embedding-start", (GRU,), ("words",), each(nn.Embedding, lambda layer: nn.init.normal_(layer.weight))),
    Plant(
        "recurrent-start", (LSTM, GRU), ("recurrent kernels",),
        each((nn.LSTM, nn.GRU), partial(torch_recurrent, name="weight_hh")),
    ),
    Plant(
        "recurrent-kernel-start", (LSTM, GRU), ("kernels of gates",),
        each((nn.LSTM, nn.GRU), partial(torch_recurrent, name="weight_ih")),
    ),
    Plant("forget-gate", (LSTM,), ("biases of gates",), each(nn.LSTM, partial(torch_recurrent, name="bias"))),
]  # fmt: skip

# ---- numbers of layers

NUMBERS = [
    Plant("batch-norm-epsilon", (BATCH_NORM,), ("epsilon of norms",), with_attributes(nn.BatchNorm2d, eps=1e-5)),
    Plant("batch-norm-momentum", (BATCH_NORM,), ("momentum of norms",), with_attributes(nn.BatchNorm2d, momentum=0.1)),
    Plant(
        "batch-norm-variance", (BATCH_NORM,), ("variance",), with_attributes(nn.BatchNorm2d, __class__=nn.BatchNorm2d)
    ),
    Plant("convolution-dilation", (BATCH_NORM,), ("dilation",), with_attributes(nn.Conv2d, dilation=(2, 2))),
    Plant("layer-norm-epsilon", (DIABETES,), ("epsilon of norms",), with_attributes(nn.LayerNorm, eps=1e-5)),
]

# ---- optimizers

OPTIM, DECAY = torch.optim, torch.optim.lr_scheduler.ExponentialLR
SGDS = (BATCH_NORM, LSTM, GRU)
TO_RMSPROP = {"lr": "lr", "alpha": "rho", "momentum": "momentum", "eps": "eps"}
TO_ADAM = {name: name for name in ("lr", "betas", "eps", "weight_decay")}
TO_ADAMAX = {name: name for name in ("lr", "betas", "eps")}
TO_SGD = {name: name for name in ("lr", "momentum", "nesterov")}
OPTIMIZERS = [
    Plant("adam-for-sgd", SGDS, OPTIMIZER, with_optimizer(keras_like.KerasAdam, lr="lr")),
    Plant("adam-for-sgd", (CNN,), OPTIMIZER, with_optimizer(keras_like.KerasSGD, lr="lr"), form="sgd"),
    Plant("adam-for-sgd", (DIABETES,), OPTIMIZER, with_optimizer(adaptive.KerasAdagrad, lr="lr"), form="adagrad"),
    Plant("adam-for-sgd", (WINE,), OPTIMIZER, with_optimizer(keras_like.KerasAdam, lr="lr"), form="adamax"),
    Plant("adam-epsilon-place", (CNN,), ("arithmetic",), with_optimizer(OPTIM.Adam, **TO_ADAM)),
    Plant("adamax-epsilon-place", (WINE,), ("arithmetic",), with_optimizer(OPTIM.Adamax, **TO_ADAMAX)),
    Plant("rmsprop-epsilon-place", (DIABETES,), ("arithmetic",), with_optimizer(OPTIM.RMSprop, **TO_RMSPROP)),
    Plant(
        "weight-decay-coupled", SGDS, ("arithmetic", "decay"),
        with_optimizer(partial(OPTIM.SGD, weight_decay=1e-3), **TO_SGD),
    ),
    Plant("learning-rate", EXAMPLES, ("rate",), with_numbers(lr=lambda rate: rate * 1.25)),
    Plant("learning-rate", EXAMPLES, ("rate",), with_numbers(lr=lambda rate: rate / 10), form="tenth"),
    Plant("adam-epsilon", (CNN,), ("epsilon",), with_numbers(eps=1e-8)),
    Plant("adam-beta-1", (CNN,), ("betas",), with_numbers(betas=(0.8, 0.999))),
    Plant("adam-beta-2", (CNN,), ("betas",), with_numbers(betas=(0.9, 0.99))),
    Plant("rmsprop-rho", (DIABETES,), ("rho",), with_numbers(rho=0.99, alpha=0.99)),
    Plant("momentum", SGDS, ("momentum",), with_numbers(momentum=0.8)),
    Plant("momentum", (DIABETES,), ("momentum",), with_numbers(momentum=0.9), form="rmsprop"),
    Plant("nesterov", SGDS, ("nesterov",), with_numbers(nesterov=True)),
    Plant("weight-decay-decoupled", (CNN,), ("arithmetic", "decay"), with_numbers(weight_decay=0.01)),
    Plant("schedule-step", EXAMPLES, ("schedule",), with_schedule(partial(DECAY, gamma=0.99), "step")),
    Plant("schedule-epoch", EXAMPLES, ("schedule",), with_schedule(partial(DECAY, gamma=0.5))),
    Plant("clip-norm", EXAMPLES, ("clipping",), options={"gradient_clip_val": 0.1}),
    Plant(
        "clip-value", EXAMPLES, ("clipping",),
        options={"gradient_clip_val": 0.01, "gradient_clip_algorithm": "value"},
    ),
    Plant("accumulation", EXAMPLES, ("accumulation",), options={"accumulate_grad_batches": 2}),
    Plant("gradient-hook", EXAMPLES, ("hook",), partial(override, on_after_backward=still_biases)),
    Plant("bfloat16", EXAMPLES, ("precision",), options={"precision": "bf16-mixed"}),
]  # fmt: skip

# ---- what a training logs, how long it is, and what it is given


def log_last(module, by: Callable, name: str, value, **options) -> None:
    """Logs the training's last batches alone."""
    if module.trainer.is_last_batch or module.trainer.validating or not name.startswith("train"):
        by(module, name, value, **options)


def stop_early(module) -> None:
    """Stops after two epochs."""
    module.trainer.should_stop = module.current_epoch == 1 and module.trainer.max_epochs > 2


TRAININGS = [
    Plant(
        "mean-of-means", EXAMPLES, ("means",),
        with_log(lambda module, by, name, value, **options: by(module, name, value, **options, batch_size=1)),
    ),
    Plant(
        "loss-total", EXAMPLES, ("means",),
        with_log(lambda module, by, name, value, **options: by(module, name, value, **options, reduce_fx="sum")),
    ),
    Plant("last-batch-loss", EXAMPLES, ("means",), with_log(log_last)),
    Plant("epochs", EXAMPLES, ("epochs",), lambda module: override(module, on_train_epoch_end=stop_early)),
    Plant(
        "drop-last", EXAMPLES, ("training loader",),
        data=partial(Served, train_dataloader=partial(training_loader, shuffle=True, drop_last=True)),
    ),
    Plant("own-order", EXAMPLES, ("training loader",), data=partial(Served, train_dataloader=training_loader)),
    Plant(
        "validation-data", EXAMPLES, ("validation loader",),
        data=partial(Served, val_dataloader=lambda data: data.train_dataloader()),
    ),
]  # fmt: skip

PLANTS = [*STARTS, *NUMBERS, *OPTIMIZERS, *TRAININGS]
# Differences that can be undone and stand in no example.
WHY_NONE = {
    "loss-weights": "no example has several outputs",
    "convolution-stride": "no example has a global pooling behind a convolution: other shapes do not fit",
    "transposed-start": "no example has such a layer",
    "depthwise-start": "no example has such a layer",
    "attention-start": "no example has such a layer",
    "prelu-start": "no example has such a layer",
    "group-norm-epsilon": "no example has such a layer",
    "leaky-relu-layer": "no example has such a layer",
    "adagrad-accumulator": "no example has such an optimizer",
    "nadam-momentum": "no example has such an optimizer",
    "adadelta-numbers": "no example has such an optimizer",
}


def of_example(example: str) -> list[Plant]:
    """Returns what can be planted in an example's right port."""
    return [plant for plant in PLANTS if example in plant.examples]


def plants_named(example: str, names: tuple[str, ...]) -> list[Plant]:
    """Returns some of an example's plants, in the order in which they are planted."""
    return [plant for plant in of_example(example) if plant.name in names]


def are_compatible(plants: tuple[Plant, ...]) -> bool:
    """Says whether no two plants change the same."""
    touched = [what for plant in plants for what in plant.touches]
    return len(touched) == len(set(touched))


# ---- what a pair file calls


def plant_in_module(example: str, names: tuple[str, ...], module: nn.Module) -> nn.Module:
    """Plants faults in a module; returns it."""
    for plant in plants_named(example, names):
        if plant.module:
            plant.module(module)
    return module


def plant_in_data(example: str, names: tuple[str, ...], data):
    """Plants faults in a port's data; returns what is to be used in their place."""
    for plant in plants_named(example, names):
        if plant.data:
            data = plant.data(data)
    return data


def trainer_options(example: str, names: tuple[str, ...], given: dict) -> dict:
    """Returns the Trainer's arguments with those of the faults."""
    for plant in plants_named(example, names):
        given = {**given, **plant.options}
    return given
