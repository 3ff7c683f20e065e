"""Reads and writes `.ckpt` files for `python -m parity convert`."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from lightning.pytorch.callbacks import Checkpoint

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
    """Reads a checkpoint of a LitMLP: our training command's, or any other's.

    Raises:
        UserError: the file is damaged, holds another module, or an optimizer that Keras lacks.
    """
    from lightning_mlp import checkpoint
    from lightning_mlp.data import download
    from mlp_spec.digits import load as data

    held = checkpoint.read(task.path)
    model = checkpoint.load_model(held, task.path)
    found = contents(model, held, task)
    return exchange.asked(found, data.load(task.dataset, task.data_dir, download), predictor(model))


def write(task: Task, given: Recording) -> Recording:
    """Writes a checkpoint, reads it again, and predicts with what was read."""
    from lightning_mlp import checkpoint, train
    from lightning_mlp.history import History

    wanted = Contents.from_recording(given)
    model, history = train.build(wanted.experiment), History()
    # Lightning alone knows what its checkpoints hold: it makes one in a run of one empty batch.
    once = replace(wanted.experiment, training=replace(wanted.experiment.training, epochs=1))
    trainer = train.make_trainer(once, "cpu", [history, Writer(history, wanted, task.path)])
    nothing = [(torch.zeros(1, wanted.experiment.model.input_size), torch.zeros(1, dtype=torch.int64))]
    loader = torch.utils.data.DataLoader(nothing, batch_size=None)
    trainer.fit(model, loader, loader)
    held = checkpoint.read(task.path)
    model = checkpoint.load_model(held, task.path)
    return exchange.answered(contents(model, held, task), given, predictor(model))


class Writer(Checkpoint):
    """Puts weights, optimizer and run in the place of a trained epoch's, and saves the checkpoint.

    Args:
        history: the run's curves, which the checkpoint keeps.
        wanted: what the checkpoint is to hold.
        path: where it is saved.
    """

    def __init__(self, history, wanted: Contents, path: str):
        self.history, self.wanted, self.path = history, wanted, path

    def on_train_epoch_end(self, trainer, pl_module):
        """Fills and saves."""
        from parity.adapters.torch.record import Binding

        wanted, spec = self.wanted, self.wanted.experiment.training
        binding = Binding(pl_module, wanted.weights)
        binding.load_moments(trainer.optimizers, wanted.moments, wanted.step, spec.optimizer.learning_rate)
        if wanted.stamp:
            results = wanted.stamp.results
            self.history.load_state_dict({"history": results.history, "epoch_seconds": results.epoch_seconds})
            count(trainer.fit_loop, results.epochs, wanted.step)
        trainer.save_checkpoint(self.path)

    def on_save_checkpoint(self, trainer, pl_module, checkpoint):
        """Adds the run, and where the checkpoint comes from."""
        wanted = self.wanted
        checkpoint[resume.CONVERTED] = resume.converted(wanted.source, wanted.weights_only)
        if wanted.stamp:
            checkpoint["run"] = wanted.stamp.to_dict()
        if wanted.weights_only:
            for name in ("optimizer_states", "lr_schedulers", "loops", "callbacks"):
                del checkpoint[name]
            checkpoint["epoch"] = checkpoint["global_step"] = 0


def count(loop, epochs: int, steps: int) -> None:
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


def contents(model, held: dict, task: Task) -> Contents:
    """Takes out of a checkpoint what crosses.

    Raises:
        UserError: Keras lacks the optimizer.
    """
    from parity.adapters.torch import tensors as layers

    weights = layers.weights(model)
    precision = exchange.precision(weights, task.path)
    stamp = Stamp.from_dict(held["run"], task.path) if "run" in held else None
    weights_only = exchange.why_weights_only(stamp, held.get(resume.CONVERTED), task)
    experiment = stamp.experiment if stamp else experiment_of(model.hparams, precision)
    experiment = with_keras_optimizer(experiment, weights_only, task.path)
    found = Contents(experiment, stamp, weights, {}, 0, Path(task.path).name, weights_only)
    return found if weights_only else found.with_optimizer(moments(held, list(weights)), held["global_step"])


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
            f"going on with Keras's adam would be another run. {exchange.ADVICE}"
        )
    return replace(experiment, training=replace(spec, optimizer=optimizers.Adam(spec.optimizer.learning_rate)))


def moments(held: dict, names: list[str]) -> Arrays:
    """Takes the optimizer's moments out of a checkpoint, by names such as `dense_0/kernel/velocity`.

    Args:
        held: the checkpoint.
        names: canonical names in the order of the module's parameters.
    """
    (optimizer,) = held["optimizer_states"]
    return {
        f"{names[place]}/{slot}": state[slot].numpy().T.copy()
        for place, state in optimizer["state"].items()
        for slot in ("momentum", "velocity")
        if slot in state
    }


def predictor(model):
    """Returns what predicts by a model with other weights: from them and inputs (N, 784) to (N, 10)."""
    from parity.adapters.torch import tensors as layers

    def predict(weights: Arrays, inputs: np.ndarray) -> np.ndarray:
        layers.load_weights(model, weights)
        images = torch.from_numpy(inputs).to(next(model.parameters()).dtype)
        with torch.no_grad():
            return torch.cat([model.predict_step(batch) for batch in images.split(1000)]).numpy()

    return predict


if __name__ == "__main__":
    sys.exit(command.run(lambda: exchange.answer(sys.argv[1], read, write)))
