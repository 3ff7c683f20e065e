"""Times every way to train the presets, side by side in one run: `python -m benchmarks.bench`.

Contenders take turns, round after round, each in a process of its own on a pseudo-terminal, so that they show progress
as for a user. Writes `benchmarks/bench.json`; `python -m benchmarks.tables` writes README's table and chart from it.
"""

import json
import os
import pty
import subprocess
import sys
import tempfile
import threading
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

MEASURED = Path(__file__).parent / "bench.json"
PACKAGES = ("lightning", "torch", "keras", "tensorflow", "jax", "numpy")
BATCH_SIZES = (8, 32, 128, 512, 1024, 4096)
WIDTHS = (25, 100, 400, 1024, 4096)
OURS, KERAS = "lightning_mlp.train", "keras_reference.train"
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
    with tempfile.TemporaryDirectory() as cache:  # so that the first round compiles
        clean = {"TORCHINDUCTOR_CACHE_DIR": cache}
        result["imports"] = imports()
        result["presets"] = {preset: race(preset, names, options, shared, clean) for preset in ("small", "bigger")}
        if options.sweeps and not options.only:
            result["batch_sizes"] = sweep("--batch-size", BATCH_SIZES, shared, clean)
            result["widths"] = sweep("--hidden-sizes", WIDTHS, shared, clean)
    if options.only:
        print(json.dumps(result["presets"], indent=1))
        return
    write_json(MEASURED, result)
    print(f"\nWritten: {MEASURED}")


def race(preset: str, names: list[str], options: BenchFlags, shared: list[str], clean: dict) -> dict:
    """Runs the contenders in turn, round after round; returns the measurements of each."""
    runs_by_name = {name: [] for name in names}
    for number in range(options.rounds):
        for name in names:
            run = execute(CONTENDERS[name], [*shared, "--preset", preset, "--epochs", str(options.epochs)], clean)
            runs_by_name[name].append(run)
            print(f"{preset}  round {number + 1}/{options.rounds}  {name:12} {run['seconds']:7.3f} s/epoch", flush=True)
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


def sweep(flag: str, values: tuple[int, ...], shared: list[str], clean: dict) -> dict:
    """Times one warm epoch of each sweep contender for every value of a flag; returns the seconds."""
    seconds_by_name = {name: [] for name, contender in CONTENDERS.items() if contender.sweep}
    for value in values:
        for name, seconds in seconds_by_name.items():
            run = execute(CONTENDERS[name], [*shared, flag, str(value), "--epochs", "2"], clean)
            seconds.append(run["seconds"])
            print(f"{flag} {value:5}  {name:12} {run['seconds']:7.3f} s/epoch", flush=True)
    return {"values": list(values), "seconds": seconds_by_name}


def imports() -> dict:
    """Measures imports: the median of three of the seconds and of the peak memory."""
    runs_by_name = {name: [] for name in IMPORTS}
    for _ in range(3):
        for name, code in IMPORTS.items():
            timed = f"import time; started = time.monotonic(); {code}; print(time.monotonic() - started)"
            process = subprocess.Popen([sys.executable, "-c", timed], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            seconds = float(process.stdout.read())
            runs_by_name[name].append((seconds, wait_for(process)[1]))
    return {
        name: {"seconds": median(seconds for seconds, _ in runs), "mb": median(mb for _, mb in runs)}
        for name, runs in runs_by_name.items()
    }


def execute(contender: Contender, arguments: list[str], clean: dict) -> dict:
    """Runs a contender on a pseudo-terminal; returns its measurements.

    Raises:
        UserError: it failed; the message ends with its last lines.
    """
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "run"
        command_line = [
            sys.executable,
            "-m",
            contender.module,
            *arguments,
            *contender.flags,
            "--output-dir",
            str(output),
        ]
        controller, terminal = pty.openpty()
        variables = {**os.environ, **clean, **contender.environment, "TERM": "xterm", "COLUMNS": "100"}
        process = subprocess.Popen(command_line, stdin=terminal, stdout=terminal, stderr=terminal, env=variables)
        os.close(terminal)
        text = bytearray()
        reader = threading.Thread(target=drain, args=(controller, text))
        reader.start()
        try:
            status, peak = wait_for(process)
        except BaseException:
            process.kill()
            raise
        finally:
            reader.join(timeout=10)
            os.close(controller)
        if status:
            tail = text.decode(errors="replace").strip()[-1500:]
            raise UserError(f"{contender.module} ended with exit status {status}; nothing was written:\n{tail}")
        timing = json.loads((output / "timing.json").read_text(encoding="utf-8"))
        history = json.loads((output / "history.json").read_text(encoding="utf-8"))
    first, *warm = timing["epoch_seconds"]
    seconds, compiling = median(warm), timing.get("compile_seconds")
    return {
        "epoch_seconds": timing["epoch_seconds"],
        "seconds": seconds,
        "compile_seconds": compiling,
        # seconds until training runs at full speed: imports, data, compiling, and the excess of the first epoch
        "to_full_speed": timing["startup_seconds"] + (compiling or 0.0) + max(0.0, first - seconds),
        "peak_mb": peak,
        "val_acc": history["val_acc"][-1],
    }


def drain(controller: int, text: bytearray) -> None:
    """Reads the output of a pseudo-terminal until it is closed."""
    try:
        while part := os.read(controller, 65536):
            text += part
    except OSError:  # raised on Linux when the terminal is closed
        pass


def wait_for(process: subprocess.Popen) -> tuple[int, float]:
    """Waits for a process; returns its exit status and its peak memory in MB (10^6 bytes)."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes
    return process.returncode, usage.ru_maxrss * unit / 1e6


if __name__ == "__main__":
    sys.exit(main())
