"""The experiment: all settings that determine the result of a training run, frozen and validated."""

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise

from mlp_spec import optimizers
from mlp_spec.support.errors import UserError
from mlp_spec.support.values import one_of, whole_number

ACTIVATIONS = ("relu", "sigmoid", "tanh")
PRECISIONS = ("float32", "float64")
DATASETS = ("mnist", "mnist-sample")

# Part of every hash. Raise it when training changes without a field changing (the loss, the initialiser, the scaling
# of pixels), so that older results do not count as the same experiment.
RECIPE = 1


@dataclass(frozen=True)
class ModelSpec:
    """An MLP: hidden layers, then a softmax over `num_classes` classes."""

    hidden_sizes: tuple[int, ...] = (25,)
    activation: str = "sigmoid"
    input_size: int = 784
    num_classes: int = 10

    def __post_init__(self):
        if not self.hidden_sizes:
            raise UserError("--hidden-sizes is empty; give at least one layer, for example --hidden-sizes 100 75 25")
        for size in self.hidden_sizes:
            whole_number("hidden_sizes", size, 1, 65_536)
        one_of("activation", self.activation, ACTIVATIONS)

    @property
    def layer_sizes(self) -> tuple[tuple[int, int], ...]:
        """(inputs, outputs) of every dense layer, the output layer last."""
        sizes = (self.input_size, *self.hidden_sizes, self.num_classes)
        return tuple(pairwise(sizes))


@dataclass(frozen=True)
class TrainingSpec:
    """How the model is trained: cross-entropy, mini-batches, reshuffled in every epoch."""

    optimizer: optimizers.Optimizer = field(default_factory=optimizers.SGD)
    batch_size: int = 32
    epochs: int = 10
    seed: int = 0
    precision: str = "float32"

    def __post_init__(self):
        whole_number("batch_size", self.batch_size, 1, 1_000_000)
        whole_number("epochs", self.epochs, 1, 1_000_000)
        whole_number("seed", self.seed, 0, 2**32 - 1)
        one_of("precision", self.precision, PRECISIONS)


@dataclass(frozen=True)
class DataSpec:
    """The data set: the full MNIST, or the offline sample of 5,000 digits."""

    dataset: str = "mnist"

    def __post_init__(self):
        one_of("dataset", self.dataset, DATASETS)


@dataclass(frozen=True)
class Experiment:
    """A model, its training and its data; two runs of equal experiments repeat each other."""

    model: ModelSpec = field(default_factory=ModelSpec)
    training: TrainingSpec = field(default_factory=TrainingSpec)
    data: DataSpec = field(default_factory=DataSpec)

    def to_dict(self) -> dict:
        """Returns the experiment as plain JSON values; `from_dict` is its inverse."""
        fields = asdict(self)
        fields["model"]["hidden_sizes"] = list(self.model.hidden_sizes)
        fields["training"]["optimizer"] = optimizers.to_dict(self.training.optimizer)
        return fields

    @classmethod
    def from_dict(cls, fields: dict) -> "Experiment":
        """Builds an experiment from `to_dict`'s value.

        Raises:
            UserError: a field is missing, unknown or out of its range.
        """
        try:
            model = ModelSpec(**{**fields["model"], "hidden_sizes": tuple(fields["model"]["hidden_sizes"])})
            training = dict(fields["training"])
            training["optimizer"] = optimizers.make(**training["optimizer"])
            return cls(model, TrainingSpec(**training), DataSpec(**fields["data"]))
        except (KeyError, TypeError) as error:
            raise UserError(f"this is not an experiment ({type(error).__name__}: {error}): {fields!r}") from error

    @property
    def hash(self) -> str:
        """12 hexadecimal digits that identify all settings except the seed."""
        fields = self.to_dict()
        del fields["training"]["seed"]
        text = json.dumps({"recipe": RECIPE, **fields}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def run_id(self) -> str:
        """The experiment's hash and its seed."""
        return f"{self.hash}-seed{self.training.seed}"

    @property
    def name(self) -> str:
        """The preset's name, or a description such as `mlp-64-32-relu-adam`."""
        for name, preset in PRESETS.items():
            if replace(preset, data=self.data).hash == self.hash:
                return name
        sizes = "-".join(str(size) for size in self.model.hidden_sizes)
        return f"mlp-{sizes}-{self.model.activation}-{self.training.optimizer.name}"


PRESETS = {
    "small": Experiment(),
    "bigger": Experiment(
        model=ModelSpec(hidden_sizes=(100, 75, 25), activation="tanh"),
        training=TrainingSpec(optimizer=optimizers.Adam(), epochs=20),
    ),
}


def differences(first: Experiment, second: Experiment) -> list[str]:
    """Lists the fields in which two experiments differ, as `training.epochs: 10, not 20`."""

    def flatten(fields: dict, prefix: str = "") -> dict:
        flat = {}
        for key, value in fields.items():
            flat |= flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
        return flat

    values, other_values = flatten(first.to_dict()), flatten(second.to_dict())
    pairs = {key: (values.get(key, "nothing"), other_values.get(key, "nothing")) for key in values | other_values}
    return [f"{key}: {value}, not {other}" for key, (value, other) in pairs.items() if value != other]
