"""Trains the lab's model in PyTorch Lightning: `python -m lightning_mlp.train --accelerator gpu`."""

import sys
import time
from collections.abc import Callable
from dataclasses import replace

STARTED = time.monotonic()

from lightning_mlp.device import check_count, choose, is_main_process  # noqa: E402
from mlp_spec import flags, optimizers  # noqa: E402
from mlp_spec.experiment import DataSpec, Experiment  # noqa: E402
from mlp_spec.runs import environment, resume  # noqa: E402
from mlp_spec.runs.folder import Results, RunFolder  # noqa: E402
from mlp_spec.support import command  # noqa: E402
from mlp_spec.support.errors import UserError  # noqa: E402

PROG = "python -m lightning_mlp.train"
CHECKPOINT = "checkpoint.ckpt"
MANY = 100  # steps per execution of the fast path
PACKAGES = ("lightning", "torch", "torchvision", "numpy")


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    options = flags.parse(flags.LightningFlags, PROG, "Trains the lab's MLP in PyTorch Lightning.", argv)
    return command.run(lambda: train(options))


def train(options: flags.LightningFlags) -> None:
    """Trains with the module's own initialiser and the data module's own shuffle."""
    options.experiment()  # reports wrong flags and folders before the slow imports
    is_main = options.processes == 1 or is_main_process()
    flags.check_folders(options.data_folder, options.output_dir if is_main else None)
    keep_compiled_code()
    import lightning

    from lightning_mlp import checkpoint
    from lightning_mlp.data import MNISTDataModule, check_shares

    stamp = checkpoint.read_stamp(options.resume) if options.resume else None
    experiment = resume.experiment_of(options, stamp)
    device = choose(options.accelerator)
    check_count(options.devices, device)
    batch_size, seed = experiment.training.batch_size, experiment.training.seed
    dataset = options.dataset if stamp is None else experiment.data.dataset
    steps = steps_per_execution(options, device)
    datamodule = MNISTDataModule(dataset, options.data_folder, batch_size, seed=seed, steps_per_execution=steps)
    datamodule.prepare_data()  # before anything is written, so that bad data leaves no folder behind
    digits = datamodule.digits
    experiment = replace(experiment, data=DataSpec(digits.dataset))
    check_shares(len(digits.train_labels), batch_size, options.processes)

    engine = {"devices": options.devices, "num_nodes": options.num_nodes, "strategy": options.strategy}
    lightning.seed_everything(seed, verbose=False)
    model = build(experiment, fast_module(options.compile) if steps else None)
    if not is_main:  # only the main process prints and writes
        fit(model, datamodule, experiment, None, device, options.resume, **engine)
        return
    run = RunFolder.create(options.output_dir, f"lightning-{experiment.name}")
    run.write_configuration(experiment, digits.source, device, environment.describe(*PACKAGES), engine)
    show(model)
    results = fit(model, datamodule, experiment, run, device, options.resume, **engine)
    try:
        print(run.finish(results, digits, experiment, "Lightning"))
    except KeyboardInterrupt:
        resume.keep_interrupted(run, run.path / CHECKPOINT, checkpoint.read_stamp, digits, "Lightning", PROG)


def steps_per_execution(options: flags.LightningFlags, device: str) -> int | None:
    """Returns the number of batches per execution, or None on the default path: one batch per `training_step`."""
    if options.processes > 1:  # Lightning averages gradients over processes once per `training_step`
        return None
    if options.steps_per_execution is None and (options.compile or device == "gpu"):
        return MANY
    return options.steps_per_execution if options.compile or options.steps_per_execution != 1 else None


def fast_module(compiled: bool, module: type | None = None) -> type:
    """Returns a subclass of `module` (default: LitMLP) that runs many steps in each `training_step`."""
    from lightning_mlp.fast.steps import many_steps
    from lightning_mlp.model import LitMLP

    fast = many_steps(module or LitMLP)
    fast.compile_steps = compiled
    return fast


