"""Records what happens inside Keras's own `fit`, without changing what is trained."""

from collections.abc import Callable

import keras
import numpy as np
from keras import ops

from mlp_spec.support.errors import UserError
from parity.protocol import inputs

TRACE = "loss_trace"


class LossTrace(keras.metrics.Metric):
    """Keeps the loss of every batch; `History` has running means of the epoch only.

    A metric's variables are carried through the compiled step by every backend. Its result is not used.

    Args:
        steps: how many batches an epoch has.
    """

    def __init__(self, steps: int):
        super().__init__(name=TRACE, dtype=keras.config.floatx())
        self.losses = self.add_variable((steps,), "zeros", name="losses")
        self.count = self.add_variable((), "zeros", name="count", dtype="int32")

    def update_state(self, loss):
        """Writes one batch's loss."""
        step = ops.reshape(self.count % self.losses.shape[0], (1, 1))
        self.losses.assign(ops.scatter_update(self.losses, step, ops.reshape(ops.cast(loss, self.dtype), (1,))))
        self.count.assign(self.count + 1)

    def result(self):
        """Returns a number, as Keras asks every metric to."""
        return self.losses[0]

    def reset_state(self):
        """Keeps everything: Keras resets its metrics between training and validation."""


def record_losses(model, steps: int) -> None:
    """Makes a compiled model keep its batch losses; its training stays the same to the bit (tests).

    Args:
        model: a compiled model.
        steps: how many batches an epoch has.
    """
    trace, compute_loss = LossTrace(steps), model.compute_loss

    def traced(x=None, y=None, y_pred=None, sample_weight=None, training=True):
        loss = compute_loss(x, y, y_pred, sample_weight, training)
        if training:
            trace.update_state(loss)
        return loss

    model._metrics.append(trace)  # as if it had been an attribute when the model was made
    model.compute_loss = traced


def recorded_losses(model) -> np.ndarray:
    """Returns the batch losses of the epoch that the model trained last, (steps,); see `record_losses`.

    Raises:
        UserError: the model has not asked `compute_loss` for any.
    """
    # among those that Keras keeps: a model of one's own may say itself what its `metrics` are
    trace = next(metric for metric in model._metrics if isinstance(metric, LossTrace))
    if not int(trace.count):
        raise UserError(
            "the Keras model's own train_step() does not call compute_loss(), so that no batch's loss is known; "
            "write loss = self.compute_loss(y=y, y_pred=y_pred) there, with the loss given to compile()"
        )
    return ops.convert_to_numpy(trace.losses).copy()


def cut_beforehand(model) -> None:
    """Makes `fit` and `predict` cut their arrays into batches beforehand: the same bits, sooner. On TensorFlow only.

    Args:
        model: its `fit` is then called with arrays, nested or not, `batch_size`, and no shuffle; its `predict` with
            inputs alone.
    """
    if keras.backend.backend() != "tensorflow":
        return
    from tensorflow.data import Dataset

    fit, predict = model.fit, model.predict

    def batches(arrays: tuple, size: int) -> Dataset:
        """Cuts arrays, nested or not, into batches."""
        rows = len(keras.tree.flatten(arrays)[0])
        whole = rows // size * size

        def of_all(change: Callable[[np.ndarray], np.ndarray]) -> tuple:
            precise = keras.config.floatx()
            return keras.tree.map_structure(
                lambda a: change(a.astype(precise, copy=False) if a.dtype.kind == "f" else a), arrays
            )

        cut = Dataset.from_tensor_slices(of_all(lambda array: array[:whole].reshape(-1, size, *array.shape[1:])))
        rest = Dataset.from_tensors(of_all(lambda array: array[whole:]))
        return cut.concatenate(rest) if whole < rows else cut

    def cut_rows(
        x, y, batch_size, shuffle, sample_weight=None, validation_data=None, validation_batch_size=None, **options
    ) -> dict:
        """Returns arguments of `fit` with batches that are cut beforehand."""
        if validation_data:
            options["validation_data"] = batches(validation_data, validation_batch_size or batch_size)
        weights = () if sample_weight is None else (sample_weight,)
        return {"x": batches((x, y, *weights), batch_size), "shuffle": shuffle, **options}

    model.fit = lambda *arrays, **options: fit(**cut_rows(*arrays, **options))
    model.fit_taken = lambda take, **options: fit(**cut_rows(**take(), **options))
    model.predict = lambda x, batch_size, **options: predict(batches((x,), batch_size), **options)


def fit_taken(model, take: Callable[[], dict], **options):
    """Fits rows that are taken for it alone; once they are cut into batches (`cut_beforehand`), they are let go.

    Args:
        model: whose `fit` is called.
        take: returns the rows, as arguments of `fit`.
        options: further ones.
    """
    if hasattr(model, "fit_taken"):
        return model.fit_taken(take, **options)
    return model.fit(**take(), **options)


class GradientRecorder(keras.optimizers.Optimizer):
    """Keeps the gradients of the last batch and leaves the weights as they are."""

    def __init__(self):
        super().__init__(learning_rate=1.0, name="gradient_recorder")

    def build(self, variables):
        """Makes room for one gradient a variable."""
        if not self.built:
            super().build(variables)
            self.recorded = self.add_optimizer_variables(variables, "gradient")

    def update_step(self, gradient, variable, learning_rate):
        """Writes a variable's gradient down.

        TensorFlow gives an embedding's as slices, one an occurrence of a word. Assigned as they are, the last
        occurrence of a word would stand for all, and a word that does not occur would keep the gradient before.
        """
        if type(gradient).__name__ == "IndexedSlices":  # torch's tensors have `indices`, too
            from tensorflow import convert_to_tensor

            gradient = convert_to_tensor(gradient)  # sums the occurrences
        self.assign(self.recorded[self._get_variable_index(variable)], gradient)

    def gradients(self) -> list[np.ndarray]:
        """Returns the last batch's gradients, in the order of the trainable variables."""
        return [ops.convert_to_numpy(value).copy() for value in self.recorded]


def replace_gradients(model, gradients: np.ndarray) -> None:
    """Makes a model's optimizer take its gradients from (steps, period), one row a step (`inputs.tiled`)."""
    optimizer = model.optimizer
    apply, count = optimizer.apply, len(gradients)

    def apply_replaced(grads, trainable_variables=None):
        """Applies the row of this step, in place of the gradients."""
        row = ops.take(ops.convert_to_tensor(gradients), optimizer.iterations % count, axis=0)
        replaced = []
        for grad in grads:
            columns = np.arange(int(np.prod(grad.shape))) % inputs.REPLAY_PERIOD
            replaced.append(ops.reshape(ops.take(row, columns), grad.shape))
        return apply(replaced, trainable_variables)

    optimizer.apply = apply_replaced


class AfterBatch(keras.callbacks.Callback):
    """Calls `record` after every batch, when the model's variables hold what the batch left."""

    def __init__(self, record):
        super().__init__()
        self.record = record

    def on_train_batch_end(self, batch, logs=None):
        """Brings the state home (Keras on JAX keeps it elsewhere) and calls."""
        if hasattr(self.model, "jax_state_sync"):
            self.model.jax_state_sync()
        self.record()
