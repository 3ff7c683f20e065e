"""What the checks of callbacks are made with: who decides, who is alone, over which lists."""

from dataclasses import replace

import numpy as np
from sample_records import make_facts

from parity.protocol.callbacks import FILES, RATE, STOP, Callback
from parity.protocol.records import Decisions
from parity.rungs.check import Context
from parity.rungs.decisions import compare_lists, epochs_of, made, monitor_of, named, of_lists, of_role, one_sided

LISTS = {"rising": np.arange(3.0), "flat": np.ones(3)}
STOPPING = Callback("EarlyStopping", STOP, "val_loss")


def decisions(*callbacks, **fields):
    none = np.empty(0, int)
    fields = {"stops": np.zeros(2, int), "weights": np.full(2, 3), "lists": LISTS, **fields}
    return Decisions(
        callbacks=list(callbacks), rates=none, loaded=np.zeros((1, 2, 3), int), kept=np.zeros((1, 2, 3), bool),
        step_rates=none, updates=none, **fields,
    )  # fmt: skip


def test_what_lacks_its_metric_decides_nothing_but_saves():
    lacking = {"logged": False, "save_best_only": True}
    side = decisions(STOPPING, replace(STOPPING, settings=lacking), Callback("ModelCheckpoint", FILES, "x", lacking))
    assert of_role(side, STOP) == [STOPPING] and len(of_role(side, FILES)) == 1 and of_role(side, RATE) == []
    assert named(side.callbacks) == "EarlyStopping, EarlyStopping, ModelCheckpoint" and named([]) == "none"


def test_one_side_alone_fails():
    assert one_sided("stopping", [STOPPING], [STOPPING]) is None and one_sided("stopping", [], []) is None
    check = one_sided("stopping", [STOPPING], [], "this")
    assert (check.status, check.detail) == ("fail", "Keras has EarlyStopping, Lightning has none. Use this")
    assert one_sided("stopping", [], [STOPPING]).detail == "Lightning has EarlyStopping, Keras none"
    assert made("stopping", "pass", 0, 0, "").name == "when the training stops"


def test_lists_are_compared_and_chosen():
    side = decisions()
    words = "after {}".format
    assert compare_lists("stopping", side, np.array([0, 2]), np.array([0, 2]), words, "this").status == "pass"
    check = compare_lists("stopping", side, np.array([0, 2]), np.array([0, 3]), words, "this")
    assert check.status == "fail" and check.more["lists"] == ["flat"]
    assert check.detail == "on the list 'flat', Keras after 2, Lightning after 3. Use this"
    chosen = of_lists(replace(side, stops=np.array([0, 2])), np.array([False, True]), list(LISTS))
    assert list(chosen.lists) == ["flat"] and chosen.stops.tolist() == [2] and chosen.loaded.shape == (1, 1, 3)
    assert of_lists(replace(side, lists={}), np.array([True, False]), list(LISTS)).lists == {}
    assert epochs_of(side) == 3


def test_a_metric_is_known_by_lightning_s_name():
    theirs = decisions(Callback("EarlyStopping", STOP, "dev_loss"))
    assert monitor_of(STOPPING, theirs, Context(make_facts())) == "dev_loss"
    assert monitor_of(replace(STOPPING, monitor=""), theirs, Context(make_facts())) == ""
