"""Trains Lightning's seeds of a study, one after the other, in a process that `parity` starts.

Every seed is the run of `python -m lightning_mlp.train --seed S` (with `--compile`, where steps are compiled: that
rounds otherwise), to the bit: the same code, imports and data loaded once. A user's own module or data module is
called as everywhere, and shuffles as it likes: no order is prescribed.
"""

import sys
from collections.abc import Callable
from dataclasses import replace

from mlp_spec.experiment import DataSpec, Experiment
from mlp_spec.support import command
from parity.protocol import seeds as study
from parity.protocol import targets


def main(argv: list[str] | None = None) -> int:
    """Answers the job; returns the exit status."""
    return command.run(lambda: work(study.started_with(argv)))


def work(task: study.StudyJob) -> None:
    """Trains the job's seeds."""
    study.settle(task)
    from lightning_mlp import train

    train.keep_compiled_code()  # before torch is imported, which asks for the folder then
    from lightning_mlp import data
    from mlp_spec.digits import load as digits_of
    from mlp_spec.runs import environment

    digits = digits_of.load(task.dataset, task.data_dir, data.download)
    task = replace(task, experiment=replace(task.experiment, data=DataSpec(digits.dataset)))
    held = {}
    study.train_all(
        task,
        environment.describe(*train.PACKAGES),
        lambda one, alive: train_one(task, one, digits, held, alive),
    )


def train_one(task: study.StudyJob, experiment: Experiment, digits, held: dict, alive: Callable[[], None]):
    """Trains one seed as the command does; returns its `Results`.

    Args:
        task: the job.
        experiment: with the seed.
        digits: the data, loaded once.
        held: the tensors our data module made of them, for the next seed.
        alive: called after every epoch.
    """
    import lightning
    import torch

    from lightning_mlp import train
    from lightning_mlp.history import History
    from mlp_spec.runs import folder as runs

    class Told(lightning.Callback):
        def on_train_epoch_end(self, trainer, pl_module):
            """Tells that an epoch is finished."""
            alive()

    torch.compiler.reset()  # what was compiled for the last seed's module is of no use to this one
    lightning.seed_everything(experiment.training.seed, verbose=False)
    module = targets.load(task.target) if task.target else None
    model = train.build(experiment, train.fast_module(True, module) if task.compiled else module)
    if not isinstance(model, lightning.LightningModule):
        raise TypeError(f"the candidate is a {type(model).__name__}; it must be a LightningModule")
    history = History()
    trainer = train.make_trainer(experiment, "cpu", [history, Told()])
    torch.set_num_threads(min(task.threads, torch.get_num_threads()))
    trainer.fit(model, datamodule=data_for(task, experiment, digits, held))
    return runs.Results(history.history, history.epoch_seconds)


def data_for(task: study.StudyJob, experiment: Experiment, digits, held: dict):
    """Makes the data module of one seed, ours or the user's."""
    from lightning_mlp import train
    from lightning_mlp.data import MNISTDataModule

    make = targets.load(task.datamodule) if task.datamodule else MNISTDataModule
    fast = {"steps_per_execution": train.MANY} if task.compiled else {}
    made = make(
        dataset=digits.dataset,
        data_dir=task.data_dir,
        batch_size=experiment.training.batch_size,
        seed=experiment.training.seed,
        **fast,
    )
    if type(made) is MNISTDataModule:
        made.digits = digits
        if not held:
            made.setup()
            held |= {"train_set": made.train_set, "val_set": made.val_set}
        vars(made).update(held)
    return made


if __name__ == "__main__":
    sys.exit(main())
