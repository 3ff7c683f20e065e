"""Measures accuracy, agreement and speed of both presets on the full MNIST: `python -m benchmarks.measure`.

Every number comes from the commands that users run. The training commands take turns, so that a machine whose speed
drifts affects both alike. Writes `benchmarks/measured.json`.
"""

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median

from mlp_spec import flags
from mlp_spec.runs import environment
from mlp_spec.runs.folder import CURVES
from mlp_spec.support import command
from mlp_spec.support.errors import UserError
from mlp_spec.support.files import write_json
from mlp_spec.support.values import whole_number

MEASURED = Path(__file__).parent / "measured.json"
FIELDS = ("name", "status", "measured", "limit", "judged_steps")  # of a check
TRAIN = {"keras": "keras_reference.train", "lightning": "lightning_mlp.train"}


@dataclass(frozen=True)
class MeasureFlags:
    """What to measure."""

    data_dir: str | None = None
    """Folder with the full MNIST; also read from MLP_DATA_DIR. Default: download it."""
    rounds_small: int = 3
    """Training runs of `small` in each framework, each with another seed."""
    rounds_bigger: int = 2
    """Training runs of `bigger` in each framework."""


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    options = flags.parse(MeasureFlags, "python -m benchmarks.measure", "Measures the README's tables.", argv)
    return command.run(lambda: measure(options))


def measure(options: MeasureFlags) -> None:
    """Measures both presets and writes the results."""
    data = flags.ExperimentFlags(dataset="mnist", data_dir=options.data_dir).data_folder
    shared = ["--dataset", "mnist", *(["--data-dir", data] if data else [])]
    whole_number("rounds_small", options.rounds_small, 1, 100)
    whole_number("rounds_bigger", options.rounds_bigger, 1, 100)
    machine = environment.describe("keras", "tensorflow", "lightning", "torch", "numpy")
    del machine["platform"]  # the kernel's build does not matter here
    result = {"created": f"{datetime.now():%Y-%m-%d}", "environment": machine, "presets": {}}
    with tempfile.TemporaryDirectory() as folder:
        for preset, rounds in (("small", options.rounds_small), ("bigger", options.rounds_bigger)):
            arguments = ["--preset", preset, *shared]
            result["presets"][preset] = {
                "independent": independent(arguments, rounds, Path(folder) / preset),
                "parity": parity(arguments, Path(folder) / f"{preset}-parity"),
            }
    write_json(MEASURED, result)
    print(f"\nWritten: {MEASURED}")


def independent(arguments: list[str], rounds: int, folder: Path) -> dict:
    """Trains with both commands in turn; returns the runs of each framework."""
    runs = {side: [] for side in TRAIN}
    for seed in range(rounds):
        for side, module in TRAIN.items():
            run = folder / f"{side}-{seed}"
            execute(module, *arguments, "--seed", str(seed), "--output-dir", str(run))
            timing, history = load(run / "timing.json"), load(run / "history.json")
            runs[side].append(
                {
                    "seed": seed,
                    **{name: history[name][-1] for name in CURVES},
                    "epoch_seconds": timing["epoch_seconds"],
                    "startup_seconds": timing["startup_seconds"],
                }
            )
    seconds = {
        side: median(second for run in side_runs for second in run["epoch_seconds"][1:])
        for side, side_runs in runs.items()
    }
    return {"runs": runs, "median_epoch_seconds": seconds, "ratio": seconds["lightning"] / seconds["keras"]}


def parity(arguments: list[str], folder: Path) -> dict:
    """Runs the parity command; returns its verdict, checks and parameter counts."""
    execute("parity", *arguments, "--output-dir", str(folder), allowed=(0, 1))
    report = load(folder / "report.json")
    return {
        "verdict": report["verdict"],
        "run_id": report["experiment"]["run_id"],
        "devices": report["environment"]["devices"],
        "layers": {name: [layer["parameters"] for layer in side["layers"]] for name, side in report["sides"].items()},
        "parameters": {name: side["parameters"] for name, side in report["sides"].items()},
        "checks": [{key: check.get(key) for key in FIELDS} for check in report["checks"]],
    }


def execute(module: str, *arguments: str, allowed: tuple[int, ...] = (0,)) -> None:
    """Runs one of the project's commands and shows its output.

    Raises:
        UserError: its exit status is not one of `allowed`.
    """
    print(f"\n$ python -m {module} {' '.join(arguments)}", flush=True)
    status = subprocess.run([sys.executable, "-m", module, *arguments], check=False).returncode
    if status not in allowed:
        raise UserError(f"python -m {module} ended with exit status {status}; nothing was written")


def load(path: Path):
    """Reads a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    sys.exit(main())
