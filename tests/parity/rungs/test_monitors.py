"""Metrics that callbacks look at: what is not logged is named with what to write."""

import numpy as np
import pytest
from sample_records import make_facts

from parity.protocol.callbacks import FILES, STOP, Callback
from parity.protocol.records import Decisions
from parity.rungs.check import Context
from parity.rungs.monitors import are_other, judge_monitors, judge_unlogged

OURS, THEIRS = ["loss", "val_loss", "val_accuracy"], ["train_loss", "val_loss", "val_acc"]


def side(logged, *callbacks, is_keras=False, at_steps=()):
    none = np.empty(0, int)
    return Decisions(
        callbacks=list(callbacks), stops=none, weights=none, rates=none, loaded=none, kept=none, step_rates=none,
        updates=none, logged=logged, at_steps=list(at_steps), lists={"flat": np.ones(3)} if is_keras else {},
    )  # fmt: skip


def stop(monitor, logged=True, **settings):
    return Callback("EarlyStopping", STOP, monitor, {"logged": logged, **settings})


def save(**settings):
    return Callback("ModelCheckpoint", FILES, "x", {"logged": False, **settings})


def judged(ours, theirs, judge=judge_unlogged, metrics=None, at_steps=()):
    reference, candidate = side(OURS, *ours, is_keras=True), side(THEIRS, *theirs, at_steps=at_steps)
    return judge(reference, candidate, Context(make_facts(metrics=metrics or {})))


@pytest.mark.parametrize(
    ("ours", "theirs", "status", "words"),
    [
        ([stop("val_loss")], [stop("val_los", False, strict=True)], "fail", "an error. Use monitor='val_loss'"),
        ([stop("val_accuracy")], [stop("accu", False, strict=True)], "fail", "logs train_loss, val_loss, val_acc: the"),
        ([stop("val_accuracy")], [stop("accu", False, strict=True)], "fail", "Use monitor='val_acc'"),
        ([stop("val_loss")], [stop("val_los", False, strict=False)], "fail", "left out, with no more than a warning"),
        ([], [stop("val_los", False, strict=False)], "info", "left out"),
        ([], [stop("train_loss", False, strict=True)], "fail", "Leave check_on_train_epoch_end out"),
        ([stop("val_acc", False)], [], "info", "Use monitor='val_accuracy'"),
        ([stop("val_acc", False)], [stop("val_acc")], "fail", "looks at val_acc, and fit logs loss"),
        ([stop("x", False)], [stop("y", False, strict=False)], "info", "Log x, or use another monitor"),
        ([save(save_best_only=True)], [], "info", "every epoch"),
        ([], [save()], "fail", "ends with an error"),
    ],
)  # fmt: skip
def test_what_is_not_logged_is_named(ours, theirs, status, words):
    check = judged(ours, theirs)
    assert check.status == status and words in check.detail, check


def test_what_is_logged_needs_no_word():
    assert judged([stop("val_loss")], [stop("val_loss")]) is None


def test_the_same_metric_of_the_epoch_is_looked_at():
    assert judged([stop("val_loss")], [stop("val_loss")], judge_monitors).status == "pass"
    check = judged([stop("loss")], [stop("train_loss")], judge_monitors, at_steps=["train_loss"])
    assert check.status == "fail" and "train_loss of the last batch" in check.detail
    assert judged([stop("val_loss")], [stop("train_loss")], judge_monitors).status == "fail"
    assert judged([stop("val_loss")], [stop("score")], judge_monitors).status == "fail"
    assert judged([stop("val_own")], [stop("val_score")], judge_monitors).status == "error"
    said = {"val_own": "val_score"}
    assert judged([stop("val_own")], [stop("val_score")], judge_monitors, said).status == "pass"
    # what is not logged is another check's
    assert judged([stop("val_own", False)], [stop("val_score")], judge_monitors) is None


def test_words_tell_that_metrics_are_others():
    assert are_other("val_loss", ["train_loss", "loss"]) and are_other("val_loss", ["val_accuracy"])
    assert not are_other("val_loss", ["val_score"])
