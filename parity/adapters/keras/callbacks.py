"""What the callbacks of `keras_fit()`, the optimizer's schedule and its accumulation decide: Keras's own, on a carrier.

The callbacks are called as `fit` calls them, with the pair's own optimizer and with recorded metrics. The model that
they stop, save and restore holds one number: the epoch.
"""

import copy
import math
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
from keras import callbacks as kinds
from keras import ops

from mlp_spec.support.errors import UserError
from parity.protocol import callbacks as protocol
from parity.protocol.callbacks import FILES, OTHER, PLATEAU, RATE, SILENT, STOP, WEIGHTS, Callback
from parity.protocol.inputs import Plan
from parity.protocol.records import Decisions

ROLES = {
    kinds.EarlyStopping: STOP, kinds.TerminateOnNaN: STOP, kinds.ReduceLROnPlateau: PLATEAU,
    kinds.LearningRateScheduler: RATE, kinds.ModelCheckpoint: FILES, kinds.SwapEMAWeights: WEIGHTS,
    kinds.History: SILENT, kinds.ProgbarLogger: SILENT, kinds.CSVLogger: SILENT, kinds.TensorBoard: SILENT,
    kinds.RemoteMonitor: SILENT, kinds.BackupAndRestore: SILENT,
}  # fmt: skip
SETTINGS = {
    STOP: ("patience", "baseline", "restore_best_weights"),
    PLATEAU: ("patience", "cooldown", "factor", "min_lr"),
    FILES: ("save_best_only", "save_freq"),
}
SCALARS = 5  # steps at which a schedule that was asked all at once is asked again; JAX compiles some anew each time
MOST_SINGLE = 2_000  # steps of one that must be asked one by one


class Carrier(keras.Model):
    """A model of one weight, the epoch; it notes which epoch's weights it is asked to save in which file.

    Args:
        optimizer: whose learning rate is set.
    """

    def __init__(self, optimizer):
        super().__init__()
        self.epoch, self.optimizer = self.add_weight(shape=(), name="epoch"), optimizer
        self.files: dict[str, int] = {}

    def save(self, filepath, *arguments, **options):
        """Notes the epoch; the file that was written last stands last."""
        self.files.pop(str(filepath), None)
        self.files[str(filepath)] = int(self.epoch)

    save_weights = save


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


def role_of(callback: keras.callbacks.Callback) -> str:
    """Returns what a callback decides; of a class of one's own, what the class that it derives from does."""
    return next((ROLES[kind] for kind in type(callback).__mro__ if kind in ROLES), OTHER)


def has_monitor(callback: keras.callbacks.Callback) -> bool:
    """Says whether a callback looks at a metric; Keras's class of those has no public name."""
    return hasattr(callback, "_set_monitor_op")


def describe_callback(callback: keras.callbacks.Callback, direction: str) -> Callback:
    """Describes a callback.

    Args:
        callback: of `keras_fit()`.
        direction: `min` or `max`, of one that looks at a metric.
    """
    role = role_of(callback)
    settings = {name: getattr(callback, name) for name in SETTINGS.get(role, ()) if hasattr(callback, name)}
    if has_monitor(callback):
        settings |= {"mode": direction, "min_delta": abs(float(callback.min_delta))}
    if isinstance(callback, kinds.EarlyStopping):
        settings["start"] = callback.start_from_epoch
    if isinstance(callback, kinds.ModelCheckpoint):
        settings["threshold"] = callback.best
    if isinstance(callback, kinds.TerminateOnNaN):
        settings["terminates_on_nan"] = True
    plain = {name: value for name, value in settings.items() if isinstance(value, bool | int | float | str | None)}
    monitor = callback.monitor if has_monitor(callback) else ""
    return Callback(type(callback).__name__, role, monitor, plain)


def direct(callback: keras.callbacks.Callback, model: keras.Model) -> str:
    """Has a callback find out, by the pair's own metrics, whether its metric shall fall or rise; returns which.

    Raises:
        UserError: Keras cannot tell.
    """
    if not has_monitor(callback):
        return ""
    callback.set_model(model)
    try:
        callback._set_monitor_op()
    except ValueError as error:
        raise UserError(f"keras_fit(): {' '.join(str(error).split())}") from error
    callback._model = None
    return "min" if callback.monitor_op is ops.less else "max"


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


# ---- over lists of metrics


def simulate(
    callbacks: list, carrier: Carrier, values: np.ndarray, names: set[str], look: Callable[[int], None]
) -> int:
    """Calls callbacks as `fit` does, until they stop it; returns after which epoch they do, 0 for never.

    Args:
        callbacks: new ones.
        carrier: the model.
        values: of every metric, (epochs,).
        names: of the metrics.
        look: called with the number of every epoch, at its end.
    """
    together = kinds.CallbackList(callbacks, add_history=False, add_progbar=False, model=carrier)
    carrier.stop_training, stopped = False, 0
    carrier.files.clear()
    together.on_train_begin()
    for epoch, value in enumerate(map(float, values)):
        together.on_epoch_begin(epoch)
        together.on_train_batch_begin(0)
        carrier.epoch.assign(epoch + 1)
        together.on_train_batch_end(0, {name: value for name in names if not name.startswith("val_")})
        together.on_epoch_end(epoch, dict.fromkeys(names, value))
        look(epoch)
        if carrier.stop_training:
            stopped = epoch + 1
            break
    together.on_train_end()
    return stopped


def redirected(callback: kinds.ModelCheckpoint, folder: str) -> kinds.ModelCheckpoint:
    """Returns a new callback that saves into another folder."""
    callback = copy.deepcopy(callback)
    callback.filepath = str(Path(folder, *[part for part in Path(callback.filepath).parts if part not in ("/", "..")]))
    return callback


