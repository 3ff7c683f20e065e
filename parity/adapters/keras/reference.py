"""The reference of a pair: builds its Keras model, loads its data, trains it by the lab's own `fit`."""

from dataclasses import replace
from functools import cached_property

import numpy as np

from mlp_spec.runs.folder import Results
from mlp_spec.support.errors import UserError
from parity.protocol import inputs
from parity.protocol.answer import Session, fingerprint
from parity.protocol.records import Steps
from parity.protocol.start import initial_weights
from parity.protocol.stateful import Stateful
from parity.protocol.task import Task, send
from parity.protocol.tensors import Arrays

EXECUTION_STEPS = 100  # batches in one call where only the noise floor is measured: the same bits, sooner
FURTHER, FURTHER_RUNS = 100, 9  # numbers of the runs from starts further away, see `parity.ladder.further`


class Reference(Session):
    """The reference's side of the ladder.

    Args:
        task: what is asked; Keras is started as it says.

    Attributes:
        device: `cpu` or `gpu`.
        digits, arrays: the data as it was loaded, and as `fit` takes it.
        first: the first model that was built; it is described, and not trained.
        table: its tensors.
        start: the common start by path.
        plan: how much is trained.
        source: where the data came from.
        rates: of the layers that drop by chance, which are set to 0.
        free_run: what was recorded of the free run, and `states`: the optimizer's variables before each of its epochs.
        stateful: what keeps states from batch to batch; None where nothing does, and batches may be of any size.
        eval_batch: the rows of a batch that is validated or predicted where how batches are cut says nothing.
    """

    stateful: Stateful | None = None
    eval_batch = 1000

    def __init__(self, task: Task):
        from keras_reference import backend

        super().__init__(task)
        self.device = backend.start(task.accelerator, task.pair.experiment.training.precision, task.backend)
        from keras_reference import data
        from parity.adapters.keras import tensors

        self.digits = data.load(task.pair.dataset, task.pair.data_dir)
        self.arrays = data.preprocess(self.digits)
        self.pair = task.pair.on(self.digits.dataset)
        self.first = self.build()
        self.table = tensors.table_of(self.first)
        self.start = initial_weights(self.table, self.seed, self.experiment.training.precision)
        self.plan = inputs.Plan.of(self.experiment, task.level, len(self.arrays.x_train))
        self.states: list[list[np.ndarray]] = []
        self.free_run: Steps | None = None
        self.source, self.rates = self.digits.source, []
        send("start", device=self.device, dataset=self.digits.dataset)

    @property
    def trained(self) -> Steps:
        """What was recorded of the free run.

        Raises:
            UserError: it could not be trained.
        """
        if self.free_run is None:
            raise UserError("the reference's free run (lockstep) could not be trained")
        return self.free_run

    def build(self, seed: int | None = None):
        """Builds the model."""
        from keras_reference import train

        training = replace(self.experiment.training, seed=self.seed if seed is None else seed)
        return train.build(replace(self.experiment, training=training))

    @cached_property
    def model(self):
        """The model that is trained as the lab trains it, with its batch losses kept."""
        return self.recorded(1)

    @cached_property
    def twin(self):
        """The same model for the noise floor: many batches in one call."""
        return self.recorded(EXECUTION_STEPS if self.task.backend != "torch" else 1, cut=True)

    def recorded(self, execution_steps: int, cut: bool = False):
        """Builds a model whose batch losses are kept, if asked with batches that are cut beforehand."""
        from parity.adapters.keras import record

        model = self.build()
        model.optimizer.build(model.trainable_variables)
        record.record_losses(model, self.plan.steps(self.batch_size))
        model.steps_per_execution = min(execution_steps, self.plan.steps(self.batch_size))
        if cut:
            record.cut_beforehand(model)
        return model

    @cached_property
    def recorder(self):
        """The same model and loss, with gradients written down in place of every step."""
        from parity.adapters.keras import record

        model = self.build()
        model.optimizer = record.GradientRecorder()
        model.optimizer.build(model.trainable_variables)
        record.record_losses(model, 1)
        record.cut_beforehand(model)
        return model

    def load(self, model, weights: Arrays, state: list[np.ndarray] | None = None) -> None:
        """Fills a model's weights, and its optimizer's state: the given one, or none at all."""
        from parity.adapters.keras import tensors

        tensors.load_weights(model, self.table, weights)
        if state is None:  # that of an optimizer that has not stepped: the first load comes before
            state = vars(model).setdefault("untrained_state", self.read_state(model))
        self.load_state(model, state)

    def read_state(self, model) -> list[np.ndarray]:
        """Copies what else a training goes on from beside its weights: the optimizer's variables, its step first."""
        from parity.adapters.keras import tensors

        return tensors.read_state(model)

    def load_state(self, model, state: list[np.ndarray]) -> None:
        """Puts it back."""
        from parity.adapters.keras import tensors

        tensors.load_state(model, state)

    def variants(self) -> list[inputs.Variant]:
        """Returns the runs that measure the noise floor of a training.

        Those from starts further away are others: rows that change places differ in rounding alone.
        """
        if self.task.exact:
            return []
        if self.task.away > 1:
            return [inputs.Variant("nudged", FURTHER + number) for number in range(FURTHER_RUNS)]
        return inputs.variants()

    def case_variants(self) -> list[inputs.Variant]:
        """Returns the runs that measure the noise floor of single batches."""
        return inputs.variants()

    def after_training(self) -> None:
        """Leaves what else the candidate is given of the free run: nothing."""

    def describe_data(self) -> dict[str, dict]:
        """Describes the arrays of both splits."""
        arrays, digits = self.arrays, self.digits
        return {
            "train": fingerprint(arrays.x_train, digits.train_labels),
            "test": fingerprint(arrays.x_test, digits.test_labels),
        }

    def said(self) -> dict:
        """Returns what else the user said about the comparison: nothing."""
        return {}

    def describe_layers(self) -> list:
        """Describes the dense layers."""
        from parity.adapters.keras import tensors

        return tensors.describe_layers(self.first)

    def case_batch(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns the images (CASE_BATCH, 784) and labels (CASE_BATCH,) that the cases are made of."""
        images = self.arrays.x_train[: inputs.CASE_BATCH]
        return images, self.digits.train_labels[: len(images)].astype(np.int64)

    def targets(self, labels: np.ndarray) -> np.ndarray:
        """Returns class indices as `fit` takes them."""
        return np.eye(10, dtype=np.float32)[labels]

    def packed(self, images: np.ndarray):
        """Returns inputs as the model takes them."""
        return images

    def rows_for_fit(self, images: np.ndarray, labels: np.ndarray) -> dict:
        """Returns what `fit` is given of some rows."""
        return {"x": images, "y": labels}

    def output_of(self, prediction) -> np.ndarray:
        """Returns what the model predicted as it is compared: probabilities."""
        return np.asarray(prediction)

    def pictures(self) -> dict:
        """Returns what was predicted, to be looked at in reports: test images (N, 784) uint8 and labels (N,)."""
        digits = self.digits
        images = digits.test_images.reshape(len(digits.test_labels), -1)
        return {"labels": digits.test_labels.astype(np.int64), "images": images}

    def order(self, epoch: int) -> np.ndarray:
        """Returns the prescribed order of an epoch."""
        return self.plan.order(self.seed, epoch, len(self.arrays.x_train))

    def order_of(self, variant: inputs.Variant | None, order=None):
        """Returns from the epoch to its rows, the prescribed ones unless given, in the order that a variant has."""
        order = order or self.order
        if variant is None:
            return order
        return lambda epoch: variant.order(order(epoch), self.batch_size, self.seed, epoch)

    def varied(self, variant: inputs.Variant, weights: Arrays, seed: int | None = None) -> Arrays:
        """Returns weights by path as a variant has them."""
        of_all = self.task.away if self.task.away > 1 else 0
        return variant.weights(self.table, weights, self.seed if seed is None else seed, of_all)

    def varied_inputs(self, variant: inputs.Variant, images: np.ndarray) -> np.ndarray:
        """Returns a case's inputs as a variant has them: pixels stay as they are."""
        return images

    def fit(self, model, results: Results, epochs: int, arrays=None, **options) -> None:
        """Trains by the lab's `fit` up to a number of epochs; see `keras_reference.train.fit`."""
        from keras_reference import train

        experiment = replace(self.experiment, training=replace(self.experiment.training, epochs=epochs))
        train.fit(model, arrays or self.arrays, experiment, results, **options)
