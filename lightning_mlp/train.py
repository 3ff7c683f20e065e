"""Trains the lab's model in PyTorch Lightning: `python -m lightning_mlp.train --accelerator gpu`."""

import sys
import time
from collections.abc import Callable
from dataclasses import replace

STARTED = time.monotonic()

from lightning_mlp import device as devices  # noqa: E402
from mlp_spec import flags, optimizers  # noqa: E402
from mlp_spec.experiment import DataSpec, Experiment  # noqa: E402
from mlp_spec.runs import environment, resume  # noqa: E402
from mlp_spec.runs import folder as runs  # noqa: E402
from mlp_spec.support import command  # noqa: E402
from mlp_spec.support.errors import UserError  # noqa: E402

PROG = "python -m lightning_mlp.train"
CHECKPOINT = "checkpoint.ckpt"
MANY = 100  # steps per execution of the fast path
PACKAGES = ("lightning", "torch", "torchvision", "numpy")


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    given = flags.parse(flags.LightningFlags, PROG, "Trains the lab's MLP in PyTorch Lightning.", argv)
    return command.run(lambda: train(given))


def train(given: flags.LightningFlags) -> None:
    """Trains as any Lightning user would: the module's own initialiser, the data module's own shuffle."""
    given.experiment()  # wrong flags and folders are told before the seconds that imports take
    main = given.processes == 1 or devices.is_main_process()
    flags.check_folders(given.data_folder, given.output_dir if main else None)
    keep_compiled_code()
    import lightning

    from lightning_mlp import checkpoint
    from lightning_mlp.data import MNISTDataModule, check_shares

    stamp = checkpoint.read_stamp(given.resume) if given.resume else None
    experiment = resume.experiment_of(given, stamp)
    device = devices.choose(given.accelerator)
    devices.check_count(given.devices, device)
    spec = experiment.training
    dataset = given.dataset if stamp is None else experiment.data.dataset
    steps = steps_per_execution(given, device)
    datamodule = MNISTDataModule(dataset, given.data_folder, spec.batch_size, seed=spec.seed, steps_per_execution=steps)
    datamodule.prepare_data()  # before anything is written: bad data leaves nothing behind
    digits = datamodule.digits
    experiment = replace(experiment, data=DataSpec(digits.dataset))

    check_shares(len(digits.train_labels), spec.batch_size, given.processes)

    engine = {"devices": given.devices, "num_nodes": given.num_nodes, "strategy": given.strategy}
    lightning.seed_everything(spec.seed, verbose=False)
    model = build(experiment, fast_module(given.compile) if steps else None)
    if not main:  # one process of several prints and writes
        fit(model, datamodule, experiment, None, device, given.resume, **engine)
        return
    run = runs.RunFolder.create(given.output_dir, f"lightning-{experiment.name}")
    run.write_configuration(experiment, digits.source, device, environment.describe(*PACKAGES), engine)
    show(model)
    results = fit(model, datamodule, experiment, run, device, given.resume, **engine)
    try:
        print(run.finish(results, digits, experiment, "Lightning"))
    except KeyboardInterrupt:
        resume.keep_interrupted(run, run.path / CHECKPOINT, checkpoint.read_stamp, digits, "Lightning", PROG)


def steps_per_execution(given: flags.LightningFlags, device: str) -> int | None:
    """Returns how many batches run as one execution, or None on the default path: one batch a `training_step`."""
    if given.processes > 1:  # Lightning averages gradients over processes once a `training_step`
        return None
    if given.steps_per_execution is None and (given.compile or device == "gpu"):
        return MANY
    return given.steps_per_execution if given.compile or given.steps_per_execution != 1 else None


def fast_module(compiled: bool, module: type | None = None) -> type:
    """Returns a module's class, LitMLP unless given, that runs many steps in each `training_step`."""
    from lightning_mlp.fast.steps import many_steps
    from lightning_mlp.model import LitMLP

    fast = many_steps(module or LitMLP)
    fast.compile_steps = compiled
    return fast


def build(experiment: Experiment, module: Callable | None = None, **numbers):
    """Builds the module; it initialises itself.

    Args:
        experiment: what it is to be.
        module: called in LitMLP's place, with its keyword arguments.
        numbers: further keyword arguments.
    """
    from lightning_mlp.fast.overhead import LitMLP

    numbers = {**optimizers.to_dict(experiment.training.optimizer), **numbers}
    spec = experiment.model
    return (module or LitMLP)(
        input_size=spec.input_size,
        hidden_sizes=spec.hidden_sizes,
        num_classes=spec.num_classes,
        activation=spec.activation,
        optimizer=numbers.pop("name"),
        **numbers,
    )


def show(model) -> None:
    """Prints a table of the linear layers, like Keras's `model.summary()`."""
    from rich.console import Console
    from rich.table import Column, Table
    from torch import nn

    columns = ("Layer (type)", "Output Shape", Column("Param #", justify="right"))
    table = Table(*columns, title=f"Model: {type(model).__name__}", title_justify="left")
    for name, layer in model.named_modules():
        if isinstance(layer, nn.Linear):
            count = sum(parameter.numel() for parameter in layer.parameters())
            table.add_row(f"{name} (Linear)", f"(None, {layer.out_features})", f"{count:,}")
    total = sum(parameter.numel() for parameter in model.parameters())
    console = Console()
    console.print(table)
    console.print(f" Total params: {total:,}\n", highlight=False)


