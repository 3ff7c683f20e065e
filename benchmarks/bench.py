"""Times every way to train the presets, side by side in one run: `python -m benchmarks.bench`.

Contenders take turns, round after round, each in a process of its own on a pseudo-terminal, so that they show progress
as for a user. Writes `benchmarks/bench.json`; `python -m benchmarks.tables` writes README's table and chart from it.
"""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from statistics import median

from mlp_spec import flags
from mlp_spec.runs import environment
from mlp_spec.support import command
from mlp_spec.support.errors import UserError
from mlp_spec.support.files import write_json
from mlp_spec.support.values import whole_number
from parity.ladder.progress import Progress, Row
from parity.process import watch

MEASURED = Path(__file__).parent / "bench.json"
PACKAGES = ("lightning", "torch", "keras", "tensorflow", "jax", "numpy")
BATCH_SIZES = (8, 32, 128, 512, 1024, 4096)
WIDTHS = (25, 100, 400, 1024, 4096)
OURS, KERAS = "lightning_mlp.train", "keras_reference.train"
STALL = float("inf")  # a contender takes the time it takes
FAST = ("--steps-per-execution", "100")


@dataclass(frozen=True)
class Contender:
    """A way to train: a module that takes the flags of the training commands."""

    title: str
    module: str
    flags: tuple[str, ...] = ()
    environment: dict = field(default_factory=dict)
    sweep: bool = False  # whether it is also timed over batch sizes and widths


CONTENDERS = {
    "keras": Contender("Keras on TensorFlow, as in the lab", KERAS, sweep=True),
    "keras-100": Contender("Keras on TensorFlow, `steps_per_execution=100`", KERAS, FAST, sweep=True),
    "keras-jax": Contender("Keras on JAX, `steps_per_execution=100`", KERAS, FAST, {"KERAS_BACKEND": "jax"}),
    "keras-torch": Contender("Keras on torch", KERAS, (), {"KERAS_BACKEND": "torch"}),
    "tutorial": Contender("Lightning as most tutorials write it", "benchmarks.contenders.tutorial"),
    "plain": Contender("plain PyTorch loop", "benchmarks.contenders.plain_torch"),
    "default": Contender("**ours: default path**", OURS, sweep=True),
    "fast": Contender("**ours: fast path**, `--steps-per-execution 100`", OURS, FAST),
    "compiled": Contender("**ours: fast path, compiled**, `--compile`", OURS, ("--compile",), sweep=True),
    "by-hand": Contender("numpy, written by hand", "benchmarks.contenders.by_hand"),
}
IMPORTS = {
    "torch and lightning": "import torch, lightning",
    "keras on tensorflow": "import tensorflow, keras",
    "keras on jax": "import os; os.environ['KERAS_BACKEND'] = 'jax'; import jax, keras",
    "numpy": "import numpy",
}


@dataclass(frozen=True)
class BenchFlags:
    """What to time."""

    data_dir: str | None = None
    """Folder with the full MNIST; also read from MLP_DATA_DIR. Default: download it."""
    rounds: int = 3
    """Runs of every contender."""
    epochs: int = 4
    """Epochs of a run; the first does not count."""
    sweeps: bool = True
    """Whether to time batch sizes and widths, too."""
    only: tuple[str, ...] = ()
    """Contenders to run; default: all. With this flag, the results are printed and not written."""


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    options = flags.parse(BenchFlags, "python -m benchmarks.bench", "Times every contender.", argv)
    return command.run(lambda: bench(options))


def bench(options: BenchFlags) -> None:
    """Times everything and writes the results."""
    whole_number("rounds", options.rounds, 1, 1000)
    whole_number("epochs", options.epochs, 2, 1000)
    if unknown := set(options.only) - set(CONTENDERS):
        raise UserError(f"--only {' '.join(sorted(unknown))} is unknown; choose from {', '.join(CONTENDERS)}")
    data = flags.ExperimentFlags(dataset="mnist", data_dir=options.data_dir).data_folder
    shared = ["--dataset", "mnist", *(["--data-dir", data] if data else []), "--accelerator", "cpu"]
    machine = environment.describe(*PACKAGES)
    del machine["platform"]  # the kernel's build does not matter here
    result = {"created": f"{datetime.now():%Y-%m-%d}", "environment": machine, "dataset": "mnist", "seed": 0}
    result |= {"rounds": options.rounds, "epochs": options.epochs}
    names = [name for name in CONTENDERS if not options.only or name in options.only]
    swept = [name for name, contender in CONTENDERS.items() if contender.sweep and options.sweeps and not options.only]
    runs = len(names) * options.rounds * 2 + len(swept) * len(BATCH_SIZES + WIDTHS)
    # of its own: code is compiled anew in the first round
    with tempfile.TemporaryDirectory() as cache, Progress(sys.stderr) as progress:
        runner = Runner(shared, {"TORCHINDUCTOR_CACHE_DIR": cache}, progress, progress.add_row("runs", runs))
        if not options.only:
            result["imports"] = measure_imports()
        result["presets"] = {preset: race(runner, preset, names, options) for preset in ("small", "bigger")}
        if swept:
            result["batch_sizes"] = sweep(runner, "--batch-size", BATCH_SIZES, swept)
            result["widths"] = sweep(runner, "--hidden-sizes", WIDTHS, swept)
    if options.only:
        print(json.dumps(result["presets"], indent=1))
        return
    write_json(MEASURED, result)
    print(f"\nWritten: {MEASURED}")


