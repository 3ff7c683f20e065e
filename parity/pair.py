"""What is compared: the reference, the candidate and their data."""

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from mlp_spec.experiment import DataSpec, Experiment, TrainingSpec
from mlp_spec.optimizers import LIGHTNING_ONLY, Adam


@dataclass(frozen=True)
class UserData:
    """The data set of a user's pair: where it comes from, in words."""

    dataset: str = "the pair file's data"


@dataclass(frozen=True)
class Settings:
    """How the models of a user's pair are trained; stands where the lab's own pair has an experiment."""

    name: str  # the pair file's, without its ending; or the targets'
    sha256: str  # of the pair file, or of the targets' files; empty where all parts are the lab's
    training: TrainingSpec = field(default_factory=TrainingSpec)  # its optimizer says nothing: the models have theirs
    said: dict = field(default_factory=dict)  # the numbers of `training` that flags gave
    data: UserData = field(default_factory=UserData)
    # where targets stand in place of some of the lab's parts: what the other parts are, and the flags that targets are
    # called with
    lab: Experiment | None = None
    arguments: dict = field(default_factory=dict)

    def to_dict(self) -> dict:
        """Returns the settings as plain JSON values; `from_dict` is its inverse."""
        fields = asdict(self)
        del fields["training"]["optimizer"]
        lab = {"lab": self.lab.to_dict(), "arguments": self.arguments} if self.lab else {}
        return {
            "pair_file": {"name": self.name, "sha256": self.sha256, "said": self.said},
            **{key: fields[key] for key in ("training", "data")},
            **lab,
        }

    @classmethod
    def from_dict(cls, fields: dict) -> "Settings":
        """Builds settings from `to_dict`'s value."""
        lab = Experiment.from_dict(fields["lab"]) if "lab" in fields else None
        given = fields.get("arguments", {}).items()
        return cls(
            **fields["pair_file"],
            training=TrainingSpec(**fields["training"]),
            data=UserData(**fields["data"]),
            lab=lab,
            arguments={name: tuple(value) if isinstance(value, list) else value for name, value in given},
        )

    @property
    def hash(self) -> str:
        """Identifies file and settings."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()[:12]

    @property
    def run_id(self) -> str:
        """Names the run."""
        return f"{self.name}-s{self.training.seed}-{self.hash}"


def experiment_from(fields: dict) -> "Experiment | Settings":
    """Builds an experiment, or the settings of a user's pair, from its plain values."""
    return (Settings if "pair_file" in fields else Experiment).from_dict(fields)


@dataclass(frozen=True)
class Pair:
    """A Keras model and the LightningModule that is to train like it."""

    # what is trained; its data set is the one that was found, see `on`; of a user's pair, how
    experiment: Experiment | Settings
    dataset: str = "auto"  # `auto`, `mnist` or `mnist-sample`
    data_dir: str | None = None  # folder with MNIST's files, or None
    # what gives the Keras model in place of the lab's, as `package.module:name` or `file.py:name`; or None
    reference: str | None = None
    candidate: str | None = None  # what is put in place of our LightningModule, or None
    candidate_datamodule: str | None = None  # what is put in place of our LightningDataModule, or None
    steps_per_execution: int | None = None  # of the candidate's fast path; None on its default path
    compiled: bool = False  # whether the candidate's whole steps are compiled
    file: str | None = None  # the pair file; None for the lab's pair and what stands in place of its parts
    data: str | None = None  # what gives Keras's arrays in place of the lab's, or None

    def to_dict(self) -> dict:
        """Returns the pair as plain JSON values; `from_dict` is its inverse."""
        return {**asdict(self), "experiment": self.experiment.to_dict()}

    @classmethod
    def from_dict(cls, fields: dict) -> "Pair":
        """Builds a pair from `to_dict`'s value."""
        return cls(**{**fields, "experiment": experiment_from(fields["experiment"])})

    @property
    def is_lab(self) -> bool:
        """Whether the lab's own pair is compared, with parts that have its own signatures; else, a user's."""
        return isinstance(self.experiment, Experiment)

    @property
    def files(self) -> tuple[str, ...]:
        """The user's own files: the pair file, or those of targets."""
        given = (self.reference, self.data, self.candidate, self.candidate_datamodule)
        places = [self.file or "", *(target.rpartition(":")[0] for target in given if target)]
        return tuple(dict.fromkeys(str(Path(place).resolve()) for place in places if place.endswith(".py")))

    def for_reference(self) -> "Pair":
        """Returns what Keras is asked: its own Adam where the experiment names an optimizer that Keras lacks."""
        return replace(self, experiment=for_keras(self.experiment)) if self.is_lab else self

    def for_candidate(self, reference_experiment: dict) -> "Pair":
        """Returns what the candidate is asked: the experiment as the reference ran it, on the data set it found.

        Args:
            reference_experiment: of the reference's facts, as plain values.
        """
        experiment, asked = experiment_from(reference_experiment), self.experiment.training.optimizer
        if asked.name in LIGHTNING_ONLY:
            experiment = replace(experiment, training=replace(experiment.training, optimizer=asked))
        return replace(self, experiment=experiment, dataset=experiment.data.dataset)

    def on(self, dataset: str) -> "Pair":
        """Returns the pair with the data set that was found."""
        return replace(self, experiment=replace(self.experiment, data=DataSpec(dataset)))


def for_keras(experiment: Experiment) -> Experiment:
    """Returns an experiment as Keras can run it: with Keras's Adam in place of PyTorch's own."""
    optimizer = experiment.training.optimizer
    if optimizer.name not in LIGHTNING_ONLY:
        return experiment
    training = replace(experiment.training, optimizer=Adam(learning_rate=optimizer.learning_rate))
    return replace(experiment, training=training)
