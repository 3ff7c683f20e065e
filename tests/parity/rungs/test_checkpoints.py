"""Files: by epochs and by batches, one of Lightning's must hold and keep what each of Keras's does."""

import numpy as np
import pytest
from sample_records import make_facts

from parity.protocol.callbacks import FILES, Callback
from parity.protocol.records import Decisions
from parity.rungs.check import Context
from parity.rungs.checkpoints import as_it_saves, files_of, judge_files, why_not_compared

BEST = {"save_best_only": True, "save_freq": "epoch", "mode": "min"}
OFTEN = {"save_best_only": False, "save_freq": 2, "by_batches": True}
LISTS = {"flat": np.ones(3)}


def saving(monitor="", **settings):
    return Callback("ModelCheckpoint", FILES, monitor, settings)


def side(*callbacks, loaded=(), kept=None, saved=(), left=None, lists=None):
    none, loaded, saved = np.empty(0, int), np.array(loaded, int), np.array(saved, int)
    return Decisions(
        callbacks=list(callbacks), stops=none, weights=none, rates=none, step_rates=none, updates=none, steps=2,
        loaded=loaded.reshape(-1, 1, 3), kept=np.array(kept or np.zeros(loaded.shape), bool).reshape(-1, 1, 3),
        saved=saved.reshape(-1, 4), left=np.array(left or np.zeros(saved.shape), bool).reshape(-1, 4),
        lists=lists or {},
    )  # fmt: skip


def judged(ours, theirs):
    return judge_files(ours, theirs, Context(make_facts()))


def test_a_file_of_every_epoch_is_compared_list_by_list():
    ours = side(saving("val_loss", **BEST), loaded=[[1, 1, 3]], lists=LISTS)
    assert judged(ours, side(saving("val_loss"), loaded=[[1, 1, 3]])).status == "pass"
    check = judged(ours, side(saving("val_loss"), loaded=[[1, 2, 3]]))
    assert check.status == "fail" and "after epoch 2, Keras's file holds epoch 1's weights" in check.detail
    check = judged(ours, side(saving("val_loss"), loaded=[[0, 1, 3]]))
    assert "Lightning's none" in check.detail
    # the check of metrics says that it ends the training
    assert judged(ours, side(saving("val_los", logged=False))) is None
    assert files_of(side(saving("val_los", logged=False), saving("val_loss", by_batches=True), saving())) == [saving()]


def test_a_file_within_epochs_is_compared_batch_by_batch():
    ours = side(saving("val_loss", **OFTEN), saved=[[0, 2, 2, 4]], left=[[0, 0, 0, 1]], lists=LISTS)
    assert judged(ours, side(saving(by_batches=True), saved=[[0, 2, 2, 4]], left=[[0, 1, 0, 1]])).status == "pass"
    # a file of every epoch, of two batches
    assert judged(ours, side(saving(), saved=[[0, 2, 2, 4]], left=[[0, 0, 0, 1]])).status == "pass"
    check = judged(ours, side(saving(by_batches=True), saved=[[0, 2, 3, 4]]))
    assert check.status == "fail" and "after batch 1 of epoch 2, Keras's file holds batch 2's weights" in check.detail
    assert "Use ModelCheckpoint(every_n_train_steps=2)" in check.detail
    check = judged(ours, side(saving(by_batches=True), saved=[[0, 2, 2, 4]], left=[[0, 1, 0, 0]]))
    assert check.status == "fail" and "Keras keeps batch 4's file to the end" in check.detail
    check = judged(ours, side(saving("val_loss"), loaded=[[1, 2, 3]]))
    assert check.status == "fail" and "saves by a metric alone" in check.detail


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (saving(by_time=True, by_batches=True), "train_time_interval"),
        (saving("loss", by_batches=True), "looks at loss within epochs"),
        (saving("loss"), ""),
        (saving(by_batches=True), ""),
    ],
)
def test_what_cannot_be_compared_says_why(one, words):
    assert words in why_not_compared([one]) and bool(why_not_compared([one])) == bool(words)


def test_what_misses_its_metric_saves_every_epoch():
    assert not as_it_saves(saving("x", logged=False, **BEST)).looks_at_metric
    assert as_it_saves(saving("x", logged=True, **BEST)).looks_at_metric
