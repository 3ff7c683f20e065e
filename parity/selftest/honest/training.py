"""How honest pairs are trained: callbacks and schedules that decide alike on both sides, and accumulated gradients."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from parity.selftest.honest.layers import Draw

MOST_ACCUMULATED = 4
DEFAULT_RATE = "0.001"  # of Keras's optimizers that name none


@dataclass(frozen=True)
class Training:
    """What stands beside the model, as both sides write it; empty texts where nothing does."""

    fit: tuple[str, ...] = ()  # Keras's callbacks
    trainer: tuple[str, ...] = ()  # Lightning's
    scheduler: str = ""  # of `optimizer`, what `configure_optimizers` says of it
    rate: str = ""  # Keras's, in place of the optimizer's own, which is `{rate}`
    accumulated: int = 1  # batches of an update


def stopping(draw: Draw) -> Training:
    """Draws when training stops, and whether the best epoch's weights are put back."""
    patience, least = draw.of(0, 1, 2, 4), draw.of(0.0, 0.0, 0.01)
    restores = not least and draw.chance(0.5)
    keras = f"patience={patience}" + f", min_delta={least}" * bool(least) + ", restore_best_weights=True" * restores
    port = f"patience={max(patience, 1)}, min_delta={least}, check_finite=False"
    saving = ("callbacks.ModelCheckpoint(monitor='val_loss')",) * restores
    return Training(
        (f"keras.callbacks.EarlyStopping({keras})",), (f"callbacks.EarlyStopping('val_loss', {port})", *saving)
    )


def plateau(draw: Draw) -> Training:
    """Draws when the learning rate is lowered: Keras counts before it compares."""
    patience, cooldown, factor = draw.of(1, 2, 3), draw.of(0, 1, 2), draw.of(0.1, 0.5)
    port = f"patience={patience - 1}, cooldown={max(cooldown - 1, 0)}, threshold=1e-4, threshold_mode='abs'"
    scheduler = f"torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor={factor}, {port})"
    return Training(
        (f"keras.callbacks.ReduceLROnPlateau(factor={factor}, patience={patience}, cooldown={cooldown})",),
        scheduler=f'{{"scheduler": {scheduler}, "monitor": "val_loss"}}',
    )


def saving(draw: Draw) -> Training:
    """Draws what is saved."""
    if draw.chance(0.5):
        return Training(
            ("keras.callbacks.ModelCheckpoint('best.keras', save_best_only=True)",),
            ("callbacks.ModelCheckpoint(monitor='val_loss')",),
        )
    return Training(("keras.callbacks.ModelCheckpoint('last.keras')",), ("callbacks.ModelCheckpoint()",))


def by_epoch(draw: Draw) -> Training:
    """Draws a rate that falls from epoch to epoch."""
    factor = draw.of(0.5, 0.75, 0.875)
    return Training(
        (f"keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate * {factor} if epoch else rate)",),
        scheduler=f"torch.optim.lr_scheduler.ExponentialLR(optimizer, {factor})",
    )


def by_batch(draw: Draw) -> Training:
    """Draws a rate that falls from batch to batch."""
    steps, factor = draw.of(20, 50), draw.of(0.5, 0.9)
    laws = (
        ("ExponentialDecay", f"{factor} ** (step / {steps})"),
        ("InverseTimeDecay", f"1 / (1 + {factor} * step / {steps})"),
    )
    name, law = draw.of(*laws)
    scheduler = f"torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: {law})"
    return Training(
        rate=f"keras.optimizers.schedules.{name}({{rate}}, {steps}, {factor})",
        scheduler=f'{{"scheduler": {scheduler}, "interval": "step"}}',
    )


def accumulating(draw: Draw) -> Training:
    """Draws how many batches an update is of."""
    return Training(accumulated=draw.of(2, 3, MOST_ACCUMULATED))


def together(first: Training, second: Training) -> Training:
    """Returns what two trainings do, of which each has what the other has not."""
    return Training(
        first.fit + second.fit,
        first.trainer + second.trainer,
        first.scheduler or second.scheduler,
        first.rate or second.rate,
        max(first.accumulated, second.accumulated),
    )


WAYS = (stopping, plateau, saving, by_epoch, by_batch, accumulating)
WITH = {  # what may stand beside each
    stopping: (plateau, by_epoch, by_batch, accumulating),
    plateau: (stopping, saving, accumulating),
    saving: (plateau, by_epoch, by_batch, accumulating),
    by_epoch: (stopping, saving, accumulating),
    by_batch: (stopping, saving),
    accumulating: (stopping, plateau, saving, by_epoch),
}


def draw_training(draw: Draw, can_accumulate: bool) -> Training:
    """Draws what stands beside the model: in most pairs nothing.

    Args:
        draw: the source of choices.
        can_accumulate: whether both sides' accumulated gradients are the same.
    """
    if not draw.chance(0.3):
        return Training()

    def draw_of(ways: tuple[Callable, ...]) -> Callable:
        """Draws one of some ways."""
        return draw.of(*(way for way in ways if can_accumulate or way is not accumulating))

    way = draw_of(WAYS)
    training = way(draw)
    return together(training, draw_of(WITH[way])(draw)) if draw.chance(0.4) else training


def with_rate(call: str, rate: str) -> str:
    """Returns an optimizer's call with another learning rate.

    Args:
        call: such as `Adam()`, or `SGD(0.05, momentum=0.9)`.
        rate: with `{rate}` for the call's own.
    """
    name, _, inside = call[:-1].partition("(")
    own, _, rest = inside.partition(", ") if re.match(r"[\d.]", inside) else (DEFAULT_RATE, "", inside)
    return f"{name}({', '.join(filter(None, (rate.format(rate=own), rest)))})"
