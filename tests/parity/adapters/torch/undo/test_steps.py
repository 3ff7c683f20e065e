"""Losses in a module's steps are changed, in training and in validation; so is a loss of a step's own formula."""

import torch
from torch import nn
from torch.nn import functional as F

from parity.adapters.torch.undo.steps import change_steps

BATCH = torch.ones(3, 2), torch.zeros(3, 2)


class Module(nn.Module):
    """Has steps; `own` computes the loss without a function of PyTorch's."""

    own = False

    def training_step(self, batch, batch_idx):
        return {"loss": (batch[0] - batch[1]).square().sum() if self.own else F.mse_loss(*batch)}

    def validation_step(self, batch, batch_idx):
        return F.l1_loss(*batch)


def double(calls: list):
    def change(call):
        calls.append((call.func, call.is_validation, call.rows))
        call.after.append(lambda loss: 2 * loss)

    return change


def test_losses_of_both_steps_are_changed():
    module, calls = Module(), []
    change_steps(module, double(calls))
    assert module.training_step(BATCH, 0) == {"loss": 2.0} and module.validation_step(BATCH, 0) == 2.0
    assert calls == [(F.mse_loss, False, 3), (F.l1_loss, True, 3)]


def test_a_formula_of_ones_own_is_a_loss_and_what_is_none_stays():
    module, calls = Module(), []
    module.own = True
    change_steps(module, double(calls))
    assert module.training_step(BATCH, 0) == {"loss": 12.0} and calls == [(None, False, 3)]
    module = Module()
    module.training_step = lambda batch, batch_idx: None
    change_steps(module, double(calls))
    assert module.training_step(BATCH, 0) is None and len(calls) == 1


def test_a_loss_knows_what_the_module_gave():
    class Doubled(Module):
        def forward(self, x):
            return 2 * x

        def training_step(self, batch, batch_idx):
            return F.mse_loss(self(batch[0]) / 2, batch[1])

    module, calls = Doubled(), []
    change_steps(module, lambda call: calls.append(call.outputs))
    assert module.training_step(BATCH, 0) == 1 and torch.equal(calls[0][0], 2 * BATCH[0])
