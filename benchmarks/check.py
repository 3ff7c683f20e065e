"""Measures what checking a pair file costs, in seconds and memory: `python -m benchmarks.check`.

The pair is `benchmarks/cnn_pair.py`. Beside both levels of the check, Keras alone trains the same model on the same
data for as many epochs, and each framework alone trains a trivial model. Writes `benchmarks/check.json`. Linux only:
the most memory that a process had stands in `/proc`.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mlp_spec import flags
from mlp_spec.runs import environment
from mlp_spec.support import command
from mlp_spec.support.errors import UserError
from mlp_spec.support.files import write_json
from mlp_spec.support.values import whole_number

MEASURED = Path(__file__).parent / "check.json"
PAIR = Path(__file__).parent / "cnn_pair.py"
SIDES = {"keras": "parity.adapters.keras", "lightning": "parity.adapters.torch"}
EVERY = 0.25  # seconds between two looks at the memory
# What the numbers are held against: seconds of the quick level, the full level in times of `fit`, data sets.
BARS = {"quick_seconds": 90.0, "full_over_fit": 10.0, "data_sets": 2.0}
FIT = """
import json, runpy, time
pair = runpy.run_path({pair!r})
(x, y), validation = pair["keras_data"]()
model = pair["keras_model"]()
started = time.monotonic()
model.fit(x, y, epochs={epochs}, validation_data=validation, verbose=0)
sizes = [part.nbytes for part in (x, y, *validation)]
print(json.dumps([time.monotonic() - started, model.count_params(), sum(sizes)]))
"""
# A framework alone, at work on next to nothing.
BARE = {
    "keras": """
import keras, numpy as np
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
model.compile("adam", "mse")
model.fit(np.ones((64, 4)), np.ones((64, 1)), validation_data=(np.ones((64, 4)), np.ones((64, 1))), verbose=0)
""",
    "lightning": """
import lightning, torch
class Module(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(4, 1)
    def training_step(self, batch, batch_idx):
        return self.layer(batch[0]).square().mean()
    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())
rows = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.ones(64, 4)), batch_size=32)
options = dict(accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False, max_epochs=1)
lightning.Trainer(**options).fit(Module(), rows)
""",
}


@dataclass(frozen=True)
class CheckFlags:
    """What to measure."""

    rows: int = 20_000
    """Training rows of the data set, 28 x 28 float32 each."""
    epochs: int = 4
    """Epochs of the full level, and of Keras's own `fit`."""
    output: str | None = None
    """File of the results; benchmarks/check.json unless given."""


@dataclass(frozen=True)
class Run:
    """A command that ended well."""

    seconds: float  # by the clock
    cpu_seconds: float  # of it and all it started
    mb: dict[str, float]  # the most memory that each framework's process had, and the command itself; 10^6 bytes
    out: str


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    options = flags.parse(CheckFlags, "python -m benchmarks.check", "Measures what checking a pair costs.", argv)
    return command.run(lambda: measure(options))


def measure(options: CheckFlags) -> None:
    """Measures everything and writes the results."""
    whole_number("rows", options.rows, 200, 1_000_000)
    whole_number("epochs", options.epochs, 1, 1000)
    machine = environment.describe("keras", "tensorflow", "lightning", "torch", "numpy")
    del machine["platform"]  # the kernel's build does not matter here
    variables = {"CNN_PAIR_ROWS": str(options.rows), "TF_CPP_MIN_LOG_LEVEL": "3"}
    bare = {side: run([sys.executable, "-c", code], variables).mb["command"] for side, code in BARE.items()}
    fit = run([sys.executable, "-c", FIT.format(pair=str(PAIR), epochs=options.epochs)], variables)
    levels = {level: check(level, options.epochs, variables) for level in ("quick", "full")}
    result = {"created": f"{datetime.now():%Y-%m-%d}", "environment": machine, "rows": options.rows}
    result |= {"epochs": options.epochs, "load": os.getloadavg()[1]} | summarize(bare, fit, levels)
    write_json(Path(options.output) if options.output else MEASURED, result)
    print(render(result))


def check(level: str, epochs: int, variables: dict) -> Run:
    """Checks the pair at a level.

    Raises:
        UserError: it has no parity: the numbers would be of something else.
    """
    with tempfile.TemporaryDirectory() as folder:
        arguments = [str(PAIR), "--level", level, "--epochs", str(epochs), "--output-dir", f"{folder}/run"]
        return run([sys.executable, "-m", "parity", "check", *arguments], variables)


