"""Differences are undone in the order of their tables, and each has an id of its own."""

from types import SimpleNamespace

import torch
from sample_built import make_built
from torch import nn

from parity.adapters.torch.undo.candidate import TABLES, UNDOS, Changed
from parity.adapters.torch.undo.difference import OPTIMIZERS


def test_differences_are_undone_in_the_order_of_the_table_not_in_that_in_which_they_were_found():
    built = make_built(optimizer={"learning_rate": 0.1})
    built.optimizers = [torch.optim.SGD(nn.Linear(2, 2).parameters(), 0.5)]
    built.schedules = [{"scheduler": torch.optim.lr_scheduler.StepLR(built.optimizers[0], 1)}]
    candidate = SimpleNamespace(undone=("learning-rate", "schedule-epoch"), changes={}, task=None)
    Changed.apply(candidate, OPTIMIZERS, built)
    # the rate that the schedule began with is put back first, and is then Keras's
    assert built.optimizers[0].param_groups[0]["lr"] == 0.1 and len(candidate.changes) == 2 and not built.schedules


def test_every_undoing_has_an_id_of_its_own():
    assert len(UNDOS) == sum(len(one.UNDOS) for one in TABLES)
