"""A validation sees the weights that the training has left, whatever the module's own hooks put in their place."""

from types import SimpleNamespace

import lightning
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from parity.adapters.torch.undo.validated import ID, UNDOS, TrainedWeights


class Port(lightning.LightningModule):
    """Has other weights in place while it validates, if asked; notes which a validation sees and a training begins."""

    def __init__(self, swaps: bool):
        super().__init__()
        self.net, self.swaps, self.validated, self.begun = nn.Linear(1, 1, bias=False), swaps, [], []
        nn.init.zeros_(self.net.weight)

    def training_step(self, batch, batch_idx):
        self.begun.append(self.net.weight.item())
        return -self.net.weight.sum()

    def on_validation_start(self):
        self.kept = self.net.weight.detach().clone()
        if self.swaps:
            nn.init.constant_(self.net.weight, -7.0)

    def validation_step(self, batch, batch_idx):
        self.validated.append(self.net.weight.item())

    def on_validation_end(self):
        assert not self.swaps or self.net.weight.item() == -7.0
        self.net.weight.data.copy_(self.kept)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 1.0)


@pytest.mark.parametrize("swaps", [True, False])
def test_a_validation_sees_what_the_training_has_left_and_the_training_goes_on(swaps):
    port, callback, rows = Port(swaps), TrainedWeights(), DataLoader(torch.zeros(2, 1), 1)
    options = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "accelerator": "cpu"}
    trainer = lightning.Trainer(
        max_epochs=2, callbacks=[callback], num_sanity_val_steps=0, enable_model_summary=False, **options
    )
    trainer.fit(port, rows, rows)
    assert port.begun == [0, 1, 2, 3] and port.validated == [2, 2, 4, 4] and callback.found == 2 * swaps
    lines = UNDOS[0].change(SimpleNamespace(training=SimpleNamespace(validated=callback)))
    assert UNDOS[0].id == ID and bool(lines) == swaps
    assert UNDOS[0].change(SimpleNamespace(training=SimpleNamespace(validated=None))) == []