def run(arguments: list[str], variables: dict) -> Run:
    """Runs a command to its end, and looks at the memory of all it starts.

    Raises:
        UserError: it ended with another exit status than 0; the message ends with its last lines.
    """
    before, started = os.times(), time.monotonic()
    process = subprocess.Popen(
        arguments, env={**os.environ, **variables}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    memory = Memory(process.pid)
    memory.start()
    out, _ = process.communicate()
    seconds, after = time.monotonic() - started, os.times()
    memory.ended.set()
    memory.join()
    if process.returncode != 0:
        last = "\n".join(out.splitlines()[-15:])
        raise UserError(f"{' '.join(arguments[1:4])} ended with exit status {process.returncode}:\n{last}")
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return Run(seconds, used, memory.mb, out)


class Memory(threading.Thread):
    """Looks, again and again, at the most memory that a process and those it started have had.

    Args:
        pid: of the process.

    Attributes:
        mb: of each framework's process, and of the process itself, by name.
        ended: to be set when it has ended.
    """

    def __init__(self, pid: int):
        super().__init__(daemon=True)
        self.pid, self.mb, self.ended = pid, {}, threading.Event()

    def run(self) -> None:
        """Looks until the process has ended."""
        while not self.ended.wait(EVERY):
            for pid in family_of(self.pid):
                name = "command" if pid == self.pid else side_of(pid)
                if name and (mb := peak_of(pid)):
                    self.mb[name] = max(mb, self.mb.get(name, 0.0))


def family_of(pid: int) -> list[int]:
    """Returns a process and all that it has started, directly or not."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:  # it has ended meanwhile
            continue
    family = [pid]
    for member in family:
        family += [child for child, parent in parents.items() if parent == member]
    return family


def side_of(pid: int) -> str | None:
    """Says which framework's process it is; None if it is neither."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except OSError:
        return None
    return next((side for side, module in SIDES.items() if module in words), None)


def peak_of(pid: int) -> float | None:
    """Returns the most memory that a process has had, in MB; None if it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmHWM")), None)


def summarize(bare: dict[str, float], fit: Run, levels: dict[str, Run]) -> dict:
    """Returns the numbers, and what the bars are for."""
    fit_seconds, parameters, data_bytes = json.loads(fit.out.splitlines()[-1])
    data_mb, model_mb = data_bytes / 1e6, parameters * 4 / 1e6
    above = {
        level: {side: one.mb[side] - bare[side] for side in SIDES if side in one.mb} for level, one in levels.items()
    }
    return {
        "parameters": parameters,
        "data_mb": data_mb,
        "model_mb": model_mb,
        "bare_mb": bare,
        "fit": {"seconds": fit_seconds, "mb_above_bare": fit.mb["command"] - bare["keras"]},
        "levels": {
            level: {"seconds": one.seconds, "cpu_seconds": one.cpu_seconds, "mb": one.mb, "mb_above_bare": above[level]}
            for level, one in levels.items()
        },
        "bars": BARS,
        "reached": {
            "quick_seconds": levels["quick"].seconds,
            "full_over_fit": levels["full"].seconds / fit_seconds,
            "data_sets": max(mb - 2 * model_mb for of_level in above.values() for mb in of_level.values()) / data_mb,
        },
    }


def render(result: dict) -> str:
    """Renders the numbers beside their bars."""
    fit, reached = result["fit"], result["reached"]
    lines = [
        f"{result['rows']:,} rows, {result['data_mb']:.0f} MB; {result['parameters']:,} parameters",
        f"Keras's own fit: {fit['seconds']:.1f} s, {fit['mb_above_bare']:.0f} MB above a trivial model",
    ]
    for level, one in result["levels"].items():
        above = ", ".join(f"{side} {mb:.0f} MB" for side, mb in one["mb_above_bare"].items())
        seconds = f"{one['seconds']:.1f} s, {one['cpu_seconds']:.1f} s of processors"
        lines.append(f"{level:5} level: {seconds}; above a trivial model: {above}")
    lines += [
        f"{name}: {reached[name]:.1f}, at most {bar:g}{'' if reached[name] <= bar else ' - not reached'}"
        for name, bar in result["bars"].items()
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
