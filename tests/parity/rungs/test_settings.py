"""The settings that are named are code: those of a schedule give Keras's rates, those of callbacks can be called."""

import pytest

from parity.protocol.callbacks import FILES, PLATEAU, RATE, STOP, Callback
from parity.rungs import settings

STOPPING = {"patience": 0, "mode": "max", "min_delta": 0.01, "start": 0, "baseline": None}


def test_a_patience_of_none_is_one():
    text = settings.stopping_like([Callback("EarlyStopping", STOP, "val_accuracy", STOPPING)], "dev_acc")
    assert text == "EarlyStopping('dev_acc', mode='max', patience=1, min_delta=0.01, check_finite=False)"
    lacking = Callback("EarlyStopping", STOP, "val_loss", {**STOPPING, "start": 3, "baseline": 0.5})
    on_nan = Callback("TerminateOnNaN", STOP, "", {"terminates_on_nan": True})
    text = settings.stopping_like([on_nan, lacking], "")
    assert "check_finite=True" in text and text.endswith("has no start_from_epoch and no baseline: a class of your own "
                                                         "must have it")  # fmt: skip
    assert settings.stopping_like([on_nan], "").startswith("EarlyStopping(")


@pytest.mark.parametrize(("patience", "cooldown", "ours"), [(0, 0, (0, 0)), (1, 1, (0, 0)), (10, 5, (9, 4))])
def test_torch_counts_one_epoch_less(patience, cooldown, ours):
    said = {"patience": patience, "cooldown": cooldown, "factor": 0.1, "min_lr": 0.0, "mode": "min", "min_delta": 1e-4}
    text = settings.plateau_like(Callback("ReduceLROnPlateau", PLATEAU, "val_loss", said), "")
    assert f"patience={ours[0]}, cooldown={ours[1]}, threshold=0.0001, threshold_mode='abs', min_lr=0)" in text


def test_what_is_kept_and_restored():
    best = Callback("ModelCheckpoint", FILES, "val_loss", {"save_best_only": True, "mode": "min", "threshold": 0.5})
    text = settings.saving_like(best, "dev_loss")
    assert "ModelCheckpoint(monitor='dev_loss', mode='min', save_top_k=1)" in text and "no initial_value" in text
    assert "keeps the last epoch" in settings.saving_like(Callback("ModelCheckpoint", FILES, "val_loss"), "")
    text = settings.restoring_like(Callback("EarlyStopping", STOP, "val_loss", {**STOPPING, "min_delta": 0.0}), "")
    assert "ckpt_path='best'" in text and "min_delta" not in text


@pytest.mark.parametrize(
    ("kind", "said", "words"),
    [
        ("PiecewiseConstantDecay", {"boundaries": [10, 20]}, "MultiStepLR(milestones=[11, 21])"),
        ("ExponentialDecay", {"decay_rate": 0.9, "decay_steps": 7, "staircase": True}, "0.9 ** (step // 7))"),
        ("ExponentialDecay", {"decay_rate": 0.9, "decay_steps": 7}, "LambdaLR(lambda step: 0.9 ** (step / 7))"),
        ("InverseTimeDecay", {"decay_rate": 0.5, "decay_steps": 7}, "1 / (1 + 0.5 * (step / 7)))"),
        ("CosineDecay", {}, "stays at alpha"),
        ("Own", {}, "LambdaLR with Keras's formula, with interval='step'"),
    ],
)
def test_a_schedule_is_named_by_its_step(kind, said, words):
    text = settings.schedule_like(Callback(kind, RATE, "", {**said, "schedule": True}))
    assert words in text and text.endswith("with interval='step'")


def test_a_schedule_of_accumulated_gradients_is_asked_for_the_batch_of_the_update():
    decay = Callback("ExponentialDecay", RATE, "", {"decay_rate": 0.5, "decay_steps": 3, "schedule": True})
    assert "0.5 ** ((5 * step + 4) / 3)" in settings.schedule_like(decay, 5)
    text = settings.schedule_like(
        Callback("PiecewiseConstantDecay", RATE, "", {"boundaries": [10, 24], "schedule": True}), 5
    )
    # updates of 5 batches are those of the batches 4, 9, 14, ...; Keras keeps the old rate at 10 and 24
    assert "milestones=[2, 5]" in text
    assert [next(u for u in range(9) if 5 * u + 4 > boundary) for boundary in (10, 24)] == [2, 5]
    assert "asked for 5 * step + 4" in settings.schedule_like(Callback("Own", RATE, "", {"schedule": True}), 5)


def test_files_of_batches_and_of_every_epoch():
    said = {"by_batches": True, "save_freq": 12, "keeps_all": True}
    text = settings.saving_like(Callback("ModelCheckpoint", FILES, "val_loss", said), "", 4)
    assert text.startswith("ModelCheckpoint(every_n_train_steps=3, save_top_k=-1); Lightning counts updates")
    said = {"save_best_only": True, "mode": "min", "keeps_all": True}
    assert "save_top_k=-1)" in settings.saving_like(Callback("ModelCheckpoint", FILES, "val_loss", said), "")


def test_a_function_of_the_epoch_and_accumulation():
    assert "interval='epoch'" in settings.schedule_like(Callback("LearningRateScheduler", RATE))
    assert settings.accumulating_like(4, 8) == "Trainer(accumulate_grad_batches=4)"
    assert "must be a multiple of 4: Keras carries the gradients of the last 3" in settings.accumulating_like(4, 47)
