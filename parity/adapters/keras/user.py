"""The reference of a pair file: a user's own Keras model, trained on a user's own arrays."""

import math
import re
import weakref
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import keras
import numpy as np
from keras import ops
from keras.src.utils.naming import reset_uids

from mlp_spec.runs.folder import Results
from mlp_spec.support.errors import UserError
from parity.adapters.keras import augment, chance, losses, quirks, recurrent, rows, settings, states, tensors, trained
from parity.adapters.keras.callbacks import begin, whole_updates
from parity.adapters.keras.outputs import Outputs
from parity.adapters.keras.random_layers import why_unsilenced
from parity.adapters.keras.record import TRACE, fit_taken
from parity.adapters.keras.reference import Reference
from parity.protocol import inputs, memory
from parity.protocol.answer import Session
from parity.protocol.pair_file import PairFile, check_again
from parity.protocol.task import Task, send
from parity.protocol.tensors import Arrays
from parity.protocol.user_data import SPLITS, describe_arrays

# Times as many runs for the floor where a training is short: each run meets other kinks of ReLU and pooling, and few.
MORE_RUNS, SHORT_STEPS = 3, 2_000
KERAS_BATCH_SIZE = 32  # of `fit`, where nothing else is said
FLOAT64_UNITS = 64  # the root of some 4,000 terms
FIT = (
    "batch_size", "epochs", "verbose", "shuffle", "validation_split", "validation_batch_size", "class_weight",
    "sample_weight", "callbacks",
)  # fmt: skip


