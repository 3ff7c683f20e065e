"""What the callbacks of `keras_fit()`, the optimizer's schedule and its accumulation decide: Keras's own, simulated."""

import copy
import math
from dataclasses import replace

import keras
import numpy as np
from keras import callbacks as kinds

from mlp_spec.support.errors import UserError
from parity.adapters.keras.callback_kinds import describe_callback, direct, has_monitor, role_of
from parity.adapters.keras.deciding import Lists, rate_of, saved_batches
from parity.adapters.keras.record import TRACE
from parity.adapters.keras.schedules import accumulation_of, describe_schedule, schedule_of, step_rates, updates_of
from parity.protocol import callbacks as protocol
from parity.protocol.callbacks import PLATEAU, RATE
from parity.protocol.inputs import Plan
from parity.protocol.records import Decisions

VALIDATED = 32  # rows, where it is looked which metrics are logged


def given_callbacks(reference) -> list[keras.callbacks.Callback]:
    """Returns the callbacks of `keras_fit()`.

    Raises:
        UserError: one is no callback.
    """
    given = reference.fit_options.get("callbacks") or []
    given = list(given.callbacks) if isinstance(given, kinds.CallbackList) else keras.tree.flatten(given)
    for one in given:
        if not isinstance(one, kinds.Callback):
            where = reference.file.where("keras_fit")
            raise UserError(f"{where}: callbacks holds {type(one).__name__}, which is no keras.callbacks.Callback")
    return given


def whole_updates(plan: Plan, reference) -> Plan:
    """Returns a plan whose epochs end with an update, if the training's do.

    Keras carries gradients over the end of an epoch, and Lightning does not: a quick plan must not end elsewhere than
    the training that it stands for.

    Args:
        plan: how much is trained.
        reference: of a pair file.
    """
    every, size = accumulation_of(getattr(reference.first, "optimizer", None)), reference.batch_size
    if plan.steps(size) % every == 0 or steps_of(reference) % every:
        return plan
    return replace(plan, samples=max(plan.steps(size) // every, 1) * every * size - size // 2)


def steps_of(reference) -> int:
    """Returns how many batches an epoch of the training has."""
    return math.ceil(len(reference.arrays.x_train) / reference.batch_size)


def begin(model, reference) -> None:
    """Gives a model's optimizer the rate that a LearningRateScheduler sets in the first epoch.

    Callbacks have no part in the training in lockstep; a rate that no epoch of the user's has is none to train with.

    Args:
        model: a new one.
        reference: of a pair file; its `own_rate` becomes what the optimizer had before.
    """
    setting = [one for one in given_callbacks(reference) if role_of(one) == RATE]
    if not setting or not model.compiled or schedule_of(model.optimizer):
        return
    if reference.own_rate is None:
        reference.own_rate = rate_of(model.optimizer)
    model.optimizer.learning_rate = reference.own_rate  # a copy of a model that has begun would begin twice
    together = kinds.CallbackList(copy.deepcopy(setting), add_history=False, add_progbar=False, model=model)
    together.on_epoch_begin(0)


def names_logged(reference, given: list) -> list[str]:
    """Returns the metrics that `fit` logs at the end of an epoch, of one batch; none where no callback needs to know.

    Args:
        reference: of a pair file.
        given: callbacks.
    """
    if not any(has_monitor(one) for one in given):
        return []
    arrays, size = reference.arrays, reference.batch_size
    rows = reference.rows_for_fit(arrays.x_train[:size], arrays.y_train[:size])
    checked = reference.rows_for_fit(arrays.x_test[:VALIDATED], arrays.y_test[:VALIDATED])
    checked = tuple(checked[name] for name in ("x", "y", "sample_weight") if checked.get(name) is not None)
    options = {"batch_size": size, "shuffle": False, "verbose": 0, "validation_data": checked}
    history = reference.recorder.fit(**rows, **options).history
    names = [name for name, values in history.items() if np.ndim(values[0]) == 0 and not name.endswith(TRACE)]
    # which callbacks log themselves
    return names + ["learning_rate"] * any(role_of(one) in (RATE, PLATEAU) for one in given)


def describe(reference, given: list, logged: list[str]) -> list[protocol.Callback]:
    """Describes callbacks and the optimizer's schedule.

    Args:
        reference: of a pair file.
        given: its callbacks.
        logged: the metrics that `fit` logs.
    """
    directions = [direct(one, reference.recorder) if has_monitor(one) else "" for one in given]
    described = [describe_callback(one, way, logged) for one, way in zip(given, directions, strict=True)]
    schedule = schedule_of(reference.first.optimizer)
    return described + ([describe_schedule(schedule)] if schedule else [])


def lists_for(described: list[protocol.Callback]) -> dict[str, np.ndarray]:
    """Makes the lists of metrics that callbacks decide over."""
    least = [one.settings["min_delta"] for one in described if one.settings.get("min_delta")]
    longest = max([3, *(one.settings.get("patience") or 0 for one in described)])
    starts = tuple(one.settings.get("start") or 0 for one in described)
    return protocol.metric_lists(protocol.epochs_needed(described), max(least, default=0.0), longest, starts)


def answer_callbacks(reference) -> Decisions:
    """Has callbacks, the schedule and the accumulation decide; builds nothing where there are none."""
    given, optimizer = given_callbacks(reference), reference.first.optimizer
    steps, epochs = steps_of(reference), reference.experiment.training.epochs
    every, first_rate = accumulation_of(optimizer), rate_of(optimizer)
    if reference.own_rate is not None:
        optimizer.learning_rate = reference.own_rate
    logged = names_logged(reference, given)
    described = describe(reference, given, logged)
    lists = lists_for(described)
    simulated = Lists(given, optimizer, lists, logged)
    stops, weights = simulated.stops()
    loaded, kept = simulated.files()
    rates, trained = simulated.rates(), reference.plan.epochs * reference.plan.steps(reference.batch_size)
    of_steps = step_rates(simulated.roles[RATE], optimizer, epochs, steps, trained)
    count = protocol.batches_of_saving(described, epochs, steps)
    saving = [one for one, said in zip(given, described, strict=False) if said.saves_any]
    together = getattr(reference.first, "steps_per_execution", 1)
    saved, left = saved_batches(saving, optimizer, count, steps, together, logged)
    if reference.own_rate is not None:
        optimizer.learning_rate = first_rate
    return Decisions(
        callbacks=described,
        stops=stops,
        weights=weights,
        rates=rates,
        loaded=loaded,
        kept=kept,
        saved=saved,
        left=left,
        logged=logged,
        step_rates=of_steps,
        updates=updates_of(every, steps),
        accumulation=every,
        lists=lists,
        steps=steps,
        epochs=epochs,
    )
