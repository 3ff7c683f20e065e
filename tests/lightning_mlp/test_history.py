"""The History callback: Keras's curves, with Keras's averages."""

import lightning
import pytest
import torch
import torch.nn.functional as F

from lightning_mlp.data import MNISTDataModule
from lightning_mlp.history import History
from lightning_mlp.model import LitMLP


def fit(model, module, *callbacks, epochs=1):
    trainer = lightning.Trainer(
        accelerator="cpu", max_epochs=epochs, callbacks=list(callbacks), logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0,
    )  # fmt: skip
    trainer.fit(model, module)


def test_the_averages_are_keras():
    """Training: mean over samples of each batch's loss *before* its update; validation: after the epoch."""

    class Listening(LitMLP):
        def training_step(self, batch, batch_idx):
            logits = self(batch[0])
            losses.append(F.cross_entropy(logits, batch[1], reduction="none").detach())
            hits.append(logits.argmax(1) == batch[1])
            return super().training_step(batch, batch_idx)

    losses, hits = [], []
    module = MNISTDataModule("mnist-sample", batch_size=64)  # 4,000 = 62 * 64 + 32: the last batch is smaller
    model, history = Listening(), History()
    fit(model, module, history)
    images, labels = module.val_set.tensors
    with torch.no_grad():
        val_logits = model(images)
    expected = {
        "loss": torch.cat(losses).double().mean().item(),
        "acc": torch.cat(hits).double().mean().item(),
        "val_loss": F.cross_entropy(val_logits, labels).item(),
        "val_acc": (val_logits.argmax(1) == labels).double().mean().item(),
    }
    assert list(history.history) == list(expected)
    for name, value in expected.items():
        assert history.history[name] == [pytest.approx(value, rel=1e-6)]
    unweighted = torch.stack([batch.mean() for batch in losses]).mean().item()
    assert abs(unweighted - expected["loss"]) > 1e-5  # a mean of batch means would have been seen


def test_one_number_an_epoch_and_its_seconds():
    history = History()
    fit(LitMLP(hidden_sizes=(2,)), MNISTDataModule("mnist-sample", batch_size=1000), history, epochs=3)
    assert {len(curve) for curve in history.history.values()} == {3} == {len(history.epoch_seconds)}
    assert all(seconds > 0 for seconds in history.epoch_seconds)
    restored = History()
    restored.load_state_dict(history.state_dict())
    assert restored.history == history.history


def test_a_module_that_logs_too_little_is_refused():
    class Silent(LitMLP):
        def on_validation_epoch_end(self):
            pass

    with pytest.raises(RuntimeError, match="logged no val_loss, val_acc in epoch 1"):
        fit(Silent(hidden_sizes=(2,)), MNISTDataModule("mnist-sample", batch_size=1000), History())