class Lists:
    """What callbacks decide over every list.

    Args:
        callbacks: of `keras_fit()`, each with its direction.
        optimizer: the pair's.
        lists: by name, (epochs,).
    """

    def __init__(self, callbacks: list, optimizer, lists: dict[str, np.ndarray]):
        self.carrier, self.lists = Carrier(optimizer), lists
        self.roles = {role: [one for one in callbacks if role_of(one) == role] for role in (STOP, PLATEAU, RATE, FILES)}
        monitors = {one.monitor for one in callbacks if has_monitor(one)}
        self.names = {"loss", "val_loss", *monitors}
        self.shape = len(lists), len(next(iter(lists.values())))

    def run(self, callbacks: list, values: np.ndarray, look: Callable[[int], None] = lambda epoch: None) -> int:
        """Runs copies of callbacks over a list; see `simulate`."""
        return simulate(copy.deepcopy(callbacks), self.carrier, values, self.names, look)

    def stops(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns after which epoch each list stops, and whose epoch's weights the model has then."""
        stops, weights = np.zeros(self.shape[0], int), np.full(self.shape[0], self.shape[1])
        if self.roles[STOP]:
            for number, values in enumerate(self.lists.values()):
                stops[number] = self.run(self.roles[STOP], values)
                weights[number] = int(self.carrier.epoch)
        return stops, weights

    def rates(self) -> np.ndarray:
        """Returns the learning rate of every epoch of every list; none where no callback lowers it by a metric."""
        if not self.roles[PLATEAU]:
            return np.empty((0, 0))
        optimizer, rates = self.carrier.optimizer, np.empty(self.shape)
        start = rate_of(optimizer)
        for number, values in enumerate(self.lists.values()):
            optimizer.learning_rate, following = start, [start]
            self.run(self.roles[RATE] + self.roles[PLATEAU], values, lambda _: following.append(rate_of(optimizer)))  # noqa: B023
            rates[number] = following[:-1]
        optimizer.learning_rate = start
        return rates

    def files(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns of each callback that saves whose weights its last file has after every epoch, and what stays."""
        loaded = np.zeros((len(self.roles[FILES]), *self.shape), int)
        kept = np.zeros(loaded.shape, bool)
        with tempfile.TemporaryDirectory() as folder:
            for place, values in enumerate(self.lists.values()):
                for number, one in enumerate(self.roles[FILES]):

                    def look(epoch: int, number=number, place=place) -> None:
                        loaded[number, place, epoch] = list(self.carrier.files.values() or [0])[-1]

                    self.run([redirected(one, folder)], values, look)
                    kept[number, place, [epoch - 1 for epoch in self.carrier.files.values()]] = True
        return loaded, kept


def rate_of(optimizer) -> float:
    """Returns an optimizer's learning rate."""
    return float(ops.convert_to_numpy(optimizer.learning_rate))


# ---- over the steps of the training


def step_rates(callbacks: list, optimizer, epochs: int, steps: int) -> np.ndarray:
    """Returns the learning rates of a training's batches, (steps,); none where none is scheduled.

    Args:
        callbacks: those of a `RATE`.
        optimizer: the pair's.
        epochs, steps: of the training, and of an epoch of it.
    """  # fmt: skip
    count = min(epochs * steps, protocol.MOST_STEPS)
    if schedule := schedule_of(optimizer):
        return rates_of(schedule, count)
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


def answer_callbacks(reference) -> Decisions:
    """Has callbacks, the schedule and the accumulation decide; builds nothing where there are none."""
    given, optimizer = given_callbacks(reference), reference.first.optimizer
    steps, epochs = steps_of(reference), reference.experiment.training.epochs
    every, first_rate = accumulation_of(optimizer), rate_of(optimizer)
    if reference.own_rate is not None:
        optimizer.learning_rate = reference.own_rate
    directions = [direct(one, with_metrics(reference)) for one in given]
    described = [describe_callback(one, way) for one, way in zip(given, directions, strict=True)]
    if schedule := schedule_of(optimizer):
        described.append(describe_schedule(schedule))
    least = [one.settings["min_delta"] for one in described if one.settings.get("min_delta")]
    longest = max([3, *(one.settings.get("patience") or 0 for one in described)])
    lists = protocol.metric_lists(protocol.epochs_needed(described), max(least, default=0.0), longest)
    simulated = Lists([one for one in given if not saves_by_batches(one)], optimizer, lists)
    stops, weights = simulated.stops()
    loaded, kept = simulated.files()
    rates, of_steps = simulated.rates(), step_rates(simulated.roles[RATE], optimizer, epochs, steps)
    if reference.own_rate is not None:
        optimizer.learning_rate = first_rate
    return Decisions(
        callbacks=described,
        stops=stops,
        weights=weights,
        rates=rates,
        loaded=loaded,
        kept=kept,
        step_rates=of_steps,
        updates=updates_of(every, steps),
        accumulation=every,
        lists=lists,
        steps=steps,
        epochs=epochs,
    )


def saves_by_batches(callback: keras.callbacks.Callback) -> bool:
    """Says whether a callback saves within epochs, which is not compared."""
    return getattr(callback, "save_freq", "epoch") != "epoch" and role_of(callback) == FILES


def with_metrics(reference) -> keras.Model:
    """Returns a model of the pair's whose metrics are built."""
    model = reference.recorder
    if model._compile_metrics is not None and not model._compile_metrics.built:
        rows = [array[: reference.batch_size] for array in (reference.arrays.x_train, reference.arrays.y_train)]
        model.fit(**reference.rows_for_fit(*rows), batch_size=len(rows[0]), shuffle=False, verbose=0)
    return model
