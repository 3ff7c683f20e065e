"""Measures on a GPU: ladders of both presets and of two examples, and seconds an epoch: `python -m benchmarks.gpu`.

Keras runs on torch and on JAX, whichever is installed. Writes `benchmarks/gpu.json`; `python -m benchmarks.tables`
writes README's table from it.
"""

import json
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Literal

from benchmarks.contenders.held_example import EXAMPLES, PATHS
from mlp_spec import flags
from mlp_spec.runs import environment
from mlp_spec.support import command
from mlp_spec.support.errors import UserError
from mlp_spec.support.files import write_json
from mlp_spec.support.values import positive_number, whole_number

MEASURED = Path(__file__).parent / "gpu.json"
BACKENDS = ("torch", "jax")
PRESETS = ("small", "bigger")
EXAMPLE_NAMES = ("digits_cnn", "digits_batch_norm")
CLIMBED = (*EXAMPLE_NAMES, "digits_lstm")
TITLES = {"default": "default path", "fast": "fast path, captured", "compiled": "fast path, compiled and captured"}
GRACE = 20.0  # seconds that a command has to end once it was stopped
# The flags of each path of the training command.
TRAINED = {"default": ("--steps-per-execution", "1"), "fast": (), "compiled": ("--compile",)}


@dataclass(frozen=True)
class GPUFlags:
    """What to measure."""

    accelerator: Literal["gpu", "cpu"] = "gpu"
    """'cpu' tries the command where there is no GPU."""
    data_dir: str | None = None
    """Folder with the full MNIST; also read from MLP_DATA_DIR. Default: download it."""
    rounds: int = 2
    """Runs of every path of training."""
    epochs: int = 5
    """Epochs of a run; the first does not count."""
    jobs: int = 4
    """Ladders climbed at once; nothing else runs while epochs are timed."""
    parts: tuple[Literal["ladders", "presets", "examples"], ...] = ("ladders", "presets", "examples")
    timeout: float = 300.0
    """Seconds after which one command is stopped."""
    folder: str | None = None
    """Folder that keeps every ladder's report and records; a temporary one unless given."""
    output: str | None = None
    """File of the results; benchmarks/gpu.json unless given."""


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    options = flags.parse(GPUFlags, "python -m benchmarks.gpu", "Measures on a GPU.", argv)
    return command.run(lambda: measure(options))


def measure(options: GPUFlags) -> None:
    """Measures the parts that are asked for and writes the results; the others stay as they were measured."""
    whole_number("rounds", options.rounds, 1, 100)
    whole_number("epochs", options.epochs, 2, 1000)
    whole_number("jobs", options.jobs, 1, 100)
    positive_number("timeout", options.timeout)
    machine = environment.describe("keras", "jax", "lightning", "torch", "numpy")
    del machine["platform"]  # the kernel's build does not matter here
    where = {"created": f"{datetime.now():%Y-%m-%d}", "environment": machine, "card": card(options.accelerator)}
    where |= {"rounds": options.rounds, "epochs": options.epochs}
    path = Path(options.output) if options.output else MEASURED
    result = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(options.folder or temporary)
        for part, run in (("ladders", climb_all), ("presets", train_presets), ("examples", train_examples)):
            if part in options.parts:
                result[part] = where | {"measured": run(options, folder)}
                write_json(path, result)
    print(f"Written: {path}")


def card(accelerator: str) -> str:
    """Returns the name of the GPU.

    Raises:
        UserError: torch sees none.
    """
    if accelerator == "cpu":
        return "no GPU"
    import torch

    if not torch.cuda.is_available():
        raise UserError("--accelerator gpu: torch sees no CUDA GPU here; --accelerator cpu tries the command")
    return torch.cuda.get_device_name()


def climb_all(options: GPUFlags, folder: Path) -> list[dict]:
    """Climbs every ladder at the quick level; returns what came of each."""
    data = ["--data-dir", options.data_dir] if options.data_dir else []
    pairs = {preset: ["parity", "--preset", preset, "--dataset", "mnist", *data] for preset in PRESETS}
    pairs |= {
        f"{preset}, {path}": [*pairs[preset], *("--steps-per-execution", "100"), *TRAINED[path]]
        for preset in PRESETS
        for path in ("fast", "compiled")
    }
    pairs |= {name: ["parity", "check", str(EXAMPLES / name / "pair_right.py")] for name in CLIMBED}

    def climb(name: str, backend: str) -> dict:
        """Climbs one ladder."""
        output, started = folder / f"{name}-{backend}", time.monotonic()
        given = ["--level", "quick", "--keras-backend", backend, "--accelerator", options.accelerator]
        status, said = run([*pairs[name], *given, "--output-dir", str(output)], options.timeout)
        climbed = {"pair": name, "backend": backend, "seconds": time.monotonic() - started, "status": status}
        report = output / "report.json"
        climbed |= summarize(json.loads(report.read_text())) if report.exists() else {"said": said.splitlines()[-5:]}
        print(f"{name} on {backend}: {climbed.get('verdict', 'no report')}, {climbed['seconds']:.0f} s", flush=True)
        return climbed

    found = [backend for backend in BACKENDS if find_spec(backend)]
    # the fast path's on one backend: what they compare is Lightning's
    ladders = [(name, backend) for backend in found for name in pairs if backend == found[0] or ", " not in name]
    with ThreadPoolExecutor(options.jobs) as pool:
        return list(pool.map(climb, *zip(*ladders, strict=True)))


