"""The store of a study: which experiment and candidate it belongs to, and the seeds that are finished."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from mlp_spec.experiment import Experiment, differences
from mlp_spec.support.errors import UserError
from mlp_spec.support.files import write_json
from parity.protocol import seeds as study

SCHEMA = 1


@dataclass(frozen=True)
class Store:
    """A study's store.

    Attributes:
        path: its folder.
        experiment: what is trained; its seed does not count.
    """

    path: Path
    experiment: Experiment

    @classmethod
    def open(cls, path: Path, experiment: Experiment, candidate: dict) -> "Store":
        """Opens a study's store, or makes one in a folder that is new or empty.

        Args:
            path: the folder.
            experiment: what is trained.
            candidate: what stands in Lightning's place; see `described`.

        Raises:
            UserError: the folder cannot be used, or holds something else than this study.
        """
        mark = path / "study.json"
        asked = {"schema": SCHEMA, "experiment": experiment.to_dict(), "candidate": candidate}
        try:
            if not mark.exists():
                if path.exists() and any(path.iterdir()):
                    raise UserError(f"--store {path} is not empty and no store of a study; give another folder")
                path.mkdir(parents=True, exist_ok=True)
                write_json(mark, asked)
            found = json.loads(mark.read_text(encoding="utf-8"))
            theirs = Experiment.from_dict(found["experiment"])
            schema, their_candidate = found["schema"], found["candidate"]
        except OSError as error:
            raise UserError(
                f"--store {path} cannot be used ({error.strerror or error}); give another folder"
            ) from error
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"{mark} is damaged ({type(error).__name__}: {error}); give another --store") from error
        changed = [line for line in differences(theirs, experiment) if not line.startswith("training.seed:")]
        if schema != SCHEMA:
            changed.append(f"schema {schema}, not {SCHEMA}")
        if their_candidate != candidate:
            changed.append(f"candidate: {told(their_candidate)}, not {told(candidate)}")
        if changed:
            raise UserError(f"--store {path} belongs to another study ({'; '.join(changed)}); give another --store")
        return cls(path, experiment)

    def finished(self, side: str, seeds: list[int]) -> set[int]:
        """Returns which of these seeds have a result."""
        return study.stored_seeds(self.path, side) & set(seeds)

    def read(self, side: str, seeds: list[int]) -> list[study.SeedResult]:
        """Reads the results of seeds, in order.

        Raises:
            UserError: one is missing, damaged or foreign.
        """
        return [study.read(self.path, side, self.experiment, seed) for seed in seeds]


def described(target: str | None, datamodule: str | None, compiled: bool) -> dict:
    """Describes what stands in Lightning's place, with the content of its files.

    A class that is named by its module is known by that name only.
    """
    places = [one.rpartition(":")[0] for one in (target, datamodule) if one]
    content = {place: hashlib.sha256(Path(place).read_bytes()).hexdigest() for place in places if place.endswith(".py")}
    return {"candidate": target, "candidate_datamodule": datamodule, "files": content, "compiled": compiled}


def told(candidate: dict) -> str:
    """Says what stands in Lightning's place."""
    named = [one for one in (candidate.get("candidate"), candidate.get("candidate_datamodule")) if one]
    files = ", ".join(f"{name} with SHA-256 {sha[:8]}..." for name, sha in candidate.get("files", {}).items())
    steps = "compiled steps" if candidate.get("compiled") else "steps not compiled"
    return f"{' and '.join(named) or 'ours'} ({', '.join(filter(None, (files, steps)))})"
