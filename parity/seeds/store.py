"""The store of a study: which experiment and candidate it belongs to, and the seeds that are finished."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from mlp_spec.experiment import Experiment, differences
from mlp_spec.support.errors import UserError
from mlp_spec.support.files import write_json
from parity.protocol.seeds import SeedResult, read, stored_seeds
from parity.protocol.task import NAMES

SCHEMA = 1


@dataclass(frozen=True)
class Store:
    """A study's store."""

    path: Path  # its folder
    experiment: Experiment  # what is trained; its seed does not count

    @classmethod
    def open(cls, path: Path, experiment: Experiment, candidate: dict) -> "Store":
        """Opens a study's store, or makes one in a folder that is new or empty.

        Args:
            path: the folder.
            experiment: what is trained.
            candidate: what stands in Lightning's place; see `describe_candidate`.

        Raises:
            UserError: the folder cannot be used, or holds something else than this study.
        """
        mark = path / "study.json"
        study = {"schema": SCHEMA, "experiment": experiment.to_dict(), "candidate": candidate}
        try:
            if not mark.exists():
                if path.exists() and any(path.iterdir()):
                    raise UserError(f"--store {path} is not empty and no store of a study; give another folder")
                path.mkdir(parents=True, exist_ok=True)
                write_json(mark, study)
            stored = json.loads(mark.read_text(encoding="utf-8"))
            theirs = Experiment.from_dict(stored["experiment"])
            schema, their_candidate = stored["schema"], stored["candidate"]
        except OSError as error:
            why = error.strerror or error
            raise UserError(f"--store {path} cannot be used ({why}); give another folder") from error
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"{mark} is damaged ({type(error).__name__}: {error}); give another --store") from error
        changed = [line for line in differences(theirs, experiment) if not line.startswith("training.seed:")]
        if schema != SCHEMA:
            changed.append(f"schema {schema}, not {SCHEMA}")
        if their_candidate != candidate:
            changed.append(f"candidate: {name_candidate(their_candidate)}, not {name_candidate(candidate)}")
        if changed:
            raise UserError(f"--store {path} belongs to another study ({'; '.join(changed)}); give another --store")
        return cls(path, experiment)

    def finished(self, side: str, seeds: list[int]) -> set[int]:
        """Returns which of these seeds have a result."""
        return stored_seeds(self.path, side) & set(seeds)

    def lacks(self, sides: dict[str, list[int]]) -> bool:
        """Says whether any of these seeds, by side, has no result."""
        return any(len(self.finished(side, seeds)) < len(seeds) for side, seeds in sides.items())

    def count(self, sides: dict[str, list[int]]) -> str:
        """Says how many of these seeds, by side, are finished."""
        count = {side: len(self.finished(side, seeds)) for side, seeds in sides.items()}
        return " and ".join(f"{count[side]} of {len(seeds)} seeds of {NAMES[side]}" for side, seeds in sides.items())

    def read(self, side: str, seeds: list[int]) -> list[SeedResult]:
        """Reads the results of seeds, in order.

        Raises:
            UserError: one is missing, damaged or foreign.
        """
        return [read(self.path, side, self.experiment, seed) for seed in seeds]


def describe_candidate(target: str | None, datamodule: str | None, compiled: bool) -> dict:
    """Describes what stands in Lightning's place, with the content of its files.

    A class that is named by its module is known by that name only.
    """
    places = [one.rpartition(":")[0] for one in (target, datamodule) if one]
    content = {place: hashlib.sha256(Path(place).read_bytes()).hexdigest() for place in places if place.endswith(".py")}
    return {"candidate": target, "candidate_datamodule": datamodule, "files": content, "compiled": compiled}


def name_candidate(candidate: dict) -> str:
    """Says what stands in Lightning's place."""
    named = [one for one in (candidate.get("candidate"), candidate.get("candidate_datamodule")) if one]
    files = ", ".join(f"{name} with SHA-256 {sha[:8]}..." for name, sha in candidate.get("files", {}).items())
    steps = "compiled steps" if candidate.get("compiled") else "steps not compiled"
    return f"{' and '.join(named) or 'ours'} ({', '.join(filter(None, (files, steps)))})"