def fit(
    model,
    datamodule,
    experiment: Experiment,
    run: runs.RunFolder | None,
    device: str,
    resume_from: str | None = None,
    **options,
) -> runs.Results:
    """Trains by Lightning's own `Trainer.fit`; results and a checkpoint are written after every epoch.

    Args:
        model: a LightningModule that logs `loss`, `acc`, `val_loss` and `val_acc`.
        datamodule: a LightningDataModule.
        experiment: epochs and precision.
        run: where results are written; None in a process that only helps.
        device: `cpu` or `gpu`.
        resume_from: checkpoint to go on from.
        options: of Lightning's `Trainer`.

    Raises:
        Interrupted: Ctrl-C, after at least one finished epoch.
        UserError: another process of the run ended.
    """
    from lightning_mlp import checkpoint
    from lightning_mlp.callbacks import Bar, Keeper
    from lightning_mlp.history import History

    history = History()
    keeper = Keeper(history, run, CHECKPOINT, experiment)
    trainer = make_trainer(experiment, device, [history, *([Bar(history)] if run else []), keeper], **options)
    keeper.startup_seconds = time.monotonic() - STARTED
    try:
        trainer.fit(model, datamodule, ckpt_path=resume_from, weights_only=True)
    except SystemExit:
        # Lightning turns Ctrl-C into exit status 1.
        if not trainer.interrupted or run is None:
            raise
        resume.keep_interrupted(run, run.path / CHECKPOINT, checkpoint.read_stamp, datamodule.digits, "Lightning", PROG)
    except RuntimeError as error:
        if trainer.world_size == 1 or not is_lost_connection(error):
            raise
        if run is None:  # the main process says it
            raise SystemExit(1) from error
        kept = run.path / CHECKPOINT
        rest = f"go on with:\n  {PROG} --resume {kept}" if kept.exists() else "no epoch had been finished"
        raise UserError(f"another process of this run ended, and training with it; {rest}") from error
    return keeper.results


def is_lost_connection(error: RuntimeError) -> bool:
    """Says whether an error is the loss of another process, in the words of the engine that connects them."""
    import torch

    words = ("gloo", "nccl", "connection reset", "connection closed", "socket")
    return isinstance(error, torch.distributed.DistError) or any(word in str(error).lower() for word in words)


def make_trainer(experiment: Experiment, device: str, callbacks: list, **options):
    """Makes the Trainer of every run, the command's and a parity run's.

    Args:
        experiment: epochs and precision.
        device: `cpu` or `gpu`.
        callbacks: in the order in which they are called.
        options: of Lightning's `Trainer`; one device unless told otherwise.
    """
    import lightning
    from lightning.pytorch.callbacks import Checkpoint, ProgressBar

    from lightning_mlp.fast.overhead import Unprofiled

    quieten()
    use_threads(device, experiment)
    return lightning.Trainer(
        accelerator=device,
        precision="64-true" if experiment.training.precision == "float64" else "32-true",
        max_epochs=experiment.training.epochs,
        callbacks=callbacks,
        logger=False,  # the default one loads TensorFlow if it is installed; `Keeper` writes the history
        enable_progress_bar=any(isinstance(callback, ProgressBar) for callback in callbacks),
        enable_checkpointing=any(isinstance(callback, Checkpoint) for callback in callbacks),
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,  # our loaders share out each batch themselves
        profiler=Unprofiled(),
        **{"devices": 1, **options},
    )


def use_threads(device: str, experiment: Experiment) -> None:
    """Lets torch use one thread where a step is too small to share.

    A product of 32 x 784 x 100 is no faster on two threads, and threads that wait for each other make it a
    hundred times slower as soon as another process wants a core (seen).
    """
    import torch

    # Moments of weights whose gradient stays zero decay into denormal numbers, on which the processor is ten times
    # slower; TensorFlow's and JAX's threads flush them to zero, too.
    torch.set_flush_denormal(True)
    largest = max(inputs * outputs for inputs, outputs in experiment.model.layer_sizes)
    if device == "cpu" and experiment.training.batch_size * largest < 10_000_000:
        torch.set_num_threads(1)


def keep_compiled_code() -> None:
    """Keeps what torch compiles in the user's cache, where the next run finds it.

    Torch asks for the folder as soon as Lightning is imported.
    """
    import os
    from pathlib import Path

    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "keras-lightning-parity" / "inductor"
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(cache))


def quieten() -> None:
    """Silences what Lightning says about every run; errors and other warnings stay."""
    import logging
    import warnings

    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    # Its compiler looks for CUDA also where there is no GPU.
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
    # Lightning 2.6 asks torch 2.15's trees an old question.
    warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec.*")
    # Batches come out of memory: workers would only add copies.
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")


if __name__ == "__main__":
    sys.exit(main())
