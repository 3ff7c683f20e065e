"""What is compared: the reference, the candidate and their data."""

from dataclasses import asdict, dataclass, replace

from mlp_spec.experiment import DataSpec, Experiment
from mlp_spec.optimizers import LIGHTNING_ONLY, Adam


@dataclass(frozen=True)
class Pair:
    """A Keras model and the LightningModule that is to train like it."""

    experiment: Experiment  # what is trained; its data set is the one that was found, see `on`
    dataset: str = "auto"  # `auto`, `mnist` or `mnist-sample`
    data_dir: str | None = None  # folder with MNIST's files, or None
    # a function that returns a compiled Keras model in place of the lab's, as `package.module:name` or `file.py:name`;
    # or None
    reference: str | None = None
    candidate: str | None = None  # what is put in place of our LightningModule, or None
    candidate_datamodule: str | None = None  # what is put in place of our LightningDataModule, or None
    steps_per_execution: int | None = None  # of the candidate's fast path; None on its default path
    compiled: bool = False  # whether the candidate's whole steps are compiled

    def to_dict(self) -> dict:
        """Returns the pair as plain JSON values; `from_dict` is its inverse."""
        return {**asdict(self), "experiment": self.experiment.to_dict()}

    @classmethod
    def from_dict(cls, fields: dict) -> "Pair":
        """Builds a pair from `to_dict`'s value."""
        return cls(**{**fields, "experiment": Experiment.from_dict(fields["experiment"])})

    def for_reference(self) -> "Pair":
        """Returns what Keras is asked: its own Adam where the experiment names an optimizer that Keras lacks."""
        optimizer = self.experiment.training.optimizer
        if optimizer.name not in LIGHTNING_ONLY:
            return self
        training = replace(self.experiment.training, optimizer=Adam(learning_rate=optimizer.learning_rate))
        return replace(self, experiment=replace(self.experiment, training=training))

    def for_candidate(self, reference_experiment: dict) -> "Pair":
        """Returns what the candidate is asked: the experiment as the reference ran it, on the data set it found.

        Args:
            reference_experiment: of the reference's facts, as plain values.
        """
        experiment, asked = Experiment.from_dict(reference_experiment), self.experiment.training.optimizer
        if asked.name in LIGHTNING_ONLY:
            experiment = replace(experiment, training=replace(experiment.training, optimizer=asked))
        return replace(self, experiment=experiment, dataset=experiment.data.dataset)

    def on(self, dataset: str) -> "Pair":
        """Returns the pair with the data set that was found."""
        return replace(self, experiment=replace(self.experiment, data=DataSpec(dataset)))
