"""Reads and writes `.ckpt` files for `python -m parity convert`."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from lightning.pytorch.callbacks import Checkpoint

from mlp_spec import optimizers
from mlp_spec.experiment import Experiment, ModelSpec, TrainingSpec
from mlp_spec.runs import resume
from mlp_spec.runs.resume import Stamp
from mlp_spec.support.errors import UserError
from parity.adapters.torch.tensors import Binding, to_numpy
from parity.protocol import contents as crossing
from parity.protocol.recording import read as read_recording
from parity.protocol.records import Contents
from parity.protocol.task import CheckpointTask, Task
from parity.protocol.tensors import Arrays, Table, dense_table


def read(task: Task) -> Contents:
    """Reads a checkpoint of a LitMLP: our training command's, or any other's.

    Raises:
        UserError: the file is damaged, holds another module, or an optimizer that Keras lacks.
    """
    from lightning_mlp.data import download
    from mlp_spec.digits.load import load_digits

    contents, predict = contents_of(task.checkpoint)
    return crossing.with_source_predictions(
        contents, load_digits(task.pair.dataset, task.pair.data_dir, download), predict
    )


def write(task: Task) -> Contents:
    """Writes a checkpoint, reads it again, and predicts with what was read."""
    from lightning_mlp import train
    from lightning_mlp.history import History

    source = Contents.from_recording(read_recording(task.checkpoint.contents))
    experiment = Experiment.from_dict(source.experiment)
    model, history = train.build(experiment), History()
    # Lightning alone knows what its checkpoints hold: it makes one in a run of one empty batch.
    single_epoch = replace(experiment, training=replace(experiment.training, epochs=1))
    trainer = train.make_trainer(single_epoch, "cpu", [history, Writer(history, source, task.checkpoint.path)])
    empty_batch = [(torch.zeros(1, experiment.model.input_size), torch.zeros(1, dtype=torch.int64))]
    loader = torch.utils.data.DataLoader(empty_batch, batch_size=None)
    trainer.fit(model, loader, loader)
    contents, predict = contents_of(task.checkpoint, source.tensors)
    return crossing.with_target_predictions(contents, source, predict)


class Writer(Checkpoint):
    """Puts weights, optimizer and run in the place of a trained epoch's, and saves the checkpoint.

    Args:
        history: the run's curves, which the checkpoint keeps.
        contents: what the checkpoint is to hold.
        path: where it is saved.
    """

    def __init__(self, history, contents: Contents, path: str):
        self.history, self.contents, self.path = history, contents, path

    def on_train_epoch_end(self, trainer, pl_module):
        """Fills and saves."""
        contents = self.contents
        rate = contents.experiment["training"]["optimizer"]["learning_rate"]
        binding = Binding(pl_module, contents.tensors, contents.weights)
        binding.load_moments(trainer.optimizers, contents.moments, contents.step, rate)
        if contents.run:
            results = Stamp.from_dict(contents.run, contents.source).results
            self.history.load_state_dict({"history": results.history, "epoch_seconds": results.epoch_seconds})
            set_counts(trainer.fit_loop, results.epochs, contents.step)
        trainer.save_checkpoint(self.path)

    def on_save_checkpoint(self, trainer, pl_module, checkpoint):
        """Adds the run, and where the checkpoint comes from."""
        contents = self.contents
        checkpoint[resume.CONVERTED] = resume.converted(contents.source, contents.weights_only)
        if contents.run:
            checkpoint["run"] = Stamp.from_dict(contents.run, contents.source).to_dict()
        if contents.weights_only:
            for name in ("optimizer_states", "lr_schedulers", "loops", "callbacks"):
                del checkpoint[name]
            checkpoint["epoch"] = checkpoint["global_step"] = 0


def set_counts(loop, epochs: int, steps: int) -> None:
    """Sets Lightning's own counts to those at the end of an epoch, when the training command saves.

    Args:
        loop: the Trainer's fit loop, at the end of its first epoch.
        epochs: that are finished.
        steps: that the optimizer has made, of all epochs.
    """
    inner = loop.epoch_loop
    inner._batches_that_stepped = steps  # what `global_step` means to loggers
    optimizer = inner.automatic_optimization.optim_progress.optimizer
    for progress in (inner.batch_progress, optimizer.step, optimizer.zero_grad):
        for tracker, value in ((progress.total, steps), (progress.current, steps // epochs)):
            vars(tracker).update(dict.fromkeys(vars(tracker), value))
    for tracker in (loop.epoch_progress.total, loop.epoch_progress.current):
        vars(tracker).update(dict.fromkeys(vars(tracker), epochs))
        tracker.completed = epochs - 1  # it is completed after the callbacks


def contents_of(task: CheckpointTask, table: Table | None = None) -> tuple[Contents, crossing.Predictor]:
    """Takes out of a checkpoint what crosses.

    Args:
        task: which file.
        table: by whose paths; by those that Keras would give unless given.

    Returns:
        the contents, and what predicts by the model.

    Raises:
        UserError: the file is damaged, holds another module, or Keras lacks the optimizer.
    """
    from lightning_mlp import checkpoint

    state = checkpoint.read(task.path)
    model = checkpoint.load_model(state, task.path)
    linear = [module for module in model.modules() if isinstance(module, torch.nn.Linear)]
    binding = Binding(model, table or dense_table([(module.in_features, module.out_features) for module in linear]))
    weights = binding.weights()
    precision = crossing.precision_of(weights, task.path)
    stamp = Stamp.from_dict(state["run"], task.path) if "run" in state else None
    weights_only = crossing.why_weights_only(stamp, state.get(resume.CONVERTED), task)
    experiment = stamp.experiment if stamp else experiment_of(model.hparams, precision)
    contents = Contents(
        experiment=with_keras_optimizer(experiment, weights_only, task.path).to_dict(),
        run=stamp and stamp.to_dict(),
        tensors=binding.table,
        weights=weights,
        source=Path(task.path).name,
        weights_only=weights_only,
    )
    if not weights_only:
        contents = crossing.with_optimizer(contents, moments_in(state, binding.table), state["global_step"])
    return contents, predictor_of(binding)


def experiment_of(hparams, precision: str) -> Experiment:
    """Describes a LitMLP that no training command of ours trained."""
    numbers = {name: hparams[name] for name in vars(optimizers.make(hparams.optimizer))}
    model = ModelSpec(tuple(hparams.hidden_sizes), hparams.activation, hparams.input_size, hparams.num_classes)
    return Experiment(model, TrainingSpec(optimizers.make(hparams.optimizer, **numbers), precision=precision))


def with_keras_optimizer(experiment: Experiment, weights_only: str | None, path: str) -> Experiment:
    """Returns the experiment with an optimizer that Keras has, too: its own Adam for PyTorch's.

    Raises:
        UserError: Keras lacks the experiment's, and more than the weights is to cross.
    """
    spec = experiment.training
    if spec.optimizer.name not in optimizers.LIGHTNING_ONLY:
        return experiment
    if not weights_only:
        raise UserError(
            f"checkpoint {path} was trained with {spec.optimizer.name}, PyTorch's own Adam, which Keras lacks: "
            f"going on with Keras's adam would be another run. {crossing.ADVICE}"
        )
    return replace(experiment, training=replace(spec, optimizer=optimizers.Adam(spec.optimizer.learning_rate)))


def moments_in(state: dict, table: Table) -> dict[str, Arrays]:
    """Takes the optimizer's moments out of a checkpoint, by slot and path.

    Args:
        state: the checkpoint.
        table: the tensors in the order of the module's parameters.
    """
    (optimizer,) = state["optimizer_states"]
    moments = {}
    for number, slots in optimizer["state"].items():
        tensor = table[number]
        for slot in ("momentum", "velocity"):
            if slot in slots:
                moments.setdefault(slot, {})[tensor.path] = to_numpy(slots[slot], tensor.layout)
    return moments


def predictor_of(binding: Binding) -> crossing.Predictor:
    """Returns what predicts by a module with other weights: from them and inputs (N, 784) to (N, 10)."""

    def predict(weights: Arrays, inputs: np.ndarray) -> np.ndarray:
        binding.load(weights)
        images = torch.from_numpy(inputs).to(next(binding.module.parameters()).dtype)
        with torch.no_grad():
            return torch.cat([binding.module.predict_step(batch) for batch in images.split(1000)]).numpy()

    return predict


PARTS = {"read": read, "write": write}
