"""What a module expects of its Trainer is there: nothing ends the parts that validate nothing, nor lacks its data."""

import contextlib

import lightning
import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from torch import nn
from torch.utils.data import DataLoader

from mlp_spec.support.errors import UserError
from parity.adapters.torch.surroundings import DataModule, WithoutValidation, mixed_precision, without_own_callbacks


class Port(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(3, 1)

    def setup(self, stage):
        self.seen = self.trainer.datamodule

    def training_step(self, batch, batch_idx):
        return self.net(batch).mean()

    def configure_optimizers(self):
        optimizer = torch.optim.SGD(self.parameters(), 0.1)
        scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "monitor": "val_loss"}}


def train(callbacks: list) -> lightning.Trainer:
    trainer = lightning.Trainer(
        accelerator="cpu", max_epochs=2, callbacks=callbacks, logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(Port(), DataLoader(torch.ones(8, 3), batch_size=4))
    return trainer


@pytest.mark.filterwarnings("ignore")
def test_a_scheduler_without_its_metric_is_skipped():
    assert train([WithoutValidation()]).current_epoch == 2


@pytest.mark.filterwarnings("ignore")
def test_lightning_alone_ends_the_run():
    with pytest.raises(MisconfigurationException, match="val_loss"):
        train([])


@pytest.mark.filterwarnings("ignore")
def test_an_early_stopping_without_its_metric_waits():
    assert train([WithoutValidation(), EarlyStopping("val_loss")]).current_epoch == 2


@pytest.mark.filterwarnings("ignore")
def test_a_module_sees_the_users_data_module_which_is_not_torn_down():
    class Data(lightning.LightningDataModule):
        torn = False

        def teardown(self, stage):
            self.torn = True

    data = Data()
    trainer = train([WithoutValidation(), DataModule(data)])
    assert trainer.lightning_module.seen is data and not data.torn and trainer.datamodule is None


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("on_instance", [False, True])
def test_a_module_s_own_callbacks_are_left_out_and_come_back(on_instance):
    def own(self=None):
        return EarlyStopping("loss", patience=1)

    module = type("Own", (Port,), {} if on_instance else {"configure_callbacks": own})()
    if on_instance:
        module.configure_callbacks = own
    module.configure_optimizers = lambda: torch.optim.SGD(module.parameters(), 0.0)
    module.training_step = lambda batch, batch_idx: module.log("loss", 1.0) or module.net(batch).mean()
    options = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "accelerator": "cpu"}
    ended = []
    for surrounding in (without_own_callbacks(module), contextlib.nullcontext()):
        trainer = lightning.Trainer(max_epochs=3, enable_model_summary=False, **options)
        with surrounding:
            trainer.fit(module, DataLoader(torch.ones(8, 3), batch_size=4))
        ended.append(trainer.current_epoch)
    assert ended == [3, 2] and module.configure_callbacks().patience == 1


@pytest.mark.filterwarnings("ignore:.*(historical reasons|not supported on CPU)")
@pytest.mark.parametrize("given", ["bf16-mixed", "16-mixed", "bf16", 16, "32", "32-true", 64, None])
def test_the_names_of_a_mixed_precision_are_lightnings_own(given):
    ours = mixed_precision({} if given is None else {"precision": given}, "pair.py").get("precision", "32-true")
    theirs = lightning.Trainer(accelerator="cpu", logger=False, precision=given or "32-true").precision
    on_cpu = {"16-mixed": "bf16-mixed"}.get(ours, ours)
    assert on_cpu == ("32-true" if theirs == "64-true" else theirs)


def test_another_precision_is_refused():
    with pytest.raises(UserError, match="returned precision='16-true', which cannot be compared; allowed: bf16-mixed"):
        mixed_precision({"precision": "16-true"}, "pair.py")