def summarize(report: dict) -> dict:
    """Returns a ladder's verdict, how many of its checks passed, what failed, and the gap of most noise floors."""
    decided = [check for check in report["checks"] if check["status"] != "info"]
    floors = {check["id"]: check["measured"] / check["noise_floor"] for check in decided if check.get("noise_floor")}
    worst = max(floors, key=floors.get, default=None)
    return {
        "verdict": report["verdict"],
        "devices": report["environment"]["devices"],
        "passed": sum(check["status"] == "pass" for check in decided),
        "decided": len(decided),
        "not_passed": [f"{check['id']}: {check['detail']}" for check in decided if check["status"] != "pass"],
        "floors": floors.get(worst),
        "worst": worst,
        "noise_floors": {check["id"]: check["noise_floor"] for check in decided if check.get("noise_floor")},
    }


def train_presets(options: GPUFlags, folder: Path) -> dict:
    """Trains both presets on every path, in turns; returns seconds an epoch by preset and path."""
    shared = ["--dataset", "mnist", *(["--data-dir", options.data_dir] if options.data_dir else [])]
    shared += ["--accelerator", options.accelerator, "--epochs", str(options.epochs)]

    def train(preset: str, path: str, number: int) -> dict:
        """Trains once."""
        output = folder / f"train-{preset}-{path}-{number}"
        arguments = ["lightning_mlp.train", "--preset", preset, *TRAINED[path], *shared, "--output-dir", str(output)]
        status, said = run(arguments, options.timeout)
        if status != 0:
            return {"said": said.splitlines()[-5:]}
        timing, history = (json.loads((output / f"{name}.json").read_text()) for name in ("timing", "history"))
        return {"epoch_seconds": timing["epoch_seconds"], "val_acc": history["val_acc"][-1]}

    return in_turns(options, PRESETS, TRAINED, train)


def train_examples(options: GPUFlags, folder: Path) -> dict:
    """Trains two examples' right ports on every path, in turns; returns seconds an epoch by example and path."""

    def train(example: str, path: str, number: int) -> dict:
        """Trains once."""
        arguments = ["benchmarks.contenders.held_example", "--example", example, "--path", path]
        arguments += ["--epochs", str(5 * options.epochs), "--accelerator", options.accelerator]  # they are short
        status, said = run(arguments, options.timeout)
        return json.loads(said.splitlines()[-1]) if status == 0 else {"said": said.splitlines()[-5:]}

    return in_turns(options, EXAMPLE_NAMES, PATHS, train)


def in_turns(options: GPUFlags, names, paths, train) -> dict:
    """Trains all paths of all names, round after round; returns the runs and the median of warm epochs of each."""
    result = {name: {path: {"runs": []} for path in paths} for name in names}
    for number in range(options.rounds):
        for name in names:
            for path in paths:
                result[name][path]["runs"].append(train(name, path, number))
                print(f"{name}, {path}: {result[name][path]['runs'][-1]}"[:300], flush=True)
    for by_path in result.values():
        for measured in by_path.values():
            warm = [second for run in measured["runs"] for second in run.get("epoch_seconds", [])[1:]]
            measured["median"] = median(warm) if warm else None
    return result


def run(arguments: list[str], timeout: float) -> tuple[int, str]:
    """Runs a module; returns its exit status, 124 if it was stopped, and what it said."""
    command = [sys.executable, "-m", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        said, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)  # as Ctrl-C: it stops what it has started, too
        try:
            said, _ = process.communicate(timeout=GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            said, _ = process.communicate()
        return 124, said
    return process.returncode, said


def render(measured: dict) -> str:
    """Renders the tables as Markdown."""
    columns, seconds, cards = [], {}, []
    for part in (part for part in ("presets", "examples") if part in measured):
        columns += measured[part]["measured"]
        seconds |= measured[part]["measured"]
        cards += [measured[part]["card"]] * len(measured[part]["measured"])
    lines = [
        "Seconds an epoch (training and validation): the median of all epochs but a run's first, the paths taking "
        "turns; in brackets, how many times as fast as the default path.",
        "",
        f"| | {' | '.join(columns)} |",
        f"|---|{'---:|' * len(columns)}",
        f"| on one | {' | '.join(cards)} |",
        *(f"| {TITLES[path]} | {' | '.join(cell(seconds[name], path) for name in columns)} |" for path in PATHS),
        "",
        *(f"{part.capitalize()}: {described(measured[part])}." for part in measured),
        "",
        "Ladders at the quick level, both sides on the GPU; floors: the gap that is most noise floors, and where.",
        "",
        "| pair | Keras on | verdict | checks passed | floors | at |",
        "|---|---|---|---:|---:|---|",
        *(render_ladder(ladder) for ladder in measured.get("ladders", {"measured": []})["measured"]),
    ]
    return "\n".join(lines)


def described(part: dict) -> str:
    """Returns on what a part was measured."""
    machine = part["environment"]
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    return f"{part['card']}, {machine['processor']}, {machine['cores']} cores, {packages}, {part['created']}"


def cell(by_path: dict, path: str) -> str:
    """Renders the seconds of a path, and how many times as fast as the default one it is."""
    if (measured := by_path[path]["median"]) is None:
        return "-"
    default = by_path["default"]["median"]
    return f"{measured:.3f} ({default / measured:.0f})" if default else f"{measured:.3f}"


def render_ladder(ladder: dict) -> str:
    """Renders the line of a ladder."""
    start = f"| {ladder['pair']} | {ladder['backend']} |"
    if "verdict" not in ladder:
        return f"{start} none: exit status {ladder['status']} | - | - | - |"
    verdict = {"pass": "parity", "fail": "no parity"}.get(ladder["verdict"], "not decided")
    counts = f"{ladder['passed']} of {ladder['decided']}"
    floors, worst = ("-", "-") if ladder["floors"] is None else (f"{ladder['floors']:.1f}", ladder["worst"])
    return f"{start} {verdict} | {counts} | {floors} | {worst} |"


if __name__ == "__main__":
    sys.exit(main())
