"""Reads and writes `.keras` files for `python -m parity convert`."""

import sys
from pathlib import Path

import numpy as np

from mlp_spec import optimizers
from mlp_spec.experiment import Experiment, ModelSpec, TrainingSpec
from mlp_spec.runs import resume
from mlp_spec.runs.resume import Stamp
from mlp_spec.support import command
from mlp_spec.support.errors import UserError
from parity.protocol import contents as exchange
from parity.protocol.contents import Arrays, Contents, Task
from parity.protocol.recording import Recording


def read(task: Task) -> Recording:
    """Reads a `.keras` file: our training command's, or any MLP for MNIST.

    Raises:
        UserError: the file is damaged, holds another kind of model, or an optimizer that Lightning's side lacks.
    """
    from keras_reference import backend, checkpoint

    members = checkpoint.read_members(task.path)
    check_layers(members, task.path)
    backend.start("cpu", precision_of(members), backend.chosen())

    from keras_reference import data

    model = checkpoint.load(task.path)
    found = contents(model, members, task)
    return exchange.asked(found, data.load(task.dataset, task.data_dir), predictor(model))


def write(task: Task, given: Recording) -> Recording:
    """Writes a `.keras` file, reads it again, and predicts with what was read."""
    from keras_reference import backend, checkpoint

    wanted = Contents.from_recording(given)
    backend.start("cpu", wanted.experiment.training.precision, backend.chosen())

    from keras_reference import train
    from parity.adapters.keras import record as listen
    from parity.adapters.keras import tensors as layers

    model = train.build(wanted.experiment)
    layers.load_weights(model, wanted.weights)
    if not wanted.weights_only:
        model.optimizer.build(model.trainable_variables)
        listen.load_moments(model, wanted.moments, wanted.step)
    checkpoint.save(model, wanted.stamp, task.path, resume.converted(wanted.source, wanted.weights_only))
    model = checkpoint.load(task.path)
    found = contents(model, checkpoint.read_members(task.path), task)
    return exchange.answered(found, given, predictor(model))


def contents(model, members: dict, task: Task) -> Contents:
    """Takes out of a model what crosses.

    Raises:
        UserError: Lightning's side lacks a layer, an activation or the optimizer.
    """
    from keras_reference import checkpoint
    from parity.adapters.keras import describe as own
    from parity.adapters.keras import record as listen
    from parity.adapters.keras import tensors as layers

    own.check(model, task.path)
    weights = layers.weights(model)
    precision = exchange.precision(weights, task.path)
    run = members.get(checkpoint.MEMBER)
    stamp = run and Stamp.from_dict(run, task.path)
    weights_only = exchange.why_weights_only(stamp, members.get(f"{resume.CONVERTED}.json"), task)
    if stamp:
        experiment = stamp.experiment
    else:
        spec = own.describe_layers(model, ModelSpec(), task.path)
        experiment = Experiment(spec, TrainingSpec(optimizer_of(model, task), precision=precision))
    found = Contents(experiment, stamp, weights, {}, 0, Path(task.path).name, weights_only)
    return found if weights_only else found.with_optimizer(listen.moments(model), int(model.optimizer.iterations))


def optimizer_of(model, task: Task) -> optimizers.Optimizer:
    """Describes a stranger's optimizer.

    Raises:
        UserError: there is none, or Lightning's side lacks it; not if weights alone are asked for.
    """
    from parity.adapters.keras import describe as own

    try:
        if getattr(model, "optimizer", None) is None:
            raise UserError(f"{task.path} is not compiled: it has no optimizer")
        return own.describe_optimizer(model.optimizer, task.path)
    except UserError as error:
        if task.weights_only:
            return optimizers.SGD()
        raise UserError(f"{error}. {exchange.ADVICE}") from error


def check_layers(members: dict, path: str) -> None:
    """Checks, before Keras makes anything of a file, that it says to hold Dense layers only.

    Raises:
        UserError: it is no model of layers, or one of its layers is another, such as a Lambda with code of its own.
    """
    try:
        kinds = {str(layer["class_name"]) for layer in members["config.json"]["config"]["layers"]}
    except (KeyError, TypeError) as error:
        raise UserError(f"{path} holds no model of layers ({type(error).__name__}: {error})") from error
    if strange := sorted(kinds - {"InputLayer", "Dense"}):
        raise UserError(
            f"{path}: every layer must be Dense, it has: {', '.join(strange)}; "
            "Lightning's side lacks them, and code out of a file is never run"
        )


def precision_of(members: dict) -> str:
    """Returns the precision in which a file's layers compute: Keras must be told before it starts."""
    layers = members["config.json"]["config"]["layers"]
    return "float64" if any("'float64'" in str(layer["config"].get("dtype")) for layer in layers) else "float32"


def predictor(model):
    """Returns what predicts by a model with other weights: from them and inputs (N, 784) to (N, 10)."""
    from parity.adapters.keras import tensors as layers

    def predict(weights: Arrays, inputs: np.ndarray) -> np.ndarray:
        layers.load_weights(model, weights)
        return np.asarray(model.predict(inputs, batch_size=1000, verbose=0))

    return predict


if __name__ == "__main__":
    sys.exit(command.run(lambda: exchange.answer(sys.argv[1], read, write)))
