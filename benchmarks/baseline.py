"""Compares runs before and after a change: `python -m benchmarks.baseline record FOLDER`, then `compare`.

`record` runs a fixed set of commands and stores the results and exit status of each. `compare` takes two such folders
and lists the differences: checks by their ids, statuses, measured numbers to the bit, causes, curves, weights and exit
statuses. It ignores texts, times and versions. Only runs on the same machine can be the same to the bit.
"""

import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from mlp_spec import flags
from mlp_spec.support import command
from mlp_spec.support.errors import UserError
from mlp_spec.support.files import write_json

FAULTS = "InitScale Over256 SoftmaxTwice TorchAdam MeanOfMeans EpochSchedule".split()
STUDY = "--seeds 3 --epochs 5 --no-compile".split()
# name: the command, to which the data set and the output folder are added
RUNS = {
    "small": ["parity", "--preset", "small"],
    "small-compiled": ["parity", "--preset", "small", "--compile"],
    "small-float64": ["parity", "--preset", "small", "--precision", "float64"],
    "bigger": ["parity", "--preset", "bigger"],
    "bigger-jax": ["parity", "--preset", "bigger", "--keras-backend", "jax"],
    "faults": ["parity", "faults", "--only", *FAULTS],
    "seeds": ["parity", "seeds", "--preset", "small", *STUDY],
    "train-keras": ["keras_reference.train", "--preset", "bigger", "--epochs", "2"],
    "train-lightning": ["lightning_mlp.train", "--preset", "bigger", "--epochs", "2"],
}
# Texts, times and descriptions of the machine.
IGNORED = {
    "candidate", "created", "data_source", "detail", "diagnosis_seconds", "environment", "epoch_seconds", "errors",
    "formulas", "name", "seconds", "started", "startup_seconds", "title", "where",
}  # fmt: skip
RESULTS = ("report.json", "seeds.json", "faults.json", "history.json", "fitting.json", "exit-status.json")


@dataclass(frozen=True)
class BaselineFlags:
    """The action and its folders."""

    action: Literal["record", "compare"]
    folders: tuple[str, ...]
    """The folder to record in, or the two to compare."""
    dataset: Literal["mnist", "mnist-sample"] = "mnist"
    """The data set of all runs."""
    data_dir: str | None = None
    """Folder with the four MNIST files; also read from MLP_DATA_DIR."""
    only: tuple[str, ...] = ()
    """Names of runs; default: all."""


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns 1 if two recorded folders differ."""
    import tyro

    kind = Annotated[BaselineFlags, tyro.conf.PositionalRequiredArgs]
    options = flags.parse(kind, "python -m benchmarks.baseline", "Records runs, or compares recorded ones.", argv)
    return command.run(lambda: baseline(options))


def baseline(options: BaselineFlags) -> int:
    """Records or compares.

    Raises:
        UserError: the number of folders does not fit the action, or a run is unknown.
    """
    if unknown := set(options.only) - set(RUNS):
        raise UserError(f"--only {' '.join(sorted(unknown))} is unknown; choose from {', '.join(RUNS)}")
    expected = 1 if options.action == "record" else 2
    if len(options.folders) != expected:
        raise UserError(f"{options.action} takes {expected} folder(s), got {len(options.folders)}")
    folders = [Path(folder) for folder in options.folders]
    if options.action == "record":
        return record(folders[0], options)
    differences = list(compare(*folders))
    print("\n".join(differences) or "no difference")
    return 1 if differences else 0


def record(folder: Path, options: BaselineFlags) -> int:
    """Runs the commands one after the other, each with a folder for its results and its exit status."""
    data_dir = flags.ExperimentFlags(dataset=options.dataset, data_dir=options.data_dir).data_folder
    shared = ["--dataset", options.dataset, *(["--data-dir", data_dir] if data_dir else [])]
    for name, arguments in RUNS.items():
        run = folder / name
        if (options.only and name not in options.only) or (run / "exit-status.json").exists():
            continue
        run.mkdir(parents=True, exist_ok=True)
        print(f"{name} ...", flush=True)
        with open(run / "output.txt", "w", encoding="utf-8") as output:
            command_line = [sys.executable, "-m", *arguments, *shared, "--output-dir", str(run / "run")]
            status = subprocess.run(command_line, stdout=output, stderr=subprocess.STDOUT, check=False).returncode
        write_json(run / "exit-status.json", status)
    return 0


def compare(before: Path, after: Path) -> Iterator[str]:
    """Yields a line for every difference of two recorded folders.

    Raises:
        UserError: nothing was recorded in one of them.
    """
    names = [sorted(path.parent.name for path in folder.glob("*/exit-status.json")) for folder in (before, after)]
    if not all(names):
        raise UserError(f"{before} and {after}: nothing was recorded in one of them")
    for name in sorted(set(names[0]) ^ set(names[1])):
        yield f"{name}: recorded in one folder only"
    for name in sorted(set(names[0]) & set(names[1])):
        first, second = (dict(read_results(folder / name)) for folder in (before, after))
        for key in sorted(first.keys() | second.keys()):
            value, later = first.get(key, "missing"), second.get(key, "missing")
            if value != later:
                yield f"{name}: {key}: {value!r}, then {later!r}"


def read_results(folder: Path) -> Iterator[tuple[str, object]]:
    """Yields the values of a run to compare, by name: its results, and the checksums of its weights."""
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.name in RESULTS:
            yield from leaves(json.loads(path.read_text(encoding="utf-8")), name)
        elif path.name.startswith("seed-") and path.suffix == ".json":
            yield from leaves(json.loads(path.read_text(encoding="utf-8"))["history"], name)
        elif path.name in ("checkpoint.ckpt", "checkpoint.keras"):
            with zipfile.ZipFile(path) as archive:
                for member in archive.infolist():
                    if "/data/" in member.filename or member.filename.endswith(".h5"):
                        yield f"{name}/{member.filename}", member.CRC


def leaves(value, name: str) -> Iterator[tuple[str, object]]:
    """Yields the plain values in a JSON document by path; a check's path has its id instead of its index."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key not in IGNORED and not (value.get("rung") == "speed" and key == "measured"):
                yield from leaves(item, f"{name}/{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            key = item.get("id", item.get("fault", index)) if isinstance(item, dict) else index
            yield from leaves(item, f"{name}/{key}")
    else:
        yield name, value


if __name__ == "__main__":
    sys.exit(main())