class UserReference(Reference):
    """The reference's side of the ladder, of a pair file; see `Reference`.

    Layers that drop or add by chance are set to do nothing, on both sides, while single batches are compared; what they
    were set to is kept as `rates`. In the training they drop, and the candidate is given the masks (`random_layers`);
    where that cannot be done, `silent` says why, and they do nothing there either.
    """

    own_rate = None  # of the optimizer, where a LearningRateScheduler sets another one in the first epoch
    resetting = ()  # callbacks of keras_fit() that take part in the training: they reset states of stateful layers
    given = None  # what keras_model() returned, where it was trained before: copies of it are compared

    def __init__(self, task: Task):
        from keras_reference import backend

        Session.__init__(self, task)
        self.device = backend.start(task.accelerator, task.pair.experiment.training.precision, task.backend)
        self.file = self.open_file()
        self.fit_options = self.file.options("keras_fit", FIT)
        self.rows = rows.read(self.file.call("keras_data"), self.fit_options, self.file.where("keras_data"))
        self.arrays = self.rows.arrays
        self.pair = replace(task.pair, experiment=self.settings())
        self.models, self.rates, self.shapes, self.classes = weakref.WeakSet(), [], [], 0
        self.first = self.build()
        self.untrained = "" if self.first.compiled else f"{self.file.title('keras_model')} is not compiled"
        tensors.check_optimizer(self.first, self.file.where("keras_model"))
        self.stateful = recurrent.describe(self)
        self.eval_batch = self.stateful.rows if self.stateful else self.eval_batch
        self.build()  # another one: what cannot be built again is told now
        self.check_batch()
        self.table = tensors.table_of(self.first, self.file.constant("WEIGHTS") or {})
        self.start = tensors.read_weights(self.first, self.table)
        plan = inputs.Plan.of(self.experiment, task.level, len(self.arrays.x_train))
        # fewer steps cannot be judged: small data sets are trained on for longer
        epochs = math.ceil(inputs.QUICK_STEPS / plan.steps(self.batch_size))
        self.plan = recurrent.planned(whole_updates(replace(plan, epochs=max(plan.epochs, epochs)), self), self)
        self.states, self.free_run, self.source = [], None, "keras_data()"
        one = self.packed(self.arrays.x_train[: states.fixed_rows(self.first) or 1])
        steps = self.plan.epochs * self.plan.steps(self.batch_size)
        self.random_layers, self.silent = chance.describe(self.first, one, self.rates, self.batch_size, steps)
        self.rows = self.rows.kept_in_files(task.output_dir)
        self.arrays = self.rows.arrays
        send("start", device=self.device, dataset=self.experiment.data.dataset, epochs=self.plan.epochs)

    def open_file(self) -> PairFile:
        """Runs the pair file."""
        return PairFile(self.pair.file)

    def settings(self):
        """Returns how much is trained: by the flags, else as the file says, else as Keras does."""
        asked, fit = self.experiment, self.fit_options
        said = {
            "epochs": asked.said.get("epochs") or self.file.constant("EPOCHS") or fit.get("epochs", 1),
            "batch_size": self.file.constant("BATCH_SIZE")
            or fit.get("batch_size")
            or self.rows.batch_size
            or KERAS_BATCH_SIZE,
        }
        return replace(asked, training=replace(asked.training, **said))

    def build(self, seed: int | None = None):
        """Has the file build its model.

        Raises:
            UserError: it returned no model, another one than before, or the same one again, and that cannot be built
                from its configuration.
        """
        keras.utils.set_random_seed(self.seed if seed is None else seed)
        reset_uids()  # so that layers without a name have the same in every model, and the metrics of outputs, too
        model = self.given or self.file.call("keras_model")
        what = f"{self.file.where('keras_model')} returned"
        if not isinstance(model, keras.Model):
            raise UserError(f"{what} {type(model).__name__}; it must return a keras.Model, compiled if it is trained")
        if model in self.models:
            chance.restore(model, self.rates)
            again, _ = rebuilt(model, what), chance.silence(model)
            model = again
        elif model is self.given or trained.steps_of(model):
            self.given, model = trained.untrained(model, self.given is None, lambda: rebuilt(model, what))
        if not all(layer.built for layer in model._flatten_layers()):  # after build() alone, those inside may not be
            model(self.packed(self.arrays.x_train[: self.batch_size if states.stateful_layers(model) else 1]))
        shapes = [(variable.path, tuple(variable.shape)) for variable in model.weights]
        self.shapes = self.shapes or shapes
        check_again(what, self.shapes, shapes)
        self.models.add(model)
        begin(model, self)
        self.rates = chance.silence(model)
        augment.silence(model)
        return model

    def recorded(self, execution_steps: int, cut: bool = False):
        """Builds a model whose batch losses are kept; its random layers draw from the same states in every one."""
        if recurrent.looks_within_epochs(self):
            execution_steps = 1
        model = super().recorded(execution_steps, cut)
        if self.random_layers:
            chance.restore(model, self.rates)
            for seed, first in zip(chance.seeds_of(model), chance.seeds_of(self.first), strict=True):
                seed.assign(first)
        return model

    def read_state(self, model) -> list[np.ndarray]:
        """Copies the optimizer's variables and the states that masks are functions of."""
        return super().read_state(model) + [ops.convert_to_numpy(seed).copy() for seed in chance.seeds_of(model)]

    def load_state(self, model, state: list[np.ndarray]) -> None:
        """Puts both back."""
        count = len(model.optimizer.variables)
        super().load_state(model, state[:count])
        for seed, value in zip(chance.seeds_of(model), state[count:], strict=True):
            seed.assign(value)

    def variants(self) -> list[inputs.Variant]:
        """Returns the runs that measure a training's noise floor.

        Rows that change places would get others' masks, or states.
        """
        if self.task.exact or self.task.away > 1:
            return super().variants()
        is_short = self.plan.epochs * self.plan.steps(self.batch_size) <= SHORT_STEPS
        kinds, stay = inputs.VARIANTS * (MORE_RUNS if is_short else 1), bool(self.random_layers or self.stateful)
        return [inputs.Variant("nudged" if stay else kind, number) for number, kind in enumerate(kinds)]

    def case_variants(self) -> list[inputs.Variant]:
        """Returns the runs that measure the noise floor of single batches.

        Some roundings are steps that one run in many takes: variances as a difference of two means, in XLA.
        """
        return [inputs.Variant(kind, number) for number, kind in enumerate(inputs.VARIANTS * MORE_RUNS)]

    def release(self) -> None:
        """Gives memory back that was needed for a part, or an epoch, alone."""
        memory.release()
        self.forget_rows()

    def forget_rows(self) -> None:
        """Lets go of what has been read of the rows' files."""
        for array in vars(self.arrays).values():
            memory.forget_pages(array)

    def after_training(self) -> None:
        """Leaves the masks of the free run."""
        if self.random_layers:
            whole, rest = divmod(self.plan.samples, self.batch_size)
            rows = [self.batch_size] * whole + [rest] * bool(rest)
            count = len(self.model.optimizer.variables)
            model, states = self.recorded(1), [state[count:] for state in self.states]
            chance.write_masks(model, self.random_layers, states, rows, self.task.output_dir)

    def check_batch(self) -> None:
        """Checks that the data fit the model: some rows go through, and labels are classes.

        Raises:
            UserError: the rows are of another shape, the model's output is not a number, or a label is no class.
        """
        model, data = self.file.where("keras_model"), self.file.where("keras_data")
        rows = states.fixed_rows(self.first) or 2
        try:
            output = self.first.predict(self.packed(self.arrays.x_train[:rows]), batch_size=rows, verbose=0)
        except ValueError as error:
            if "incompatible with the layer" not in str(error):
                raise
            raise UserError(f"{data}: the rows do not fit the model: {first_line(error)}") from error
        self.outputs = Outputs.of(self.first, output, model)
        self.classes = self.outputs.check_labels(output, (self.arrays.y_train, self.arrays.y_test), data)

    def describe_data(self) -> dict[str, dict]:
        """Describes both splits."""
        more = {"random": self.rows.random, "augments": augment.names_of(self.first)}
        described = {
            split: describe_arrays(getattr(self.arrays, x), getattr(self.arrays, y)) | more
            for split, (x, y) in SPLITS.items()
        }
        # of a data set that `fit` takes as it comes, its own order is not known
        shuffles = None if self.rows.in_order else bool(self.fit_options.get("shuffle", True))
        return described | {"train": described["train"] | {"shuffles": shuffles}}

    def said(self) -> dict:
        """Returns which logged metric is which, and which checks do not decide."""
        return {
            "metrics": self.file.constant("METRICS") or {},
            "accept": list(self.file.constant("ACCEPT") or []),
            "random_layers": self.random_layers,
            "silent": self.silent,
            "kinds": [chance.kind_of(layer) for layer in chance.random_layers(self.first)],
            "unsilenced": why_unsilenced(self),
            "outputs": self.outputs.names,
            "clipped": self.outputs.clipped(self.task.backend),
            "quirks": quirks.find(self.first, self.task.backend, self.experiment.training.precision),
            "classes": self.classes,
            "settings": settings.of_layers(self.first),
            "optimizer": settings.of_optimizer(self.first),
            "loss": losses.describe(self.first, self.outputs.losses, self.table, self.fit_options.get("class_weight")),
            "stateful": self.stateful,
        }

    def describe_layers(self) -> list:
        """Describes nothing: its tensors say what a model of any kind is made of."""
        return []

    def case_batch(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns the rows that the cases are made of: inputs and targets."""
        rows = np.arange(states.fixed_rows(self.first) or inputs.CASE_BATCH) % len(self.arrays.x_train)
        return self.arrays.x_train[rows], self.arrays.y_train[rows]

    def targets(self, labels: np.ndarray) -> np.ndarray:
        """Returns targets as `fit` takes them."""
        return labels

    def packed(self, images: np.ndarray):
        """Returns inputs as the model takes them: an array, a dictionary or a tuple."""
        return self.rows.pack(images)

    def rows_for_fit(self, images: np.ndarray, labels: np.ndarray) -> dict:
        """Returns what `fit` is given of some rows: inputs, targets, and what they weigh."""
        given = {"x": self.packed(images), "y": self.rows.pack_targets(labels)}
        given["sample_weight"] = self.rows.pack_weights(labels)
        return given | {"class_weight": self.fit_options.get("class_weight")}

    def rows_of_epoch(self, arrays, order: np.ndarray) -> dict:
        """Returns what `fit` is given of an epoch's rows: copies, while nothing of their files is kept."""
        given = self.rows_for_fit(arrays.x_train[order], arrays.y_train[order])
        self.forget_rows()
        return given

    def fit(
        self,
        model,
        results: Results,
        epochs: int,
        arrays=None,
        order: Callable[[int], np.ndarray] | None = None,
        before_epoch: Callable[[int], None] = lambda epoch: None,
        after_epoch: Callable[[Results], None] = lambda results: None,
        **options,
    ) -> None:
        """Trains up to a number of epochs, one `fit` call an epoch, as the lab's `fit` does.

        Args:
            model, results, epochs: what is trained, what is finished, and up to where.
            arrays: the data, unless the user's whole rows; given for batch losses alone, so that nothing is validated.
            order: from an epoch to its rows.
            before_epoch, after_epoch: called with the epoch's number, and with the results so far.
            options: further keyword arguments of Keras's `fit`.
        """  # fmt: skip
        from keras_reference.callbacks import EpochTimer

        timer, size, validation = EpochTimer(), self.batch_size, None
        callbacks = [timer, *recurrent.callbacks_for(self, model)]
        if arrays is None:
            arrays, given = self.arrays, self.rows_for_fit(self.arrays.x_test, self.arrays.y_test)
            validation = tuple(given[name] for name in ("x", "y", "sample_weight") if given[name] is not None)
        for epoch in range(len(results.epoch_seconds), epochs):
            before_epoch(epoch)
            taken = order(epoch)
            with trained.without_averages(model, epoch + 1 < self.plan.epochs):
                history = fit_taken(
                    model,
                    partial(self.rows_of_epoch, arrays, taken),
                    **{"batch_size": size, "initial_epoch": epoch, "epochs": epoch + 1, "shuffle": False, "verbose": 0},
                    **{"validation_data": validation, "callbacks": callbacks, **options},
                ).history
            curves = {name: values[0] for name, values in history.items() if not name.endswith(TRACE)}
            curves = {name: value for name, value in curves.items() if np.ndim(value) == 0}  # F1Score has one a class
            past = results.history if epoch else {}
            results.history = {name: [*past.get(name, []), float(value)] for name, value in curves.items()}
            results.epoch_seconds.append(timer.seconds)
            after_epoch(results)
            if len(taken) * arrays.x_train[0].nbytes > memory.LARGE:  # a data set of Keras's refers to itself
                self.release()

    def output_of(self, prediction) -> np.ndarray:
        """Returns what the model predicted as it is compared; see `Outputs.joined`."""
        return self.outputs.joined(prediction)

    def varied(self, variant: inputs.Variant, weights: Arrays, seed: int | None = None) -> Arrays:
        """Returns weights as a variant has them: all tensors move, so that layers that see zeros round anew, too."""
        return variant.weights(self.table, weights, self.seed if seed is None else seed, self.units * self.task.away)

    def varied_inputs(self, variant: inputs.Variant, images: np.ndarray) -> np.ndarray:
        """Returns a case's inputs as a variant has them."""
        return variant.inputs(images, self.seed, self.units)

    @property
    def units(self) -> int:
        """By how many units in the last place a nudged run starts away.

        float32 is summed in a wider type, float64 is not: a sum over the rows and places of a batch, one after the
        other, loses the root of their number.
        """
        return 1 if self.experiment.training.precision == "float32" else FLOAT64_UNITS

    def pictures(self) -> dict:
        """Returns what was predicted, for a report's pictures: nothing."""
        return {}


def first_line(error: Exception) -> str:
    """Returns what Keras's own message begins with, without colours."""
    lines = [line.strip() for line in re.sub(r"\x1b\[[0-9;]*m", "", str(error)).splitlines()]
    return next((line for line in lines if line and not line.startswith("Exception encountered")), type(error).__name__)


def only_names(metrics, outputs: int = 1):
    """Returns metrics as they were given to `compile`, nested or not, without those that are no names.

    Args:
        metrics: out of the compiled model's configuration, where an object is a dictionary.
        outputs: of the model; in a list with an entry for each, None stands in the place of what is left out.
    """
    if isinstance(metrics, dict):
        return None if "class_name" in metrics else {key: only_names(value) for key, value in metrics.items()}
    if isinstance(metrics, list | tuple):
        if 1 < outputs == len(metrics):
            return [only_names(value) for value in metrics]
        return [value for value in metrics if isinstance(value, str)]
    return metrics if isinstance(metrics, str) else None


def rebuilt(model, what: str):
    """Builds a model anew from its configuration, drawing its weights, and compiles it as the one that was given.

    Args:
        model: compiled or not.
        what: how it is called in a message.

    Raises:
        UserError: it cannot be built from its configuration.
    """
    try:
        new = keras.models.clone_model(model)
        augment.copy_constants(model, new)
        if not model.compiled:
            return new
        optimizer = type(model.optimizer).from_config(model.optimizer.get_config())
        config = model.get_compile_config() or {}
        metrics = only_names(config.get("metrics"), len(getattr(model, "outputs", None) or [0]))
        given = {"loss_weights": config.get("loss_weights"), "metrics": metrics}
        new.compile(optimizer, model.loss, jit_compile=model.jit_compile, run_eagerly=model.run_eagerly, **given)
    except Exception as error:  # a user's own class may fail in any way
        why = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        must = "build a new one each time; from its configuration it cannot be built"
        raise UserError(f"{what} the same model again; it must {must} ({why})") from error
    return new
