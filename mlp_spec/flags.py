"""The flags that the commands share. Nothing here imports a framework, so that `--help` answers at once."""

import os
from dataclasses import dataclass, is_dataclass, replace
from inspect import get_annotations
from types import UnionType
from typing import Literal, TypeVar, Union, get_args

from mlp_spec import optimizers
from mlp_spec.experiment import ACTIVATIONS, DATASETS, PRECISIONS, PRESETS, DataSpec, Experiment
from mlp_spec.support.errors import UserError
from mlp_spec.support.values import whole_number

Flags = TypeVar("Flags")


@dataclass(frozen=True)
class ExperimentFlags:
    """What to train. Flags left out keep the preset's value."""

    preset: Literal[tuple(PRESETS)] | None = None
    """One of the lab's models; default: small."""
    hidden_sizes: tuple[int, ...] | None = None
    """Neurons of each hidden layer, for example 100 75 25."""
    activation: Literal[ACTIVATIONS] | None = None
    """Activation of the hidden layers."""
    optimizer: Literal[tuple(optimizers.OPTIMIZERS)] | None = None
    """'adam' is Keras's Adam on both sides; 'torch-adam' is PyTorch's own, in Lightning only."""
    learning_rate: float | None = None
    """Default: Keras's default for the optimizer."""
    momentum: float | None = None
    """Of sgd and rmsprop; default: 0."""
    nesterov: bool | None = None
    """Nesterov's form of sgd's momentum."""
    weight_decay: float | None = None
    """Of adamw; decoupled, as in Keras."""
    epochs: int | None = None
    batch_size: int | None = None
    seed: int | None = None
    """Seed of initialisation and shuffling; default: 0."""
    precision: Literal[PRECISIONS] | None = None
    dataset: Literal["auto", *DATASETS] = "auto"
    """'auto' takes the full MNIST, or the offline sample of 5,000 digits if it cannot be downloaded."""
    data_dir: str | None = None
    """Folder with the four MNIST files; also read from MLP_DATA_DIR. Default: download them."""

    def experiment(self, base: Experiment | None = None) -> Experiment:
        """Returns the experiment these flags describe.

        Args:
            base: the experiment that flags left out keep their value from; default: the preset.

        Raises:
            UserError: a value is out of its range.
        """
        if base is None or self.preset is not None:
            base = PRESETS[self.preset or "small"]
        changes = self.explicit("epochs", "batch_size", "seed", "precision")
        training = replace(base.training, optimizer=self._optimizer(base.training.optimizer), **changes)
        model = replace(base.model, **self.explicit("hidden_sizes", "activation"))
        return Experiment(model, training, base.data if self.dataset == "auto" else DataSpec(self.dataset))

    def explicit(self, *names: str) -> dict:
        """Returns the values of those flags that were given, of flags that are None if they are left out."""
        return {name: value for name in names if (value := getattr(self, name)) is not None}

    def _optimizer(self, base: optimizers.Optimizer) -> optimizers.Optimizer:
        """Returns the optimizer; one of another kind than the base's starts from its own default rate."""
        optimizer = base if self.optimizer in (None, base.name) else optimizers.make(self.optimizer)
        changes = self.explicit("learning_rate", "momentum", "nesterov", "weight_decay")
        return optimizers.make(**{**optimizers.to_dict(optimizer), **changes}) if changes else optimizer

    @property
    def data_folder(self) -> str | None:
        """The folder with the MNIST files: `--data-dir`, else MLP_DATA_DIR, else None."""
        if self.dataset == "mnist-sample":
            if self.data_dir is not None:
                raise UserError(
                    "--data-dir is for the full MNIST, not for --dataset mnist-sample; use one of the two flags"
                )
            return None
        return self.data_dir or os.environ.get("MLP_DATA_DIR") or None


@dataclass(frozen=True)
class TrainFlags(ExperimentFlags):
    """The flags of a training command."""

    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    """'auto' uses a CUDA GPU if there is one."""
    output_dir: str | None = None
    """Run folder, new or empty; default: runs/<time>-<name>."""
    resume: str | None = None
    """Checkpoint of an interrupted run: continue it in a new run folder, with the same results to the bit."""
    steps_per_execution: int | None = None
    """Batches per execution, as in Keras's compile(steps_per_execution=). Each batch still has an optimizer step of its
    own, and the last execution of an epoch may be shorter. Default: 1."""

    def experiment(self, base: Experiment | None = None) -> Experiment:
        """Returns the experiment these flags describe; see `ExperimentFlags`."""
        if self.steps_per_execution is not None:
            whole_number("steps_per_execution", self.steps_per_execution, 1, 1_000_000)
        return super().experiment(base)


@dataclass(frozen=True)
class LightningFlags(TrainFlags):
    """The flags of Lightning's training command."""

    compile: bool = False
    """Compile forward pass, backward pass and update into one function, cached for the next run. Default with this
    flag: 100 steps per execution."""
    devices: int = 1
    """GPUs of a machine, or processes on its CPU. They share each batch: --batch-size is the total."""
    num_nodes: int = 1
    """Machines."""
    strategy: Literal["auto", "ddp"] = "auto"
    """Lightning's strategy; 'auto' uses DDP if there is more than one process."""

    @property
    def processes(self) -> int:
        """How many processes train together."""
        return self.devices * self.num_nodes

    def experiment(self, base: Experiment | None = None) -> Experiment:
        """Returns the experiment these flags describe; see `ExperimentFlags`."""
        whole_number("devices", self.devices, 1, 1024)
        whole_number("num_nodes", self.num_nodes, 1, 65_536)
        experiment = super().experiment(base)
        if self.processes > 1 and (self.compile or (self.steps_per_execution or 1) > 1):
            raise UserError(
                f"{'--compile' if self.compile else f'--steps-per-execution {self.steps_per_execution}'} runs on one "
                f"device, but --devices and --num-nodes make {self.processes} processes; leave one of them out"
            )
        if experiment.training.batch_size % self.processes:
            raise UserError(
                f"--batch-size {experiment.training.batch_size} cannot be shared equally by {self.processes} "
                f"processes; use a multiple of {self.processes}"
            )
        return experiment


def parse(kind: type[Flags], prog: str, description: str, argv: list[str] | None = None) -> Flags:
    """Parses the command line into the dataclass `kind`; exits with status 2 on a wrong flag.

    Fields without a default are positional arguments.
    """
    import tyro

    # tyro checks `X | None` by typeguard, whose import takes a third of the time of --help; but not Union[None, X]
    for cls in filter(is_dataclass, getattr(kind, "__mro__", ())):
        hints = get_annotations(cls).items()
        cls.__annotations__ = {n: Union[None, *get_args(h)] if isinstance(h, UnionType) else h for n, h in hints}
    config = (tyro.conf.DisallowNone, tyro.conf.PositionalRequiredArgs)
    return tyro.cli(kind, prog=prog, description=description, args=argv, config=config)


def check_folders(data_folder: str | None, output_dir: str | None) -> None:
    """Checks the folders before a framework is imported, so that a mistake is reported at once.

    Raises:
        UserError: the data folder lacks a file, or the output folder is not free.
    """
    from mlp_spec.digits import idx
    from mlp_spec.runs.folder import check_free

    check_free(output_dir)
    if data_folder is not None:
        idx.find_files(data_folder)
