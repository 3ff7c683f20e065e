"""Trains Lightning's seeds of a study, one after the other.

Every seed is the run of `python -m lightning_mlp.train --seed S` (with `--compile`, where steps are compiled: that
rounds otherwise), to the bit: the same code, imports and data loaded once. A user's own module or data module is
called as everywhere, and shuffles as it likes: no order is prescribed.
"""

from collections.abc import Callable

from mlp_spec.experiment import Experiment
from mlp_spec.runs import environment
from mlp_spec.runs.folder import Results
from parity.pair import Pair
from parity.protocol import targets
from parity.protocol.seeds import train_all
from parity.protocol.task import LIGHTNING, SeedsTask, Task


def train_seeds(task: Task) -> None:
    """Trains the task's seeds."""
    from lightning_mlp import train

    train.keep_compiled_code()  # before torch is imported, which asks for the folder then
    from lightning_mlp.data import download
    from mlp_spec.digits.load import load_digits

    digits = load_digits(task.pair.dataset, task.pair.data_dir, download)
    data = SeedData(task.pair, digits)
    versions = environment.describe(*train.PACKAGES)
    train_all(task, LIGHTNING, digits.dataset, versions, lambda seeded, alive: train_one(task, seeded, data, alive))


def train_one(task: Task, experiment: Experiment, data: "SeedData", alive: Callable[[], None]) -> Results:
    """Trains one seed as the command does; calls `alive` after every epoch.

    Raises:
        TypeError: the candidate is no LightningModule.
    """
    import lightning
    import torch

    from lightning_mlp import train
    from lightning_mlp.history import History

    class EpochEnd(lightning.Callback):
        def on_train_epoch_end(self, trainer, pl_module):
            """Reports that an epoch is finished."""
            alive()

    torch.compiler.reset()  # what was compiled for the last seed's module is of no use to this one
    lightning.seed_everything(experiment.training.seed, verbose=False)
    module = targets.load(task.pair.candidate) if task.pair.candidate else None
    model = train.build(experiment, train.fast_module(True, module) if task.pair.compiled else module)
    if not isinstance(model, lightning.LightningModule):
        raise TypeError(f"the candidate is a {type(model).__name__}; it must be a LightningModule")
    history = History()
    trainer = train.make_trainer(experiment, "cpu", [history, EpochEnd()])
    limit_threads(task.seeds)
    trainer.fit(model, datamodule=data.build(experiment))
    return Results(history.history, history.epoch_seconds)


def limit_threads(task: SeedsTask) -> None:
    """Keeps torch to the task's threads, and to fewer where the Trainer took fewer."""
    import torch

    torch.set_num_threads(min(task.threads, torch.get_num_threads()))


class SeedData:
    """Builds the data module of each seed, ours or the user's; our data module's tensors are made once.

    Args:
        pair: what is trained.
        digits: the data, loaded once.
    """

    def __init__(self, pair: Pair, digits):
        self.pair, self.digits, self.tensors = pair, digits, {}

    def build(self, experiment: Experiment):
        """Builds the data module of one seed."""
        from lightning_mlp import train
        from lightning_mlp.data import MNISTDataModule

        target = self.pair.candidate_datamodule
        make = targets.load(target) if target else MNISTDataModule
        fast = {"steps_per_execution": train.MANY} if self.pair.compiled else {}
        datamodule = make(
            dataset=self.digits.dataset,
            data_dir=self.pair.data_dir,
            batch_size=experiment.training.batch_size,
            seed=experiment.training.seed,
            **fast,
        )
        if type(datamodule) is MNISTDataModule:
            datamodule.digits = self.digits
            if not self.tensors:
                datamodule.setup()
                self.tensors = {"train_set": datamodule.train_set, "val_set": datamodule.val_set}
            vars(datamodule).update(self.tensors)
        return datamodule


PARTS = {"seeds": train_seeds}