def race(runner: Runner, preset: str, names: list[str], options: BenchFlags) -> dict:
    """Runs the contenders in turn, round after round; returns the measurements of each."""
    runs_by_name = {name: [] for name in names}
    for number in range(options.rounds):
        for name in names:
            label = f"{preset}  round {number + 1}/{options.rounds}"
            run = runner.run(name, ["--preset", preset, "--epochs", str(options.epochs)], label)
            runs_by_name[name].append(run)
    return {name: summary(runs) for name, runs in runs_by_name.items()}


def summary(runs: list[dict]) -> dict:
    """Summarises a contender's runs: the median of all warm epochs, and the interval of the rounds' medians."""
    warm = [second for run in runs for second in run["epoch_seconds"][1:]]
    rounds = [run["seconds"] for run in runs]
    return {
        "median": median(warm),
        "interval": [min(rounds), max(rounds)],
        "epoch_seconds": [run["epoch_seconds"] for run in runs],
        "to_full_speed": median(run["to_full_speed"] for run in runs),
        "compile_seconds": [run["compile_seconds"] for run in runs],
        "peak_mb": median(run["peak_mb"] for run in runs),
        "val_acc": [run["val_acc"] for run in runs],
    }


def sweep(runner: Runner, flag: str, values: tuple[int, ...], names: list[str]) -> dict:
    """Times one warm epoch of each contender for every value of a flag; returns the seconds."""
    seconds_by_name = {name: [] for name in names}
    for value in values:
        for name, seconds in seconds_by_name.items():
            run = runner.run(name, [flag, str(value), "--epochs", "2"], f"{flag} {value:5}")
            seconds.append(run["seconds"])
    return {"values": list(values), "seconds": seconds_by_name}


def measure_imports() -> dict:
    """Measures imports: the median of three of the seconds and of the peak memory."""
    runs_by_name = {name: [] for name in IMPORTS}
    for _ in range(3):
        for name, code in IMPORTS.items():
            timed = f"import time; started = time.monotonic(); {code}; print(time.monotonic() - started)"
            ended = watch([sys.executable, "-c", timed], STALL, lambda event: None)
            runs_by_name[name].append((float(ended.lines[-1]), ended.peak_mb))
    return {
        name: {"seconds": median(seconds for seconds, _ in runs), "mb": median(mb for _, mb in runs)}
        for name, runs in runs_by_name.items()
    }


@dataclass(frozen=True)
class Runner:
    """Runs contenders, one after the other, and shows how far it is."""

    shared: list[str]  # flags of all of them
    environment: dict  # of all of them
    # progress, row: the display
    progress: Progress
    row: Row

    def run(self, name: str, arguments: list[str], label: str) -> dict:
        """Runs a contender on a pseudo-terminal; returns its measurements.

        Raises:
            UserError: it failed; the message ends with its last lines.
        """
        contender = CONTENDERS[name]
        with tempfile.TemporaryDirectory() as folder:
            output = Path(folder) / "run"
            flags_of_run = [*self.shared, *arguments, *contender.flags, "--output-dir", str(output)]
            command_line = [sys.executable, "-m", contender.module, *flags_of_run]
            variables = {**self.environment, **contender.environment}
            ended = watch(command_line, STALL, lambda event: None, variables, terminal=True)
            if message := ended.explain(contender.module, STALL):
                raise UserError(f"{message}\nnothing was written")
            timing = json.loads((output / "timing.json").read_text(encoding="utf-8"))
            history = json.loads((output / "history.json").read_text(encoding="utf-8"))
        first, *warm = timing["epoch_seconds"]
        seconds, compiling = median(warm), timing.get("compile_seconds")
        self.row.completed += 1
        self.progress.print(f"{label}  {name:12} {seconds:7.3f} s/epoch")
        return {
            "epoch_seconds": timing["epoch_seconds"],
            "seconds": seconds,
            "compile_seconds": compiling,
            # seconds until training runs at full speed: imports, data, compiling, and the excess of the first epoch
            "to_full_speed": timing["startup_seconds"] + (compiling or 0.0) + max(0.0, first - seconds),
            "peak_mb": ended.peak_mb,
            "val_acc": history["val_acc"][-1],
        }


if __name__ == "__main__":
    sys.exit(main())
