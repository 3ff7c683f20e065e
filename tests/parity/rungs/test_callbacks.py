"""The rung callbacks: equal settings decide alike, and every planted difference is named with what would be equal.

Keras's callbacks decide in one process of their own, Lightning's here: both are the frameworks' own.
"""

import json
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest
import torch
from conftest import run_python
from lightning.pytorch import LightningModule, callbacks
from sample_callbacks import CODE, KERAS
from sample_records import make_facts
from torch.optim import lr_scheduler

from parity.adapters.torch.callbacks import answer_callbacks
from parity.adapters.torch.surroundings import quiet_trainer
from parity.protocol.callbacks import BY_HAND
from parity.protocol.recording import read
from parity.protocol.records import PARTS
from parity.rungs.callbacks import NEITHER, judge
from parity.rungs.check import Context

LOGGED = ("train_loss", "val_loss", "dev/loss", "val_acc", "dev_score")
STEPS, EPOCHS = 10, 3  # of the training: as many batches an epoch


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """Returns, by name, what Keras's callbacks have decided."""
    folder = tmp_path_factory.mktemp("decided")
    ended = run_python("-c", CODE, folder, str(STEPS), str(EPOCHS), json.dumps(KERAS), cwd=folder)
    assert ended.status == 0, ended.err
    assert sorted(path.name for path in folder.iterdir()) == sorted(KERAS)  # nothing was saved where the user does
    return {name: PARTS["callbacks"].from_recording(read(folder / name / "callbacks.npz")) for name in KERAS}


class Candidate:
    """Stands for a pair file's candidate.

    Args:
        reference: what Keras decided.
        schedule: from the optimizer to what `configure_optimizers` returns for it; None for none.
        trainer: what `lightning_trainer()` returns.
    """

    def __init__(self, reference, schedule=None, **trainer):
        self.task = SimpleNamespace(reference=lambda part: reference)
        self.schedule, self.trainer_options = schedule, trainer
        every = "accumulate_grad_batches"
        self.accumulation = {every: trainer[every]} if every in trainer else {}
        self.file, self.facts = SimpleNamespace(where=str), SimpleNamespace(stateful=None)
        self.arrays, self.batch_size, self.rows = dict.fromkeys(("x_train", "y_train"), torch.zeros(16, 2)), 8, None

    def build(self):
        schedule = self.schedule

        class Port(LightningModule):
            def __init__(self):
                super().__init__()
                self.layer = torch.nn.Linear(2, 1)

            def training_step(self, batch, batch_idx):
                self.log_dict(dict.fromkeys(LOGGED, 0.5), on_step=False, on_epoch=True)
                self.log("batch_loss", 0.5)
                return self.layer(batch[0]).mean()

            def configure_optimizers(self):
                optimizer = torch.optim.Adam(self.parameters(), 1e-3)
                given = schedule(optimizer) if schedule else []
                return [optimizer], given if isinstance(given, list) else [given]

        return Port()

    def batch_of(self, *rows):
        return rows

    def fit(self, binding, callbacks, loader, epochs, validation=None, **options):
        options |= {"max_epochs": epochs, "limit_val_batches": 0}
        quiet_trainer(__import__("lightning.pytorch").pytorch, callbacks, **options).fit(binding.module, loader)


def judged(reference, name, *arguments, metrics=None, **trainer):
    """Returns the checks by subject."""
    found = answer_callbacks(Candidate(reference[name], *arguments, **trainer))
    found = PARTS["callbacks"].from_recording(found.to_recording())
    context = Context(make_facts(metrics=metrics or {}))
    return {check.subject: check for check in judge(reference[name], found, context)}


def stop(monitor="val_loss", **settings):
    return [callbacks.EarlyStopping(monitor, **{"check_finite": False, **settings})]


def save(**settings):
    return [callbacks.ModelCheckpoint(**settings)]


def plateau(monitor="val_loss", interval="epoch", **settings):
    return lambda optimizer: {
        "scheduler": lr_scheduler.ReduceLROnPlateau(optimizer, **settings), "monitor": monitor, "interval": interval
    }  # fmt: skip


def scheduled(kind, *arguments, interval="step", **settings):
    return lambda optimizer: {
        "scheduler": getattr(lr_scheduler, kind)(optimizer, *arguments, **settings), "interval": interval
    }  # fmt: skip


