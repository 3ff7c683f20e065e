"""What a framework's process answers: one typed record a part. Names of arrays stand nowhere else.

Arrays by path are in Keras's layout (`parity.protocol.tensors`). Where only one side records something, the field has
a default. `variants` are the reference's runs that differ in rounding only (`parity.protocol.inputs.Variant`).
"""

from dataclasses import dataclass, field, replace

import numpy as np

from mlp_spec.experiment import Experiment
from parity.protocol.callbacks import Callback
from parity.protocol.inputs import Case, Plan
from parity.protocol.law import RandomCall, RandomLayer, SilentPass
from parity.protocol.layers import Layer
from parity.protocol.recording import BadRecordingError, Recording, from_document, to_document
from parity.protocol.stateful import Stateful
from parity.protocol.tensors import Arrays, Tensor

Curves = dict[str, np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Record:
    """One part's answer."""

    run_id: str = ""  # of the experiment it was recorded for, as is its hash
    experiment_hash: str = ""
    seconds: float = 0.0  # that recording took

    def to_recording(self) -> Recording:
        """Returns arrays and metadata; `from_recording` is its inverse."""
        arrays: Arrays = {}
        return Recording(arrays, {"record": type(self).__name__, "fields": to_document(vars(self), arrays)})

    @classmethod
    def from_recording(cls, recording: Recording):
        """Takes the record out of a recording.

        Raises:
            BadRecordingError: it is another record, or something is missing in it, or too much.
        """
        if recording.metadata.get("record") != cls.__name__:
            raise BadRecordingError(f"the recording holds {recording.metadata.get('record')}, not {cls.__name__}")
        try:
            record = from_document(cls, recording.metadata["fields"], recording.arrays)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BadRecordingError(f"the recording is damaged ({type(error).__name__}: {error})") from error
        if extra := recording.arrays.keys() - record.to_recording().arrays.keys():
            raise BadRecordingError(f"the recording holds unknown arrays: {', '.join(sorted(extra))}")
        return record


@dataclass(frozen=True)
class Quirk:
    """Where the reference's backend trains unlike Keras's others."""

    id: str
    rungs: tuple[str, ...]  # that it can fail
    text: str


@dataclass(frozen=True, kw_only=True)
class Facts(Record):
    """What is trained, on what, with what, from which start."""

    framework: str
    device: str
    level: str
    environment: dict
    experiment: dict  # as plain values
    # of the splits `train` and `test`, see `parity.protocol.answer.fingerprint`; `data_source` is where from
    data: dict[str, dict]
    layers: list[Layer]  # from the input to the output, with `parameters` trainable values
    parameters: int
    tensors: list[Tensor]  # the table, bound on the candidate's side
    start: Arrays  # the common start by path, as it was read back from the model
    backend: str | None = None
    data_source: str = ""
    plan: Plan | None = None
    initializers: dict[str, dict] = field(default_factory=dict)  # of the reference, by path: class and numbers
    # candidate, candidate_datamodule: what stands in place of ours
    candidate: str | None = None
    candidate_datamodule: str | None = None
    rates: list[float] = field(default_factory=list)  # of the layers that drop by chance, which are set to 0
    random_layers: list[RandomLayer] = field(default_factory=list)  # of the reference, whose masks are handed over
    silent: str = ""  # why they are not
    # kinds: of the reference's layers with `rates`; draws: the functions that the candidate draws by in a step, beside
    # those that drop
    kinds: list[str] = field(default_factory=list)
    draws: list[str] = field(default_factory=list)
    unsilenced: str = ""  # what draws by chance in a training step though everything is set to do nothing
    # why nothing is trained: the model is not compiled, the module has no training; the candidate's names both sides'
    untrained: str = ""
    classes: int = 0  # of a pair file's model, whose labels are indices of them; 0 where they are anything else
    # of a pair file's reference. outputs: the names of its model's, where there are several; clipped: those whose loss
    # clips probabilities, see the rung loss; an empty name is the one output
    outputs: list[str] = field(default_factory=list)
    clipped: list[str] = field(default_factory=list)
    quirks: list[Quirk] = field(default_factory=list)  # of the backend of a pair file's reference
    # of a pair file's reference, by layer its class (`class_name`) and its numbers; its optimizer's; and what its loss
    # is made of (`adapters.keras.losses`)
    settings: dict[str, dict] = field(default_factory=dict)
    optimizer: dict = field(default_factory=dict)
    loss: dict = field(default_factory=dict)
    stateful: Stateful | None = None  # what keeps states from batch to batch in a pair file's reference
    kept: list[str] | None = None  # what then changes in a step of the candidate's beside weights; None if unknown
    # metrics, accept: of a pair file, METRICS and ACCEPT
    metrics: dict[str, str] = field(default_factory=dict)
    accept: list[str] = field(default_factory=list)

    def rows_or(self, any_number: int) -> int:
        """Returns how many rows every batch must have; what is given where it may have any number."""
        return self.stateful.rows if self.stateful else any_number


@dataclass(frozen=True, kw_only=True)
class Draws(Record):
    """Weights from the framework's own initialiser, by path: (draws, ...)."""

    weights: Arrays


@dataclass(frozen=True)
class Answer:
    """What a model gives for one case: probabilities (batch, classes), the loss (1,), gradients by path."""

    probabilities: np.ndarray
    loss: np.ndarray
    gradients: Arrays


@dataclass(frozen=True, kw_only=True)
class Cases(Record):
    """The answers to every case; on the reference's side, also the cases themselves."""

    answers: dict[str, Answer]
    cases: dict[str, Case] = field(default_factory=dict)
    variants: list[dict[str, Answer]] = field(default_factory=list)


@dataclass(frozen=True)
class LayerCall:
    """One call of a layer."""

    layer: str  # its path; `parity.protocol.layer_forms.OUTPUT` is the whole model
    # what it gave, (batch, ...) in Keras's layout and before the layer's own activation; None where `why_not`
    output: np.ndarray | None
    input: np.ndarray | None = None  # the reference's, (batch, ...)
    activated: np.ndarray | None = None  # the reference's output behind the layer's own activation, if it has one
    why_not: str = ""  # why the candidate's cannot be compared


@dataclass(frozen=True)
class LayerPasses:
    """Every call of every layer with tensors, in the order of execution, in passes of one batch."""

    evaluation: list[LayerCall]
    training: list[LayerCall]
    # in evaluation mode after `inputs.tracked_batches` in training mode; none where no statistics are tracked
    tracked: list[LayerCall] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class LayerOutputs(Record):
    """What each layer of a pair file's models gives for one batch, the whole model's output behind them."""

    in_place: LayerPasses
    # of the reference: rows of the pass in training mode, and of those in which statistics are tracked
    training_rows: int = 0
    tracked_rows: int = 0
    # the candidate's: each layer alone, given the reference's input; call by call as in place
    alone: LayerPasses | None = None
    variants: list[LayerPasses] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class RandomOutputs(Record):
    """What random layers are given and draw, and what they do to the model's output in training mode."""

    calls: list[RandomCall]  # in the order of execution
    # of some units of the model's output, (rows, units): while nothing is drawn; and while it is, (draws, rows, units),
    # none where two draws are the same
    silent: np.ndarray
    draws: np.ndarray
    unsilenced: bool = False  # whether two passes differ, though everything is set to do nothing
    # rows, times: of the batch, and how often it is repeated while something is drawn; the reference's
    rows: int = 0
    times: int = 0
    variants: list[SilentPass] = field(default_factory=list)
    # the reference's, while layers that augment rows do nothing; None where it has none
    draws_without_augmentation: np.ndarray | None = None


@dataclass(frozen=True, kw_only=True)
class Decisions(Record):
    """What callbacks and schedules decide over the same lists of metrics; epochs count from 1."""

    callbacks: list[Callback]
    stops: np.ndarray  # (lists,) after which epoch the training stops, 0 for never
    weights: np.ndarray  # (lists,) whose epoch's weights the model has then, or in the end
    rates: np.ndarray  # (lists, epochs) learning rates; none where no metric lowers them
    loaded: np.ndarray  # (callbacks that save, lists, epochs) whose epoch is in the file that is loaded, 0 for no file
    kept: np.ndarray  # likewise, whether an epoch's file stays
    step_rates: np.ndarray  # (steps,) learning rates of a whole training; none where none is scheduled
    updates: np.ndarray  # (batches,) of two short epochs: whether weights are updated; none where always
    # of each callback that saves whatever a metric is, (callbacks, batches): whose batch, from 1, is in the file that
    # is loaded after every batch, 0 for no file; and whether a batch's file stays
    saved: np.ndarray = field(default_factory=lambda: np.empty((0, 0), int))
    left: np.ndarray = field(default_factory=lambda: np.empty((0, 0), bool))
    # logged: the metrics at the end of an epoch, none where no callback looks at one; at_steps: those that callbacks
    # look at and that are the last batch's alone
    logged: list[str] = field(default_factory=list)
    at_steps: list[str] = field(default_factory=list)
    accumulation: int = 1  # batches of an update
    lists: Curves = field(default_factory=dict)  # the reference's, by name, (epochs,)
    steps: int = 0  # of an epoch of the reference's training
    epochs: int = 0  # of it


@dataclass(frozen=True, kw_only=True)
class Replay(Record):
    """The weights after every step of an optimizer that is given the same gradients."""

    weights: Arrays  # by path, (steps, values + 1): the first values and the sum, see `parity.protocol.answer.shorten`
    gradients: np.ndarray | None = None  # (steps, period), spread over each tensor by `parity.protocol.inputs.tiled`
    start: Arrays = field(default_factory=dict)  # by path
    variants: list[Arrays] = field(default_factory=list)
    optimizer: dict = field(default_factory=dict)  # the reference's name and numbers
    updates: int = 0  # how often the candidate's optimizer stepped
    optimizers: list[str] = field(default_factory=list)  # the classes of the candidate's


@dataclass(frozen=True, kw_only=True)
class Means(Record):
    """An epoch's means, twice, over uneven batches, while the weights stay as they are."""

    curves: Curves  # by name, (epochs,)
    start: Arrays = field(default_factory=dict)  # weights by path
    variants: list[Curves] = field(default_factory=list)
    # the reference's batches of each epoch, (batches, 4), see `parity.protocol.answer.describe_batch`
    batches: list[np.ndarray] = field(default_factory=list)
    sums: np.ndarray | None = None  # the candidate's of all epochs, (batches, 4)


@dataclass(frozen=True)
class Snapshot:
    """The reference before an epoch: weights by path, the optimizer's moments by slot and path, its updates.

    An optimizer that keeps more is a slot of its name, without arrays.
    """

    weights: Arrays
    moments: dict[str, Arrays]
    step: int


@dataclass(frozen=True, kw_only=True)
class Steps(Record):
    """A training run, step by step."""

    losses: np.ndarray  # of every batch, (steps,)
    curves: Curves  # by name, (epochs,)
    final: Arrays  # the trained weights by path
    epoch_seconds: list[float]  # wall seconds, as of the start-up
    snapshots: list[Snapshot] = field(default_factory=list)  # of every epoch of the reference
    startup_seconds: float = 0.0
    path: dict = field(default_factory=dict)  # how the candidate ran its steps
    counted: Curves = field(default_factory=dict)  # accuracies of the candidate's outputs, whatever it logs


@dataclass(frozen=True)
class Run:
    """A run for the noise floor: batch losses (steps,) and curves; it ends early once it has passed the horizon."""

    losses: np.ndarray
    curves: Curves
    final: Arrays = field(default_factory=dict)  # its last weights by path
    probabilities: np.ndarray | None = None  # of a pair file: what the reference predicts with them, as `Predictions`


@dataclass(frozen=True, kw_only=True)
class Floor(Record):
    """The reference's runs that differ from its free run in rounding only."""

    variants: list[Run]
    horizon_reached: bool


@dataclass(frozen=True, kw_only=True)
class Restarts(Record):
    """Batch losses (steps,) of a run whose every epoch starts from the reference's snapshot."""

    losses: np.ndarray
    variants: list[np.ndarray] = field(default_factory=list)
    epoch_seconds: list[float] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Predictions(Record):
    """Probabilities (N, classes) of the test images under the reference's trained weights."""

    probabilities: np.ndarray  # with the reference's weights
    own_probabilities: np.ndarray | None = None  # with the candidate's own trained weights
    weights: Arrays = field(default_factory=dict)  # the reference's, by path
    # images, labels: (N, 784) uint8 and (N,) int64
    images: np.ndarray | None = None
    labels: np.ndarray | None = None
    variants: list[np.ndarray] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Contents(Record):
    """What a checkpoint holds, in neither framework's form, and what it predicts."""

    experiment: dict  # the model, its optimizer and precision, as plain values; the rest counts only if there is a run
    run: dict | None  # of `mlp_spec.runs.resume.Stamp`, as plain values; None if the checkpoint belongs to none
    tensors: list[Tensor]  # the table
    weights: Arrays  # by path
    source: str  # the file's name
    # of the optimizer, by slot and path; Keras's, in both directions
    moments: dict[str, Arrays] = field(default_factory=dict)
    step: int = 0  # how many updates the optimizer has made
    weights_only: str | None = None  # why there are weights only, None if the run can go on
    # of a pair file: the optimizer's kind (`parity.protocol.moments`), its rate, and why its moments are rounded once
    optimizer: str = ""
    learning_rate: float | None = None
    rounded: str = ""
    # dataset, data_source: of the test images
    dataset: str = ""
    data_source: str = ""
    inputs: Arrays = field(default_factory=dict)  # what was predicted, by what it is
    probabilities: Arrays = field(default_factory=dict)  # of these inputs, (N, classes)
    variants: list[Arrays] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Numbers(Record):
    """What small pieces of code gave, by name."""

    numbers: dict[str, list[float]]


@dataclass(frozen=True)
class Trial:
    """A part that a candidate answered once more with some differences undone, beside those undone throughout."""

    part: str
    undone: tuple[str, ...]  # by their ids


@dataclass(frozen=True, kw_only=True)
class Trials(Record):
    """What was tried on a candidate; the record of each trial lies in a folder of its number."""

    trials: list[Trial]
    changes: dict[str, list[str]]  # by difference, where it is in the candidate and what to write there
    refused: dict[str, str]  # by difference, why it could not be undone


# The parts a framework's process can be asked for, and what it answers.
PARTS: dict[str, type[Record]] = {
    "facts": Facts,
    "initial_weights": Draws,
    "cases": Cases,
    "layers": LayerOutputs,
    "random_layers": RandomOutputs,
    "callbacks": Decisions,
    "optimizer": Replay,
    "metrics": Means,
    "lockstep": Steps,
    "interchange": Predictions,
    "floor": Floor,
    "restarts": Restarts,
    "read": Contents,
    "write": Contents,
    "snippets": Numbers,
    "trials": Trials,
}


def stamped(record: Record, experiment: Experiment | None, seconds: float) -> Record:
    """Returns a record with the experiment it belongs to, if there is one, and the seconds it took."""
    stamp = {} if experiment is None else {"run_id": experiment.run_id, "experiment_hash": experiment.hash}
    return replace(record, **stamp, seconds=seconds)
