"""What Keras's callbacks are: what each decides, the metric that it looks at, its numbers."""

import keras
from keras import callbacks as kinds
from keras import ops

from mlp_spec.support.errors import UserError
from parity.protocol.callbacks import FILES, OTHER, PLATEAU, RATE, SILENT, STOP, WEIGHTS, Callback

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


def role_of(callback: keras.callbacks.Callback) -> str:
    """Returns what a callback decides; of a class of one's own, what the class that it derives from does."""
    return next((ROLES[kind] for kind in type(callback).__mro__ if kind in ROLES), OTHER)


def has_monitor(callback: keras.callbacks.Callback) -> bool:
    """Says whether a callback looks at a metric; Keras's class of those has no public name."""
    return hasattr(callback, "_set_monitor_op")


def saves_by_batches(callback: keras.callbacks.Callback) -> bool:
    """Says whether a callback saves within epochs."""
    return getattr(callback, "save_freq", "epoch") != "epoch" and role_of(callback) == FILES


def describe_callback(callback: keras.callbacks.Callback, direction: str, logged: list[str]) -> Callback:
    """Describes a callback.

    Args:
        callback: of `keras_fit()`.
        direction: `min` or `max`, of one that looks at a metric.
        logged: the metrics that `fit` logs.
    """
    role = role_of(callback)
    settings = {name: getattr(callback, name) for name in SETTINGS.get(role, ()) if hasattr(callback, name)}
    if has_monitor(callback):
        settings |= {"mode": direction, "min_delta": abs(float(callback.min_delta))}
        settings["logged"] = callback.monitor in logged
    if isinstance(callback, kinds.EarlyStopping):
        settings["start"] = callback.start_from_epoch
    if isinstance(callback, kinds.ModelCheckpoint):
        settings |= {"threshold": callback.best, "by_batches": saves_by_batches(callback)}
        settings["keeps_all"] = "{" in callback.filepath  # each in a file of its own
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
