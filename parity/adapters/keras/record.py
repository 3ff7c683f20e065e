"""Listening to Keras's own `fit`: what a parity run records without changing what is trained."""

import keras
import numpy as np
from keras import ops

from parity.protocol import inputs as trials


class LossTrace(keras.metrics.Metric):
    """Keeps the loss of every batch; `History` has running means of the epoch only.

    A metric's variables are carried through the compiled step by every backend. Its result is not used.

    Args:
        steps: how many batches an epoch has.
    """

    def __init__(self, steps: int):
        super().__init__(name="loss_trace", dtype=keras.config.floatx())
        self.losses = self.add_variable((steps,), "zeros", name="losses")
        self.count = self.add_variable((), "zeros", name="count", dtype="int32")

    def update_state(self, loss):
        """Writes one batch's loss."""
        place = ops.reshape(self.count % self.losses.shape[0], (1, 1))
        self.losses.assign(ops.scatter_update(self.losses, place, ops.reshape(ops.cast(loss, self.dtype), (1,))))
        self.count.assign(self.count + 1)

    def result(self):
        """Returns a number, as Keras asks every metric to."""
        return self.losses[0]

    def reset_state(self):
        """Keeps everything: Keras resets its metrics between training and validation."""


def listen(model, steps: int) -> None:
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


def losses(model) -> np.ndarray:
    """Returns the batch losses of the epoch that a listening model trained last, (steps,)."""
    trace = next(metric for metric in model.metrics if isinstance(metric, LossTrace))
    return ops.convert_to_numpy(trace.losses).copy()


class GradientRecorder(keras.optimizers.Optimizer):
    """Keeps the gradients of the last batch and leaves the weights as they are."""

    def __init__(self):
        super().__init__(learning_rate=1.0, name="gradient_recorder")

    def build(self, variables):
        """Makes room for one gradient a variable."""
        if not self.built:
            super().build(variables)
            self.seen = self.add_optimizer_variables(variables, "gradient")

    def update_step(self, gradient, variable, learning_rate):
        """Writes a variable's gradient down."""
        self.assign(self.seen[self._get_variable_index(variable)], gradient)

    def gradients(self) -> list[np.ndarray]:
        """Returns the last batch's gradients, in the order of the trainable variables."""
        return [ops.convert_to_numpy(value).copy() for value in self.seen]


def replay(model, table: np.ndarray) -> None:
    """Makes a model's optimizer take its gradients from a table, one row a step (`trials.tiled`)."""
    optimizer = model.optimizer
    apply, count = optimizer.apply, len(table)

    def replayed(grads, trainable_variables=None):
        row = ops.take(ops.convert_to_tensor(table), optimizer.iterations % count, axis=0)
        given = []
        for grad in grads:
            places = np.arange(int(np.prod(grad.shape))) % trials.REPLAY_PERIOD
            given.append(ops.reshape(ops.take(row, places), grad.shape))
        return apply(given, trainable_variables)

    optimizer.apply = replayed


class Watch(keras.callbacks.Callback):
    """Calls `see` after every batch, when the model's variables hold what the batch left."""

    def __init__(self, see):
        super().__init__()
        self.see = see

    def on_train_batch_end(self, batch, logs=None):
        """Brings the state home (Keras on JAX keeps it elsewhere) and calls."""
        if hasattr(self.model, "jax_state_sync"):
            self.model.jax_state_sync()
        self.see()


def state(model) -> list[np.ndarray]:
    """Copies the optimizer's variables: step, rate, moments."""
    return [ops.convert_to_numpy(variable).copy() for variable in model.optimizer.variables]


def load_state(model, values: list[np.ndarray]) -> None:
    """Puts the optimizer's variables back."""
    for variable, value in zip(model.optimizer.variables, values, strict=True):
        variable.assign(value)


def moment_variables(model) -> dict:
    """Returns the optimizer's moments, as variables, by canonical names such as `dense_0/kernel/velocity`."""
    found = {}
    for slot, names in {"momentum": ("momentums", "_momentums"), "velocity": ("_velocities",)}.items():
        variables = next((value for name in names if (value := getattr(model.optimizer, name, None))), [])
        for place, variable in enumerate(variables):
            found[f"dense_{place // 2}/{('kernel', 'bias')[place % 2]}/{slot}"] = variable
    return found


def moments(model) -> dict[str, np.ndarray]:
    """Copies the optimizer's moments by canonical names."""
    return {name: ops.convert_to_numpy(variable).copy() for name, variable in moment_variables(model).items()}


def load_moments(model, arrays: dict[str, np.ndarray], step: int) -> None:
    """Fills a built optimizer's moments and its count of updates.

    Raises:
        ValueError: the optimizer keeps other moments; nothing has been changed then.
    """
    variables = moment_variables(model)
    if variables.keys() != arrays.keys():
        raise ValueError(f"the optimizer keeps {', '.join(variables) or 'no moments'}, given are {', '.join(arrays)}")
    for name, variable in variables.items():
        variable.assign(arrays[name])
    model.optimizer.iterations.assign(step)
