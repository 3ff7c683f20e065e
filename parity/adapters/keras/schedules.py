"""The learning rates of a training in Keras, and in which of its batches weights are updated."""

import copy
import math

import keras
import numpy as np
from keras import callbacks as kinds
from keras import ops

from parity.adapters.keras.deciding import Carrier, rate_of
from parity.protocol import callbacks as protocol
from parity.protocol.callbacks import RATE, Callback
from parity.protocol.inputs import REPLAY_STEPS

SCALARS = 5  # steps at which a schedule that was asked all at once is asked again; JAX compiles some anew each time
MOST_SINGLE = 2_000  # steps of one that must be asked one by one


def schedule_of(optimizer) -> keras.optimizers.schedules.LearningRateSchedule | None:
    """Returns an optimizer's schedule; None where its rate is a number."""
    rate = getattr(optimizer, "_learning_rate", None)
    return rate if isinstance(rate, keras.optimizers.schedules.LearningRateSchedule) else None


def describe_schedule(schedule) -> Callback:
    """Describes a schedule of the optimizer's, with its plain numbers."""
    config = {name: value for name, value in schedule.get_config().items() if is_plain(value)}
    return Callback(type(schedule).__name__, RATE, "", {**config, "schedule": True})


def is_plain(value: object) -> bool:
    """Says whether a setting is a number, a word, or numbers."""
    if isinstance(value, list | tuple):
        return all(isinstance(item, int | float) for item in value)
    return isinstance(value, bool | int | float | str)


def accumulation_of(optimizer) -> int:
    """Returns how many batches an optimizer makes an update of."""
    return getattr(optimizer, "gradient_accumulation_steps", None) or 1


def step_rates(callbacks: list, optimizer, epochs: int, steps: int, least: int = 0) -> np.ndarray:
    """Returns the learning rates of a training's batches, (steps,); none where none is scheduled.

    Those of an optimizer's schedule are at least as many as the steps in which gradients are replayed.

    Args:
        callbacks: those of a `RATE`.
        optimizer: the pair's.
        epochs, steps: of the training, and of an epoch of it.
        least: as many steps of an optimizer's schedule at least: a short training is trained for longer.
    """  # fmt: skip
    count = min(epochs * steps, protocol.MOST_STEPS)
    if schedule := schedule_of(optimizer):
        return rates_of(schedule, max(count, REPLAY_STEPS, least))
    if not callbacks:
        return np.empty(0)
    carrier, start, rates = Carrier(optimizer), rate_of(optimizer), []
    together = kinds.CallbackList(copy.deepcopy(callbacks), add_history=False, add_progbar=False, model=carrier)
    for epoch in range(math.ceil(count / steps)):
        together.on_epoch_begin(epoch)
        rates.append(rate_of(optimizer))
        together.on_epoch_end(epoch, {})
    optimizer.learning_rate = start
    return np.repeat(np.array(rates, np.float64), steps)[:count]


def rates_of(schedule, count: int) -> np.ndarray:
    """Returns a schedule's rates of the first steps: asked all at once where that gives what single questions do."""
    some = np.unique(np.linspace(0, count - 1, min(count, SCALARS)).astype(int))
    single = np.array([rate_at(schedule, step) for step in some])
    try:
        rates = ops.convert_to_numpy(ops.vectorized_map(schedule, ops.arange(count, dtype="int32"))).astype(np.float64)
        if rates.shape == (count,) and np.allclose(rates[some], single, rtol=1e-5, atol=0):
            return rates
    except Exception:  # a schedule of one's own may be written for one step at a time
        pass
    return np.array([rate_at(schedule, step) for step in range(min(count, MOST_SINGLE))])


def rate_at(schedule, step: int) -> float:
    """Returns a schedule's rate at a step, as the optimizer asks for it."""
    return float(ops.convert_to_numpy(schedule(ops.convert_to_tensor(step, dtype="int32"))))


def updates_of(every: int, steps: int) -> np.ndarray:
    """Returns in which batches of two short epochs Keras updates weights; none where in all.

    Args:
        every: the batches of an update.
        steps: of an epoch of the training.
    """
    if every == 1:
        return np.empty(0, bool)
    optimizer, variable = keras.optimizers.SGD(1.0, gradient_accumulation_steps=every), keras.Variable(0.0)
    optimizer.build([variable])
    values = [0.0]
    for _ in range(protocol.ACCUMULATED_EPOCHS * protocol.batches_of_accumulation(steps, every)):
        optimizer.apply([ops.ones(())], [variable])
        values.append(float(variable))
    return np.diff(values) != 0
