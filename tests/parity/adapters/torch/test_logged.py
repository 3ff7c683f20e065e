"""What a module logs is kept by epoch; what it logs for single steps is told from means."""

import lightning
import torch
from torch import nn
from torch.utils.data import DataLoader

from parity.adapters.torch.logged import LoggedMetrics


class Port(lightning.LightningModule):
    """Logs in every way."""

    def __init__(self):
        super().__init__()
        self.net = nn.Linear(1, 1)

    def training_step(self, batch, batch_idx):
        self.log("for_steps", batch.sum())
        self.log("both", batch.sum(), on_step=True, on_epoch=True)
        self.log("mean", batch.sum(), on_step=False, on_epoch=True)
        return self.net(batch).sum()

    def validation_step(self, batch, batch_idx):
        self.log("val_same", torch.tensor(3.0))

    def on_train_epoch_end(self):
        self.log("at_end", float(self.current_epoch))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.0)


def test_means_are_kept_and_single_steps_are_named(tmp_path, capsys):
    logged = LoggedMetrics()
    trainer = lightning.Trainer(
        max_epochs=3, callbacks=[logged], logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, num_sanity_val_steps=0, accelerator="cpu", default_root_dir=tmp_path,
    )  # fmt: skip
    rows = torch.tensor([[1.0], [2.0], [6.0]])
    trainer.fit(Port(), DataLoader(rows), DataLoader(rows))
    assert sorted(logged.at_steps) == ["both_step", "for_steps"]
    history = logged.history
    assert history.pop("at_end") == [0.0, 1.0, 2.0]  # what the module logs last is its epoch's
    assert history == {"both": [3.0] * 3, "both_epoch": [3.0] * 3, "mean": [3.0] * 3, "val_same": [3.0] * 3}
    assert len(logged.epoch_seconds) == 3 and '"mean": 3.0' in capsys.readouterr().out
