"""Reference points: what Keras reached with each of many seeds, so that others can compare without TensorFlow."""

import hashlib
import json
import math
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mlp_spec.experiment import Experiment, differences
from mlp_spec.runs.folder import CURVES
from mlp_spec.support.errors import UserError
from mlp_spec.support.files import write_text
from parity.protocol.seeds import SeedResult, check_curves

SCHEMA = 1
FOLDER = Path(__file__).parent.parent / "reference_points"
DIGITS = 7  # significant digits kept: those that float32 has


@dataclass(frozen=True)
class Record:
    """Recorded reference points."""

    experiment: Experiment  # what was trained; its seed does not count
    created: str  # when
    environment: dict  # versions and machine
    seeds: list[SeedResult]  # the finished trainings; no seed twice


def path_of(against: str, experiment: Experiment, preset: str | None) -> Path:
    """Returns the record's file: a path as it is given, or ours for `recorded`.

    Raises:
        UserError: there is none.
    """
    known = sorted(path.stem for path in FOLDER.glob("*.json"))
    if against != "recorded":
        if not Path(against).is_file():
            raise UserError(
                f"--against {against}: there is no such file; give keras, recorded ({', '.join(known) or 'none yet'}) "
                "or the path of a record"
            )
        return Path(against)
    name = experiment.name if experiment.name in known else preset or "small"
    if name not in known:
        recorded = ", ".join(known) or "nothing"
        raise UserError(f"--against recorded: nothing is recorded for {name}; recorded: {recorded}")
    return FOLDER / f"{name}.json"


def write(path: Path, experiment: Experiment, seeds: list[SeedResult]) -> None:
    """Writes a record, whole or not at all: one line a curve.

    Args:
        path: the file.
        experiment: what was trained.
        seeds: finished trainings.
    """
    rows = [
        {
            "seed": one.seed,
            **{name: [_short(value) for value in one.history[name]] for name in CURVES},
            "final": {name: _short(one.history[name][-1]) for name in CURVES},
            "seconds": round(one.seconds, 2),
            "epoch_seconds": [round(value, 3) for value in one.epoch_seconds],
        }
        for one in seeds
    ]
    fields = {
        "schema": SCHEMA,
        "what": f"{len(rows)} runs of the Keras reference, each from its own initialiser and shuffle",
        "created": datetime.now().astimezone().isoformat(timespec="seconds"),
        "experiment": experiment.to_dict(),
        "experiment_hash": experiment.hash,
        # without the kernel's build, which says nothing here
        "environment": {key: value for key, value in seeds[0].environment.items() if key != "platform"},
        "sha256": digest(rows),
    }
    head = json.dumps(fields, indent=1, allow_nan=False).removesuffix("\n}")
    lines = []
    for row in rows:
        parts = ",\n   ".join(f"{json.dumps(key)}: {json.dumps(value, allow_nan=False)}" for key, value in row.items())
        lines.append(f"  {{{parts}}}")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, head + ',\n "seeds": [\n' + ",\n".join(lines) + "\n ]\n}\n")


def read(path: Path, experiment: Experiment) -> Record:
    """Reads a record of an experiment.

    Raises:
        UserError: the file is damaged, no record, or of another experiment.
    """
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        if fields["schema"] != SCHEMA:
            raise ValueError(f"its schema is {fields['schema']!r}, this version reads {SCHEMA}")
        if digest(fields["seeds"]) != fields["sha256"]:
            raise ValueError("its numbers are not those that were recorded: the SHA-256 differs")
        recorded = Experiment.from_dict(fields["experiment"])
        seeds = []
        for row in fields["seeds"]:
            curves = check_curves(row, recorded.training.epochs)
            seconds, epoch_seconds = float(row["seconds"]), [float(value) for value in row["epoch_seconds"]]
            seeds.append(SeedResult(int(row["seed"]), curves, epoch_seconds, seconds, fields["environment"]))
        if len({one.seed for one in seeds}) != len(seeds):
            raise ValueError("a seed stands there twice")
        if len(seeds) < 3:
            raise ValueError(f"it has {len(seeds)} seeds, and 3 are needed")
        found = Record(recorded, str(fields["created"]), dict(fields["environment"]), seeds)
    except OSError as error:
        raise UserError(f"the record {path} cannot be read ({error.strerror or error})") from error
    except (AttributeError, KeyError, TypeError, ValueError, UserError) as error:
        reason = error if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
        raise UserError(f"{path} is damaged, or no record of reference points ({reason}); record it again") from error
    if fields["experiment_hash"] != experiment.hash or recorded.hash != experiment.hash:
        changed = [line for line in differences(recorded, experiment) if not line.startswith("training.seed:")]
        why = "; ".join(changed) or f"hash {fields['experiment_hash']}, not {experiment.hash}"
        raise UserError(
            f"the record {path} is of another experiment than the one asked for ({why}); ask for the recorded one, "
            "or compare with --against keras"
        )
    return found


def digest(rows: list[dict]) -> str:
    """Returns the SHA-256 over the recorded numbers."""
    return hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()


def _short(value: float) -> float | None:
    return None if math.isnan(value) else float(f"{value:.{DIGITS}g}")