def build(experiment: Experiment, module: Callable | None = None, **numbers):
    """Builds the module, which initialises its weights.

    Args:
        experiment: the layers and the optimizer.
        module: a class or function with LitMLP's keyword arguments, to call in its place.
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
    run: RunFolder | None,
    device: str,
    resume_from: str | None = None,
    **options,
) -> Results:
    """Trains with Lightning's `Trainer.fit`; writes results and a checkpoint after every epoch.

    Args:
        model: a LightningModule that logs `loss`, `acc`, `val_loss` and `val_acc`.
        datamodule: a LightningDataModule.
        experiment: epochs and precision.
        run: the run folder; None in a process other than the main one.
        device: `cpu` or `gpu`.
        resume_from: checkpoint to resume.
        options: further keyword arguments of Lightning's `Trainer`.

    Raises:
        Interrupted: Ctrl-C, after at least one finished epoch.
        UserError: another process of the run exited.
    """
    from lightning_mlp import checkpoint
    from lightning_mlp.callbacks import Bar, EpochCheckpoint
    from lightning_mlp.history import History

    history = History()
    saver = EpochCheckpoint(history, run, CHECKPOINT, experiment)
    trainer = make_trainer(experiment, device, [history, *([Bar(history)] if run else []), saver], **options)
    saver.startup_seconds = time.monotonic() - STARTED
    try:
        trainer.fit(model, datamodule, ckpt_path=resume_from, weights_only=True)
    except SystemExit:  # Lightning's answer to Ctrl-C, with exit status 1
        if not trainer.interrupted or run is None:
            raise
        resume.keep_interrupted(run, run.path / CHECKPOINT, checkpoint.read_stamp, datamodule.digits, "Lightning", PROG)
    except RuntimeError as error:
        if trainer.world_size == 1 or not is_lost_connection(error):
            raise
        if run is None:  # the main process prints the message
            raise SystemExit(1) from error
        saved = run.path / CHECKPOINT
        advice = f"go on with:\n  {PROG} --resume {saved}" if saved.exists() else "no epoch had been finished"
        raise UserError(f"another process of this run ended, and training with it; {advice}") from error
    return saver.results


def is_lost_connection(error: RuntimeError) -> bool:
    """Says whether an error means that the connection to another process was lost."""
    import torch

    words = ("gloo", "nccl", "connection reset", "connection closed", "socket")
    return isinstance(error, torch.distributed.DistError) or any(word in str(error).lower() for word in words)


def make_trainer(experiment: Experiment, device: str, callbacks: list, **options):
    """Builds a Trainer without logger, sanity check and summary, on one device by default.

    Args:
        experiment: epochs and precision.
        device: `cpu` or `gpu`.
        callbacks: in the order in which they are called.
        options: further keyword arguments of Lightning's `Trainer`.
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
        logger=False,  # the default one loads TensorFlow if it is installed; `EpochCheckpoint` writes the history
        enable_progress_bar=any(isinstance(callback, ProgressBar) for callback in callbacks),
        enable_checkpointing=any(isinstance(callback, Checkpoint) for callback in callbacks),
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,  # `MNISTDataModule` splits each batch between the processes
        profiler=Unprofiled(),
        **{"devices": 1, **options},
    )


def use_threads(device: str, experiment: Experiment) -> None:
    """Limits torch to one thread where the steps are too small for more.

    A product of 32 x 784 x 100 is no faster on two threads, and was measured to be a hundred times slower when another
    process uses one of the cores.
    """
    import torch

    # Moments of weights whose gradient stays zero decay into denormal numbers, on which the processor is ten times
    # slower. TensorFlow and JAX flush them to zero, too.
    torch.set_flush_denormal(True)
    largest = max(inputs * outputs for inputs, outputs in experiment.model.layer_sizes)
    if device == "cpu" and experiment.training.batch_size * largest < 10_000_000:
        torch.set_num_threads(1)


def keep_compiled_code() -> None:
    """Keeps torch's compiled code in the user's cache, for the next run; call it before importing Lightning."""
    import os
    from pathlib import Path

    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "keras-lightning-parity" / "inductor"
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(cache))


def quieten() -> None:
    """Silences the messages that Lightning prints in every run; errors and other warnings stay."""
    import logging
    import warnings

    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    # torch's compiler looks for CUDA even where there is no GPU.
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
    # Lightning 2.6 uses a deprecated check of torch 2.15's pytrees.
    warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec.*")
    # TF32 stays off, on purpose.
    warnings.filterwarnings("ignore", message="TensorFloat32 tensor cores.*")
    # The data is in memory: worker processes would only add copies.
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")


if __name__ == "__main__":
    sys.exit(main())
