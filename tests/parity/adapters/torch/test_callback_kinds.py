"""What Lightning's callbacks are: every class that Lightning has is known, or named as one that is not compared."""

import inspect
from datetime import timedelta

import lightning
from lightning.pytorch import callbacks as classes
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint

from parity.adapters.torch.callback_kinds import (
    ROLES,
    describe_callback,
    looks_after_validation,
    role_of,
    saves_by_batches,
)
from parity.protocol.callbacks import FILES, OTHER, SILENT, STOP, UPDATES, WEIGHTS


def test_what_a_callback_decides_is_seen_in_its_class():
    kinds = [one for _, one in inspect.getmembers(classes, inspect.isclass) if issubclass(one, Callback)]
    others = {one.__name__ for one in kinds if not {base.__name__ for base in one.__mro__} & set(ROLES)}
    # a new one of Lightning's: say in ROLES what it decides
    assert others <= {"Callback", "Checkpoint", "LambdaCallback", "SpikeDetection", "Timer"}
    given = [
        classes.LearningRateMonitor(), classes.StochasticWeightAveraging(0.1), classes.Timer(), EarlyStopping("loss"),
        classes.GradientAccumulationScheduler({0: 2}), type("Own", (ModelCheckpoint,), {})(), classes.LambdaCallback(),
        type("Own", (Callback,), {})(),
    ]  # fmt: skip
    assert [role_of(one) for one in given] == [SILENT, WEIGHTS, OTHER, STOP, UPDATES, FILES, OTHER, OTHER]
    assert issubclass(lightning.pytorch.callbacks.RichProgressBar, lightning.pytorch.callbacks.ProgressBar)


def test_callbacks_are_described():
    described = describe_callback(EarlyStopping("loss", min_delta=0.5, strict=False), logged=False)
    assert (described.role, described.monitor, described.settings["min_delta"]) == (STOP, "loss", 0.5)
    assert described.lacks_metric and described.settings["strict"] is False
    described = describe_callback(ModelCheckpoint(every_n_train_steps=5), implied=True)
    assert (described.role, described.monitor, described.is_implied) == (FILES, "", True)
    assert described.settings["by_batches"] and not described.settings["by_time"] and described.saves_any
    described = describe_callback(ModelCheckpoint(train_time_interval=timedelta(0)))
    assert described.settings["by_batches"] and described.settings["by_time"] and not described.saves_any
    assert not describe_callback(ModelCheckpoint(monitor="loss")).saves_any


def test_when_a_callback_saves_and_looks():
    assert saves_by_batches(ModelCheckpoint(every_n_train_steps=5)) and not saves_by_batches(ModelCheckpoint())
    assert looks_after_validation(EarlyStopping("loss", check_on_train_epoch_end=False))
    assert looks_after_validation(ModelCheckpoint(save_on_train_epoch_end=False))
    assert not looks_after_validation(EarlyStopping("loss")) and not looks_after_validation(ModelCheckpoint())
