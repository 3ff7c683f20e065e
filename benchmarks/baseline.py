"""Holds a change of structure against earlier runs: `python -m benchmarks.baseline record FOLDER`, then `compare`.

`record` runs a fixed set of commands and keeps what each leaves, with its exit status. `compare` takes two such folders
and lists what differs: checks by their ids, statuses, measured numbers to the bit, causes, curves, weights and exit
statuses. Texts, times and versions are left aside: only runs of one machine can be the same to the bit.
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
# name: the command; each gets a data set and a folder
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
# Texts, times and what the machine is.
ASIDE = {
    "candidate", "created", "data_source", "detail", "diagnosis_seconds", "environment", "epoch_seconds", "errors",
    "formulas", "name", "seconds", "started", "startup_seconds", "title", "where",
}  # fmt: skip
RESULTS = ("report.json", "seeds.json", "faults.json", "history.json", "fitting.json", "exit-status.json")


@dataclass(frozen=True)
class BaselineFlags:
    """What to do with which folders."""

    action: Literal["record", "compare"]
    folders: tuple[str, ...]
    """The folder to record in; or the two to compare."""
    dataset: Literal["mnist", "mnist-sample"] = "mnist"
    """What is trained on."""
    data_dir: str | None = None
    """Folder with the four MNIST files; also read from MLP_DATA_DIR."""
    only: tuple[str, ...] = ()
    """Names of runs; all unless given."""


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
        raise UserError(f"--only {' '.join(sorted(unknown))} is unknown; choose of {', '.join(RUNS)}")
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
    """Runs the commands one after the other; each leaves its results and its exit status in a folder of its own."""
    data_dir = flags.ExperimentFlags(dataset=options.dataset, data_dir=options.data_dir).data_folder
    shared = ["--dataset", options.dataset, *(["--data-dir", data_dir] if data_dir else [])]
    for name, arguments in RUNS.items():
        own = folder / name
        if (options.only and name not in options.only) or (own / "exit-status.json").exists():
            continue
        own.mkdir(parents=True, exist_ok=True)
        print(f"{name} ...", flush=True)
        with open(own / "output.txt", "w", encoding="utf-8") as output:
            asked = [sys.executable, "-m", *arguments, *shared, "--output-dir", str(own / "run")]
            status = subprocess.run(asked, stdout=output, stderr=subprocess.STDOUT, check=False).returncode
        write_json(own / "exit-status.json", status)
    return 0


def compare(before: Path, after: Path) -> Iterator[str]:
    """Yields every difference of two recorded folders in words.

    Raises:
        UserError: nothing was recorded in one of them.
    """
    names = [sorted(path.parent.name for path in folder.glob("*/exit-status.json")) for folder in (before, after)]
    if not all(names):
        raise UserError(f"{before} and {after}: nothing was recorded in one of them")
    for name in sorted(set(names[0]) ^ set(names[1])):
        yield f"{name}: recorded in one folder only"
    for name in sorted(set(names[0]) & set(names[1])):
        numbers = [dict(numbers_of(folder / name)) for folder in (before, after)]
        for key in sorted(numbers[0].keys() | numbers[1].keys()):
            one, other = (found.get(key, "missing") for found in numbers)
            if one != other:
                yield f"{name}: {key}: {one!r}, then {other!r}"


def numbers_of(folder: Path) -> Iterator[tuple[str, object]]:
    """Yields what a run is held to, by name: every number of its results, and the checksums of its weights."""
    for path in sorted(folder.rglob("*")):
        place = path.relative_to(folder)
        if path.name in RESULTS:
            yield from leaves(json.loads(path.read_text(encoding="utf-8")), str(place))
        elif path.name.startswith("seed-") and path.suffix == ".json":
            yield from leaves(json.loads(path.read_text(encoding="utf-8"))["history"], str(place))
        elif path.name in ("checkpoint.ckpt", "checkpoint.keras"):
            with zipfile.ZipFile(path) as archive:
                for member in archive.infolist():
                    if "/data/" in member.filename or member.filename.endswith(".h5"):
                        yield f"{place}/{member.filename}", member.CRC


def leaves(value, place: str) -> Iterator[tuple[str, object]]:
    """Yields the plain values in a document by their places; checks stand under their ids, not their numbers."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key not in ASIDE and not (value.get("rung") == "speed" and key == "measured"):
                yield from leaves(item, f"{place}/{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            own = item.get("id", item.get("fault", index)) if isinstance(item, dict) else index
            yield from leaves(item, f"{place}/{own}")
    else:
        yield place, value


if __name__ == "__main__":
    sys.exit(main())
