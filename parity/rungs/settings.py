"""Which settings make Lightning's callbacks, schedulers and accumulation decide as Keras's do, in words."""

from parity.protocol.callbacks import Callback

ANY_SCHEDULE = "LambdaLR with Keras's formula"
# Keras's schedules in torch, each with interval="step".
SCHEDULES = {
    "PiecewiseConstantDecay": "MultiStepLR(milestones={milestones}), as Keras keeps the old rate at a boundary and "
    "torch changes it there",
    "CosineDecay": "LambdaLR with Keras's formula, which stays at alpha after decay_steps; CosineAnnealingLR rises",
    "CosineDecayRestarts": "LambdaLR with Keras's formula, whose t_mul is 2; CosineAnnealingWarmRestarts has T_mult=1",
    "PolynomialDecay": "LambdaLR with Keras's formula, which ends at end_learning_rate; PolynomialLR ends at 0",
    "ExponentialDecay": "LambdaLR(lambda step: {decay_rate} ** {exponent})",
    "InverseTimeDecay": "LambdaLR(lambda step: 1 / (1 + {decay_rate} * {exponent}))",
}


def stopping_like(callbacks: list[Callback], monitor: str) -> str:
    """Names what stops as Keras's callbacks do.

    Args:
        callbacks: Keras's, that stop.
        monitor: the metric by Lightning's name; empty where Keras's is its name.
    """
    on_nan = any(one.settings.get("terminates_on_nan") for one in callbacks)
    stopping = next((one for one in callbacks if not one.settings.get("terminates_on_nan")), None)
    if stopping is None:
        return 'EarlyStopping("train_loss", patience=10**9, check_finite=True), of the training loss'
    said = stopping.settings
    text = (
        f"EarlyStopping({monitor or stopping.monitor!r}, mode={said['mode']!r}, patience={max(said['patience'], 1)}, "
        f"min_delta={said['min_delta']:g}, check_finite={on_nan})"
    )
    lacking = [name for name, key in (("start_from_epoch", "start"), ("baseline", "baseline")) if said.get(key)]
    if lacking:
        text += f"; Lightning's has no {' and no '.join(lacking)}: a class of your own must have it"
    return text


def plateau_like(callback: Callback, monitor: str) -> str:
    """Names the scheduler that lowers the rate as Keras's callback does.

    Args:
        callback: Keras's ReduceLROnPlateau.
        monitor: the metric by Lightning's name; empty where Keras's is its name.
    """
    said = callback.settings
    # Keras counts before it compares, and torch counts the epoch of the reduction to the cooldown
    patience, cooldown = max(said["patience"], 1) - 1, max(said["cooldown"] - 1, 0)
    return (
        f"ReduceLROnPlateau(optimizer, mode={said['mode']!r}, factor={said['factor']:g}, patience={patience}, "
        f"cooldown={cooldown}, threshold={said['min_delta']:g}, threshold_mode='abs', min_lr={said['min_lr']:g}), "
        f"with monitor={monitor or callback.monitor!r} and interval='epoch'"
    )


def saving_like(callback: Callback, monitor: str, every: int = 1) -> str:
    """Names what saves as Keras's callback does.

    Args:
        callback: Keras's ModelCheckpoint.
        monitor: the metric by Lightning's name; empty where Keras's is its name.
        every: Lightning's batches of an update.
    """
    if callback.settings.get("by_batches"):
        batches = callback.settings["save_freq"]
        kept = ", save_top_k=-1" if callback.settings.get("keeps_all") else ""
        text = f"ModelCheckpoint(every_n_train_steps={batches // every}{kept})"
        counted = f"; Lightning counts updates, which come every {every} batches and when an epoch ends"
        return text + counted * (every > 1)
    if not callback.settings.get("save_best_only"):
        return "ModelCheckpoint(), which keeps the last epoch; with save_top_k=-1, every epoch"
    kept = -1 if callback.settings.get("keeps_all") else 1
    text = f"ModelCheckpoint(monitor={monitor or callback.monitor!r}, mode={callback.settings['mode']!r}, "
    text += f"save_top_k={kept})"
    if callback.settings.get("threshold") is not None:
        text += "; Lightning's has no initial_value_threshold"
    return text


def restoring_like(callback: Callback, monitor: str) -> str:
    """Names what gives evaluation the weights that Keras's EarlyStopping restores.

    Args:
        callback: Keras's, with restore_best_weights.
        monitor: the metric by Lightning's name; empty where Keras's is its name.
    """
    text = (
        f"ModelCheckpoint(monitor={monitor or callback.monitor!r}, mode={callback.settings['mode']!r}, save_top_k=1), "
        "and load best_model_path before you evaluate (ckpt_path='best')"
    )
    said = callback.settings
    lacking = [name for name, key in (("min_delta", "min_delta"), ("start_from_epoch", "start")) if said.get(key)]
    if lacking:
        text += f"; it has no {' and no '.join(lacking)}: with Keras's, a class of your own must keep the best weights"
    return text


def schedule_like(callback: Callback, every: int = 1) -> str:
    """Names the scheduler whose rates are those of Keras's schedule, or of its LearningRateScheduler.

    Args:
        callback: Keras's.
        every: batches of an update. Keras counts batches, and Lightning's schedulers step once an update.
    """
    if not callback.settings.get("schedule"):
        return "LambdaLR(optimizer, lambda epoch: rate(epoch) / rate(0)), with interval='epoch'"
    said = dict(callback.settings)
    step = f"({every} * step + {every - 1})" if every > 1 else "step"
    said["milestones"] = [(boundary + 1) // every for boundary in said.get("boundaries", ())]
    said["exponent"] = f"({step} {'//' if said.get('staircase') else '/'} {said.get('decay_steps')})"
    try:
        form = SCHEDULES.get(callback.kind, ANY_SCHEDULE).format(**said)
    except KeyError:  # a class of one's own of this name
        form = ANY_SCHEDULE
    counted = f"; Lightning's steps are updates: Keras's formula is asked for {step[1:-1]}" if every > 1 else ""
    return f"{form}, with interval='step'{counted}"


def accumulating_like(every: int, steps: int) -> str:
    """Names what updates weights as Keras's optimizer does.

    Args:
        every: its batches of an update.
        steps: of an epoch.
    """
    text = f"Trainer(accumulate_grad_batches={every})"
    if steps % every:
        text += (
            f"; and an epoch's {steps} batches must be a multiple of {every}: Keras carries the gradients of the last "
            f"{steps % every} into the next epoch, Lightning updates weights with them"
        )
    return text
