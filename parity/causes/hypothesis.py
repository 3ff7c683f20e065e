"""What a search for a cause has to go by, and the hypotheses that it returns."""

from dataclasses import dataclass

import numpy as np

from parity.protocol.records import Facts, Record, Steps
from parity.traps.catalogue import TRAPS


@dataclass(frozen=True)
class Evidence:
    """What a search has to go by."""

    # reference, candidate: the records of the part that failed
    reference: Record
    candidate: Record
    facts: Facts  # the reference's
    lockstep: Steps | None = None  # the reference's free run with its snapshots; None if it was not recorded


@dataclass(frozen=True)
class Hypothesis:
    """A hypothesis that was tested."""

    id: str  # of the trap, in `parity.traps.catalogue`
    title: str  # in words, with the fitted number
    # keras, other: both formulas
    keras: str
    other: str
    explained: float  # how much of the gap it explains, at most 1

    @classmethod
    def of(cls, id: str, title: str, explained: float, keras: str = "", other: str = "") -> "Hypothesis":
        """Returns a hypothesis with the catalogue's formulas, but for one that holds a number of this case."""
        trap = TRAPS[id]
        return cls(id, title, keras or trap.keras, other or trap.port, explained)

    def to_dict(self) -> dict:
        """Returns the cause as `report.json` holds it."""
        formulas = {"Keras": self.keras, "candidate": self.other}
        return {"id": self.id, "title": self.title, "formulas": formulas, "explained": round(self.explained, 6)}


def share_explained(candidate: np.ndarray, reference: np.ndarray, predicted: np.ndarray) -> float:
    """Returns the part of the gap that a prediction explains; not a number explains nothing."""
    gap = float(np.linalg.norm(candidate - reference))
    rest = float(np.linalg.norm(candidate - predicted))
    return 1 - rest / gap if np.isfinite(gap) and gap > 0 and np.isfinite(rest) else 0.0
