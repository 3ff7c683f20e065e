"""Reads and writes `.keras` files for `python -m parity convert`."""

from pathlib import Path

import numpy as np

from mlp_spec import optimizers
from mlp_spec.experiment import Experiment, ModelSpec, TrainingSpec
from mlp_spec.runs import resume
from mlp_spec.runs.resume import Stamp
from mlp_spec.support.errors import UserError
from parity.protocol import contents as crossing
from parity.protocol.recording import read as read_recording
from parity.protocol.records import Contents
from parity.protocol.task import CheckpointTask, Task
from parity.protocol.tensors import Arrays, Table


def read(task: Task) -> Contents:
    """Reads a `.keras` file: our training command's, or any MLP for MNIST.

    Raises:
        UserError: the file is damaged, holds another kind of model, or an optimizer that Lightning's side lacks.
    """
    from keras_reference import backend, checkpoint

    path = task.checkpoint.path
    members = checkpoint.read_members(path)
    check_layers(members, path)
    backend.start("cpu", precision_in(members), backend.chosen())

    from keras_reference import data

    model = checkpoint.load(path)
    contents = contents_of(model, members, task.checkpoint)
    digits = data.load(task.pair.dataset, task.pair.data_dir)
    return crossing.with_source_predictions(contents, digits, predictor_of(model, contents.tensors))


def write(task: Task) -> Contents:
    """Writes a `.keras` file, reads it again, and predicts with what was read."""
    from keras_reference import backend, checkpoint

    source = Contents.from_recording(read_recording(task.checkpoint.contents))
    experiment = Experiment.from_dict(source.experiment)
    backend.start("cpu", experiment.training.precision, backend.chosen())

    from keras_reference import train
    from parity.adapters.keras import tensors

    model = train.build(experiment)
    tensors.load_weights(model, source.tensors, source.weights)
    if not source.weights_only:
        model.optimizer.build(model.trainable_variables)
        tensors.load_moments(model, source.tensors, source.moments, source.step)
    path, stamp = task.checkpoint.path, source.run and Stamp.from_dict(source.run, source.source)
    checkpoint.save(model, stamp, path, resume.converted(source.source, source.weights_only))
    model = checkpoint.load(path)
    contents = contents_of(model, checkpoint.read_members(path), task.checkpoint, source.tensors)
    return crossing.with_target_predictions(contents, source, predictor_of(model, contents.tensors))


def contents_of(model, members: dict, task: CheckpointTask, table: Table | None = None) -> Contents:
    """Takes out of a model what crosses.

    Args:
        model: that was loaded.
        members: the file's own, by name.
        task: which file.
        table: by whose paths; by the model's own unless given.

    Raises:
        UserError: Lightning's side lacks a layer, an activation or the optimizer.
    """
    from keras_reference import checkpoint
    from parity.adapters.keras import describe, tensors

    describe.check(model, task.path)
    table = table or tensors.table_of(model)
    weights = tensors.read_weights(model, table)
    precision = crossing.precision_of(weights, task.path)
    run = members.get(checkpoint.MEMBER)
    stamp = run and Stamp.from_dict(run, task.path)
    weights_only = crossing.why_weights_only(stamp, members.get(f"{resume.CONVERTED}.json"), task)
    if stamp:
        experiment = stamp.experiment
    else:
        spec = describe.specification_of(model, ModelSpec(), task.path)
        experiment = Experiment(spec, TrainingSpec(optimizer_of(model, task), precision=precision))
    contents = Contents(
        experiment=experiment.to_dict(),
        run=stamp and stamp.to_dict(),
        tensors=table,
        weights=weights,
        source=Path(task.path).name,
        weights_only=weights_only,
    )
    if weights_only:
        return contents
    moments = tensors.read_moments(model, table)
    return crossing.with_optimizer(contents, moments, int(model.optimizer.iterations))


def optimizer_of(model, task: CheckpointTask) -> optimizers.Optimizer:
    """Describes a stranger's optimizer.

    Raises:
        UserError: there is none, or Lightning's side lacks it; not if weights alone are asked for.
    """
    from parity.adapters.keras import describe

    try:
        if getattr(model, "optimizer", None) is None:
            raise UserError(f"{task.path} is not compiled: it has no optimizer")
        return describe.describe_optimizer(model.optimizer, task.path)
    except UserError as error:
        if task.weights_only:
            return optimizers.SGD()
        raise UserError(f"{error}. {crossing.ADVICE}") from error


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


def precision_in(members: dict) -> str:
    """Returns the precision in which a file's layers compute: Keras must be told before it starts."""
    layers = members["config.json"]["config"]["layers"]
    return "float64" if any("'float64'" in str(layer["config"].get("dtype")) for layer in layers) else "float32"


def predictor_of(model, table: Table) -> crossing.Predictor:
    """Returns what predicts by a model with other weights: from them and inputs (N, 784) to (N, 10)."""
    from parity.adapters.keras.tensors import load_weights

    def predict(weights: Arrays, inputs: np.ndarray) -> np.ndarray:
        load_weights(model, table, weights)
        return np.asarray(model.predict(inputs, batch_size=1000, verbose=0))

    return predict


PARTS = {"read": read, "write": write}
