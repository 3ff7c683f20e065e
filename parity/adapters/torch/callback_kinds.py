"""What Lightning's callbacks are: what each decides, the metric that it looks at, its numbers."""

from parity.protocol.callbacks import FILES, OTHER, SILENT, STOP, UPDATES, WEIGHTS, Callback

ROLES = {
    "EarlyStopping": STOP, "ModelCheckpoint": FILES, "GradientAccumulationScheduler": UPDATES,
    **dict.fromkeys((
        "StochasticWeightAveraging", "WeightAveraging", "EMAWeightAveraging", "BaseFinetuning", "ModelPruning",
        "LearningRateFinder", "BatchSizeFinder",
    ), WEIGHTS),
    **dict.fromkeys((
        "ProgressBar", "ModelSummary", "LearningRateMonitor", "DeviceStatsMonitor", "ThroughputMonitor",
        "BasePredictionWriter", "OnExceptionCheckpoint",
    ), SILENT),
}  # fmt: skip
SETTINGS = {
    STOP: ("patience", "mode", "strict", "check_finite", "stopping_threshold", "divergence_threshold"),
    FILES: ("mode", "save_top_k", "save_last"),
}


def role_of(callback) -> str:
    """Returns what a callback decides; of a class of one's own, what the class that it derives from does."""
    return next((ROLES[kind.__name__] for kind in type(callback).__mro__ if kind.__name__ in ROLES), OTHER)


def describe_callback(callback, implied: bool = False, logged: bool = True) -> Callback:
    """Describes a callback.

    Args:
        callback: of the Trainer.
        implied: whether it is the Trainer's own.
        logged: whether the metric that it looks at is there when it does.
    """
    role, monitor = role_of(callback), getattr(callback, "monitor", None) or ""
    settings = {name: getattr(callback, name) for name in SETTINGS.get(role, ())}
    if role == STOP:
        settings["min_delta"] = abs(float(callback.min_delta))
    if role == FILES:
        by_time = callback._train_time_interval is not None
        settings |= {"by_batches": saves_by_batches(callback), "by_time": by_time, "implied": implied}
    if monitor and role in (STOP, FILES):
        settings["logged"] = logged
    return Callback(type(callback).__name__, role, monitor, settings)


def saves_by_batches(callback) -> bool:
    """Says whether a callback saves within epochs."""
    return bool(callback._every_n_train_steps or callback._train_time_interval is not None)


def looks_after_validation(callback) -> bool:
    """Says whether a callback looks at its metric when the validation ends, before the epoch of training does."""
    name = "_check_on_train_epoch_end" if role_of(callback) == STOP else "_save_on_train_epoch_end"
    return getattr(callback, name, None) is False
