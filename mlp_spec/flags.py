"""The flags that the training commands and the parity command share.

Nothing here imports a framework: `--help` must answer at once.
"""

import os
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from mlp_spec import optimizers
from mlp_spec.experiment import ACTIVATIONS, DATASETS, PRECISIONS, PRESETS, DataSpec, Experiment
from mlp_spec.support.errors import UserError
from mlp_spec.support.values import whole_number

Flags = TypeVar("Flags")


@dataclass(frozen=True)
class ExperimentFlags:
    """What to train. Flags that are not given keep the preset's value."""

    preset: Literal[tuple(PRESETS)] | None = None
    """The lab's models; 'small' unless named."""
    hidden_sizes: tuple[int, ...] | None = None
    """Neurons of each hidden layer, for example 100 75 25."""
    activation: Literal[ACTIVATIONS] | None = None
    """Activation of the hidden layers."""
    optimizer: Literal[tuple(optimizers.OPTIMIZERS)] | None = None
    """'adam' is Keras's Adam on both sides; 'torch-adam' is PyTorch's own, in Lightning only."""
    learning_rate: float | None = None
    """Keras's default for the optimizer unless given."""
    momentum: float | None = None
    """Of sgd and rmsprop; 0 unless given."""
    nesterov: bool | None = None
    """Nesterov's form of sgd's momentum."""
    weight_decay: float | None = None
    """Of adamw; decoupled, as in Keras."""
    epochs: int | None = None
    batch_size: int | None = None
    seed: int | None = None
    """Seed of initialisation and shuffling; 0 unless given."""
    precision: Literal[PRECISIONS] | None = None
    dataset: Literal["auto", *DATASETS] = "auto"
    """'auto' takes the full MNIST, and the offline sample of 5,000 digits if it cannot be had."""
    data_dir: str | None = None
    """Folder with the four MNIST files; also read from MLP_DATA_DIR. Downloaded unless given."""

    def experiment(self, base: Experiment | None = None) -> Experiment:
        """Returns the experiment these flags describe.

        Args:
            base: what a flag that is not given keeps its value from; the preset unless given.

        Raises:
            UserError: a value is out of its range.
        """
        if base is None or self.preset is not None:
            base = PRESETS[self.preset or "small"]
        given = {
            name: value
            for name in ("epochs", "batch_size", "seed", "precision")
            if (value := getattr(self, name)) is not None
        }
        training = replace(base.training, optimizer=self._optimizer(base.training.optimizer), **given)
        given = {name: value for name in ("hidden_sizes", "activation") if (value := getattr(self, name)) is not None}
        data = base.data if self.dataset == "auto" else DataSpec(self.dataset)
        return Experiment(replace(base.model, **given), training, data)

    def _optimizer(self, base: optimizers.Optimizer) -> optimizers.Optimizer:
        """Returns the optimizer: another one than the base's starts from its own default rate."""
        optimizer = base if self.optimizer in (None, base.name) else optimizers.make(self.optimizer)
        names = ("learning_rate", "momentum", "nesterov", "weight_decay")
        given = {name: value for name in names if (value := getattr(self, name)) is not None}
        return optimizers.make(**{**optimizers.to_dict(optimizer), **given}) if given else optimizer

    @property
    def data_folder(self) -> str | None:
        """The folder with the MNIST files: `--data-dir`, else MLP_DATA_DIR, else none."""
        if self.dataset == "mnist-sample":
            if self.data_dir is not None:
                raise UserError("--data-dir holds the full MNIST, --dataset mnist-sample is another; give one of them")
            return None
        return self.data_dir or os.environ.get("MLP_DATA_DIR") or None


@dataclass(frozen=True)
class TrainFlags(ExperimentFlags):
    """The flags of a training command."""

    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    """'auto' takes a CUDA GPU if there is one."""
    output_dir: str | None = None
    """Run folder, new or empty; runs/<time>-<name> unless given."""
    resume: str | None = None
    """Checkpoint of an interrupted run: continue it, in a new run folder, to the same bits."""
    steps_per_execution: int | None = None
    """Batches that run as one execution, as Keras's compile(steps_per_execution=) has it; each still takes its own
    step of the optimizer, and what remains of an epoch runs as a shorter one. 1 unless given."""

    def experiment(self, base: Experiment | None = None) -> Experiment:
        """Returns the experiment these flags describe; see `ExperimentFlags`."""
        if self.steps_per_execution is not None:
            whole_number("steps_per_execution", self.steps_per_execution, 1, 1_000_000)
        return super().experiment(base)


@dataclass(frozen=True)
class LightningFlags(TrainFlags):
    """The flags of Lightning's training command."""

    compile: bool = False
    """Compile whole steps: forward, backward and update in one piece of code, kept for the next run. Takes 100
    steps per execution unless told otherwise."""
    devices: int = 1
    """GPUs of a machine, or processes on its CPU. They share each batch: --batch-size is that of all together."""
    num_nodes: int = 1
    """Machines."""
    strategy: Literal["auto", "ddp"] = "auto"
    """Lightning's: 'auto' takes DDP where there is more than one process."""

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
                f"device, and --devices and --num-nodes ask for {self.processes}; leave one of them out"
            )
        if experiment.training.batch_size % self.processes:
            raise UserError(
                f"--batch-size {experiment.training.batch_size} cannot be shared equally by {self.processes} "
                f"processes; take a multiple of {self.processes}"
            )
        return experiment


def parse(kind: type[Flags], prog: str, description: str, argv: list[str] | None = None) -> Flags:
    """Parses the command line into the dataclass `kind`; exits with status 2 on a wrong flag.

    Fields without a default have no flag: they are given by their place.
    """
    import tyro

    config = (tyro.conf.DisallowNone, tyro.conf.PositionalRequiredArgs)
    return tyro.cli(kind, prog=prog, description=description, args=argv, config=config)


def check_folders(data_folder: str | None, output_dir: str | None) -> None:
    """Checks what needs no framework, so that a wrong folder is told at once.

    Raises:
        UserError: the data folder lacks a file, or the output folder is not free.
    """
    from mlp_spec.digits import idx
    from mlp_spec.runs import folder as runs

    runs.check_free(output_dir)
    if data_folder is not None:
        idx.find_files(data_folder)