EQUAL = plateau(patience=2, cooldown=1, threshold=1e-4, threshold_mode="abs")
EAGER = {"mode": "max", "factor": 0.5, "patience": 0, "threshold": 0.01, "threshold_mode": "abs", "min_lr": 1e-4}
EVERY_5 = {"accumulate_grad_batches": 5}


def decayed(optimizer):
    return {"scheduler": lr_scheduler.ExponentialLR(optimizer, 0.5), "interval": "epoch"}


HONEST = [
    ("stop", None, {"callbacks": stop(patience=3)}),
    ("stop", None, {"callbacks": stop("dev/loss", patience=3)}),
    ("stop at once", None, {"callbacks": stop(patience=0)}),
    ("stop at once", None, {"callbacks": stop(patience=1)}),
    ("stop of accuracy", None, {"callbacks": stop("val_acc", mode="max", patience=3, min_delta=0.01)}),
    ("restore", None, {"callbacks": stop(patience=3) + save(monitor="val_loss")}),
    ("long", None, {"callbacks": stop(patience=40)}),
    ("nan", None, {"callbacks": stop("train_loss", patience=3, check_finite=True)}),
    ("plateau", EQUAL, {}),
    ("eager plateau", plateau("val_acc", **EAGER), {}),
    # down to rates that torch leaves as they are, and Keras lowers on
    ("quick plateau", plateau(factor=0.6, patience=0, threshold_mode="abs"), {}),
    ("best", None, {"callbacks": save(monitor="val_loss", filename="best", save_last=True)}),
    ("best", None, {"callbacks": save(monitor="val_loss", save_top_k=-1)}),
    ("last", None, {}),
    ("last", None, {"callbacks": save()}),
    ("every", None, {"callbacks": save(save_top_k=-1)}),
    ("rate", scheduled("LambdaLR", lambda epoch: 0.9**epoch, interval="epoch"), {}),
    ("rate", scheduled("ExponentialLR", 0.9, interval="epoch"), {}),
    ("exponential", scheduled("LambdaLR", lambda step: 0.9 ** (step / 7)), {}),
    ("stairs", scheduled("ExponentialLR", 0.9, interval="epoch"), {}),
    ("boundaries", scheduled("MultiStepLR", milestones=[9, 21]), {}),
    ("accumulated", None, {"accumulate_grad_batches": 5}),
    ("accumulated", None, {"callbacks": [callbacks.GradientAccumulationScheduler({0: 5})]}),
    # Keras counts batches, Lightning's schedulers updates
    ("accumulated decay", scheduled("LambdaLR", lambda step: 0.5 ** ((5 * step + 4) / 3)), EVERY_5),
    ("often", None, {"callbacks": save(every_n_train_steps=3)}),
    ("last", None, {"callbacks": save(every_n_train_steps=STEPS)}),
    # Keras leaves it out, with a warning
    ("missing", None, {}),
    ("missing", None, {"callbacks": stop("val_accu", strict=False)}),
    ("missing best", None, {}),
    ("decay and plateau", lambda one: [decayed(one), EQUAL(one)], {}),
]


@pytest.mark.parametrize(("name", "schedule", "trainer"), HONEST)
def test_equal_settings_decide_alike(reference, name, schedule, trainer):
    checks = judged(reference, name, schedule, **trainer)
    found = {subject: (check.status, check.detail) for subject, check in checks.items() if check.status != "pass"}
    assert not {subject for subject, (status, _) in found.items() if status != "info"}, found
    nothing_decides = set(checks) == {"unlogged-metrics"}  # Keras leaves out the only one
    assert nothing_decides or any(check.status == "pass" for check in checks.values())


