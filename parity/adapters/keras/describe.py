"""A Keras MLP, a user's own reference or out of a file: checked and described as an experiment."""

from dataclasses import fields, replace

import keras

from mlp_spec import optimizers
from mlp_spec.experiment import ACTIVATIONS, Experiment, ModelSpec
from mlp_spec.support.errors import UserError
from parity.adapters.keras.tensors import describe_layers

LOSSES = ("categorical_crossentropy", "sparse_categorical_crossentropy")


def check(model, what: str) -> None:
    """Checks that a model is an MLP for MNIST: Dense layers with biases, 784 values in, a softmax over 10 out.

    Args:
        model: any Keras model.
        what: how the model is called in a message.

    Raises:
        UserError: it is something else; says what.
    """
    dense = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    kinds = [type(layer).__name__ for layer in dense]
    if not dense or not all(type(layer) is keras.layers.Dense and layer.use_bias for layer in dense):
        raise UserError(f"{what}: every layer must be a Dense with a bias, it has: {', '.join(kinds)}")
    if len(model.outputs) != 1:
        raise UserError(f"{what} has {len(model.outputs)} outputs; it must have one output")
    sizes = (dense[0].kernel.shape[0], dense[-1].kernel.shape[1])
    if sizes != (784, 10):
        raise UserError(f"{what} takes {sizes[0]} values to {sizes[1]}; MNIST has 784 and 10")
    if dense[-1].activation is not keras.activations.softmax:
        raise UserError(f"{what}: the last activation must be softmax, not {dense[-1].activation}")


def loss_name(model) -> str:
    """Returns the name of a compiled model's loss, a function's or a class's."""
    loss = getattr(model, "loss", None)
    return loss if isinstance(loss, str) else getattr(loss, "name", getattr(loss, "__name__", type(loss).__name__))


def takes_indices(model) -> bool:
    """Says whether the loss takes class indices in place of one-hot rows."""
    return "sparse" in loss_name(model).lower()


def experiment_of(model, experiment: Experiment, what: str) -> Experiment:
    """Returns the experiment with the model's own sizes, activation and optimizer.

    Args:
        model: compiled.
        experiment: what else is asked.
        what: how the model is called in a message.

    Raises:
        UserError: an experiment cannot say it, for example because an optimizer is unknown.
    """
    if not model.compiled:
        raise UserError(f"{what} is not compiled")
    check(model, what)
    if (name := loss_name(model)) not in LOSSES:
        raise UserError(f"{what}: the loss is {name!r}; choose one of: {', '.join(LOSSES)}")
    spec = specification_of(model, experiment.model, what)
    optimizer = describe_optimizer(model.optimizer, what)
    return replace(experiment, model=spec, training=replace(experiment.training, optimizer=optimizer))


def specification_of(model, spec: ModelSpec, what: str) -> ModelSpec:
    """Returns a model's specification with the model's own sizes and activation.

    Args:
        model: one that `check` let pass.
        spec: what else is specified.
        what: how the model is called in a message.

    Raises:
        UserError: a specification cannot say it.
    """
    layers = describe_layers(model)
    if len(layers) == 1:
        raise UserError(f"{what} has no hidden layer; it needs at least one Dense before the last")
    hidden = {layer.activation for layer in layers[:-1]}
    if len(hidden) != 1 or not hidden <= set(ACTIVATIONS):
        raise UserError(
            f"{what}'s hidden activations are {', '.join(layer.activation for layer in layers[:-1])}; "
            f"they must be one of {', '.join(ACTIVATIONS)}, the same for all"
        )
    return replace(spec, hidden_sizes=tuple(layer.outputs for layer in layers[:-1]), activation=hidden.pop())


def describe_optimizer(optimizer, what: str) -> optimizers.Optimizer:
    """Returns the optimizer's name and numbers, read from its own configuration.

    Args:
        optimizer: Keras's.
        what: how its model is called in a message.

    Raises:
        UserError: the Lightning side lacks it, or something it is configured to do.
    """
    name, config = type(optimizer).__name__.lower(), optimizer.get_config()
    known = sorted(set(optimizers.OPTIMIZERS) - optimizers.LIGHTNING_ONLY)
    if name not in known:
        raise UserError(f"{what}'s optimizer is {type(optimizer).__name__}; Lightning's side has: {', '.join(known)}")
    names = {field.name for field in fields(optimizers.OPTIMIZERS[name])}
    ignored = {"name", "loss_scale_factor", "ema_momentum", "ema_overwrite_frequency", *names}
    extra = [f"{key}={value}" for key, value in config.items() if key not in ignored and value not in (None, False, 0)]
    if extra or not isinstance(config["learning_rate"], int | float):
        options = ", ".join(extra) or "a schedule of the learning rate"
        raise UserError(
            f"{what}'s {type(optimizer).__name__} is given {options}, which our Lightning side lacks; "
            f"it takes: {', '.join(sorted(names))}"
        )
    return optimizers.make(name, **{key: plain(config[key]) for key in names})


def plain(value):
    """Returns a number as Python writes it: .01, and not the float32 0.009999999776."""
    return float(f"{value:.7g}") if isinstance(value, float) else value