PLANTED = [
    # Lightning's default patience is 3, Keras's 0
    ("stop at once", None, {"callbacks": stop()}, "stopping", "patience=1"),
    ("stop", None, {"callbacks": stop(patience=4)}, "stopping", "Keras stops after epoch 4, Lightning stops after epo"),
    ("stop", None, {"callbacks": stop(patience=3, check_finite=True)}, "stopping", "'with NaN', Keras does not stop"),
    (
        "stop",
        None,
        {"callbacks": stop(patience=3, min_delta=1e-3)},
        "stopping",
        "patience=3, min_delta=0, check_finite",
    ),
    (
        "stop",
        None,
        {"callbacks": stop(patience=3, stopping_threshold=0.1)},
        "stopping",
        "has stopping_threshold=0.1, wh",
    ),
    (
        "stop",
        None,
        {},
        "stopping",
        "Keras has EarlyStopping, Lightning has none. Use EarlyStopping('val_loss', m",
    ),
    ("none", None, {"callbacks": stop()}, "stopping", "Lightning has EarlyStopping, Keras none"),
    (
        "stop",
        None,
        {"callbacks": stop("train_loss", patience=3)},
        "metrics",
        "looks at val_loss, Lightning's at train_lo",
    ),
    (
        "stop",
        None,
        {"callbacks": stop("val_los", patience=3)},
        "unlogged-metrics",
        "ends with an error. Use monitor='va",
    ),
    (
        "stop",
        None,
        {"callbacks": stop("val_los", strict=False)},
        "unlogged-metrics",
        "logs batch_loss, train_loss, val_loss",
    ),
    ("missing", None, {"callbacks": stop("val_acc", mode="max")}, "unlogged-metrics", "Use monitor='val_accuracy'"),
    (
        "missing best",
        None,
        {"callbacks": save(monitor="val_acc", mode="max")},
        "checkpoints",
        "Keras's file holds epoch 2",
    ),
    ("best", None, {"callbacks": save(monitor="val_los")}, "unlogged-metrics", "ModelCheckpoint looks at val_los"),
    ("plateau", plateau("val_los"), {}, "unlogged-metrics", "ReduceLROnPlateau looks at val_los"),
    (
        "nan",
        None,
        {"callbacks": stop("batch_loss", patience=3, check_finite=True)},
        "metrics",
        "log it with on_epoch=True",
    ),
    ("loss plateau", plateau("batch_loss", patience=2, threshold_mode="abs"), {}, "metrics", "of the last batch"),
    (
        "often",
        None,
        {"callbacks": save(every_n_train_steps=4)},
        "checkpoints",
        "after batch 3 of epoch 1, Keras's file holds",
    ),
    (
        "often",
        None,
        {},
        "checkpoints",
        "(the Trainer's own, as lightning_trainer() has none). Use ModelCheckpoint(every_n",
    ),
    ("decay and plateau", lambda one: [EQUAL(one)], {}, "schedule", "Lightning has none"),
    (
        "none",
        None,
        {"callbacks": [callbacks.GradientAccumulationScheduler({2: 4})]},
        "updates",
        "after batch 1 of epoch 3 of 8, Keras updates weights and Lightning does not",
    ),
    # mode is `min` unless given
    ("stop of accuracy", None, {"callbacks": stop("val_acc", patience=3, min_delta=0.01)}, "stopping", "mode='max'"),
    ("late", None, {"callbacks": stop(patience=3)}, "stopping", "has no start_from_epoch"),
    (
        "long",
        None,
        {"callbacks": stop(patience=41)},
        "stopping",
        "Keras stops after epoch 41, Lightning stops after ep",
    ),
    ("nan", None, {"callbacks": stop("train_loss", patience=3)}, "stopping", "check_finite=True"),
    (
        "restore",
        None,
        {"callbacks": stop(patience=3)},
        "evaluated-weights",
        "Keras uses epoch 1's, Lightning uses epoch 4",
    ),
    (
        "restore",
        None,
        {"callbacks": stop(patience=3) + save()},
        "evaluated-weights",
        "Use ModelCheckpoint(monitor",
    ),
    (
        "restore in steps",
        None,
        {"callbacks": stop(patience=3, min_delta=0.05) + save(monitor="val_loss")},
        "evaluated-weights",
        "it has no min_delta",
    ),
    # one epoch late, and a relative threshold
    ("plateau", plateau(patience=3, cooldown=2), {}, "plateau", "epoch 5 has 0.0001 in Keras and 0.001 in Lightning"),
    ("plateau", plateau(patience=2, cooldown=1), {}, "plateau", "threshold=0.0001, threshold_mode='abs'"),
    ("plateau", plateau(patience=2, cooldown=2, threshold_mode="abs"), {}, "plateau", "patience=2, cooldown=1, "),
    ("plateau", plateau(interval="step"), {}, "plateau", "looks at its metric after every batch"),
    ("plateau", None, {}, "plateau", "Keras has ReduceLROnPlateau, Lightning has none. Use ReduceLROnPlateau("),
    ("none", plateau(), {}, "plateau", "Lightning has ReduceLROnPlateau, Keras none"),
    ("eager plateau", plateau("val_acc", **{**EAGER, "mode": "min"}), {}, "plateau", "with monitor='val_acc'"),
    (
        "best",
        None,
        {},
        "checkpoints",
        "(the Trainer's own, as lightning_trainer() has none). Use ModelCheckpoint(",
    ),
    ("best", None, {"callbacks": save(monitor="val_loss", mode="max")}, "checkpoints", "mode='min', save_top_k=1)"),
    ("last", None, {"enable_checkpointing": False}, "checkpoints", "Keras has ModelCheckpoint, Lightning has none"),
    ("every", None, {"callbacks": save()}, "checkpoints", "Keras keeps epoch 1's file to the end, and Lightning does"),
    (
        "exponential",
        scheduled("LambdaLR", lambda step: 0.9 ** (step / 7), interval="epoch"),
        {},
        "schedule",
        "once an ep",
    ),
    (
        "boundaries",
        scheduled("MultiStepLR", [8, 20]),
        {},
        "schedule",
        "one step early. Use MultiStepLR(mileston",
    ),
    (
        "boundaries",
        scheduled("MultiStepLR", [8, 20]),
        {},
        "schedule",
        "step 9 (epoch 1) has 0.001 in Keras and 0.0001 in",
    ),
    ("cosine", scheduled("CosineAnnealingLR", 20), {}, "schedule", "step 22 (epoch 3) has 0 in Keras"),
    ("rate", scheduled("ExponentialLR", 0.9), {}, "schedule", "with interval='epoch'"),
    ("rate", None, {}, "schedule", "Keras has LearningRateScheduler, Lightning has none"),
    ("none", scheduled("ExponentialLR", 0.9, interval="epoch"), {}, "schedule", "its rate changes at step 11"),
    ("none", scheduled("StepLR", 30, interval="epoch"), {}, "schedule", "Lightning has StepLR, Keras none"),
    ("accumulated", None, {}, "updates", "batch 1 of epoch 1 of 10, Lightning updates weights and Keras does not"),
    ("none", None, {"accumulate_grad_batches": 2}, "updates", "Keras makes an update of 1 batches, Lightning of 2"),
    ("uneven", None, {"accumulate_grad_batches": 4}, "updates", "an epoch's 10 batches must be a multiple of 4"),
    (
        "none",
        None,
        {"callbacks": [callbacks.StochasticWeightAveraging(0.01)]},
        "others",
        "Lightning has StochasticWeigh",
    ),
]


@pytest.mark.parametrize(("name", "schedule", "trainer", "subject", "words"), PLANTED)
def test_a_planted_difference_fails_and_the_equal_settings_are_named(
    reference, name, schedule, trainer, subject, words
):
    check = judged(reference, name, schedule, **trainer)[subject]
    assert check.status == "fail" and words in check.detail, check


def test_where_neither_side_decides_anything_that_is_said(reference):
    (check,) = judged(reference, "none").values()
    assert (check.status, check.detail) == ("pass", NEITHER)


def test_what_only_watches_informs_and_what_cannot_be_told_says_so(reference):
    checks = judged(reference, "watched", None, callbacks=[*stop("train_loss", check_finite=True, patience=10**9)])
    assert checks["stopping"].status == "pass"
    assert checks["watching"].status == "info" and "CSVLogger cannot change the weights" in checks["watching"].detail
    assert checks["others"].status == "info" and "LambdaCallback" in checks["others"].more["not_compared"]
    timed = save(train_time_interval=timedelta(minutes=1))
    check = judged(reference, "often", None, callbacks=timed)["checkpoints"]
    assert check.status == "info" and "train_time_interval" in check.more["not_compared"]
    by_hand = replace(reference["none"], callbacks=[BY_HAND])
    (check,) = judge(reference["cosine"], by_hand, Context(make_facts()))
    assert check.status == "info" and "what the module's manual optimization does" in check.more["not_compared"]
    check = judged(reference, "none", None, callbacks=save(monitor="val_loss"))["checkpoints"]
    assert check.status == "info" and "saves files, which changes no weights" in check.detail


def test_metrics_that_words_do_not_tell_are_no_failure_and_METRICS_tells(reference):
    given = {"callbacks": stop("dev_score", mode="max", patience=3, min_delta=0.01)}
    assert judged(reference, "stop of accuracy", None, **given)["metrics"].status == "error"
    said = {"val_accuracy": "dev_score"}
    checks = judged(reference, "stop of accuracy", None, metrics=said, **given)
    assert {subject for subject, check in checks.items() if check.status != "pass"} == {"first-nan"}
    given = {"callbacks": stop("val_acc", mode="max", patience=3, min_delta=0.01)}
    assert judged(reference, "stop of accuracy", None, metrics=said, **given)["metrics"].status == "fail"
