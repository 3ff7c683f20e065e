"""Right answers are counted from what `forward` returns in the steps of a real Trainer, whatever is logged."""

import lightning
import numpy as np
import pytest
import torch
from torch import nn

from lightning_mlp import train
from parity.adapters.torch.means import RightAnswers, classes_of, predicted_classes

train.quieten()
Y = np.array([0, 1, 2, 1, 0])
OUTPUTS = torch.eye(3)[[0, 1, 2, 2, 0]]  # four of five are right


class Port(lightning.LightningModule):
    """Answers from a table, by the number in each row; `skips` training steps that do not call it."""

    def __init__(self, outputs=OUTPUTS, skips=False):
        super().__init__()
        self.outputs, self.skips, self.scale = outputs, skips, nn.Parameter(torch.ones(()))

    def forward(self, rows):
        return self.outputs[rows] * self.scale

    def training_step(self, batch, batch_idx):
        return self.scale * 0.0 if self.skips else self(batch).sum() * 0.0

    def validation_step(self, batch, batch_idx):
        self(batch)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.0)


def counted(module, labels=(Y, Y[:2]), turn=lambda output: output):
    """The curves of two epochs, the second in reverse order."""
    orders = [np.arange(5), np.arange(5)[::-1]]
    right = RightAnswers(labels, orders.__getitem__, turn)

    class Order(lightning.LightningDataModule):
        def train_dataloader(self):
            order = torch.tensor(orders[self.trainer.current_epoch].copy())
            return torch.utils.data.DataLoader(order, 2)

        def val_dataloader(self):
            return torch.utils.data.DataLoader(torch.arange(2), 2)

    options = {"logger": False, "enable_progress_bar": False, "enable_checkpointing": False}
    trainer = lightning.Trainer(
        max_epochs=2, accelerator="cpu", callbacks=[right], num_sanity_val_steps=0, enable_model_summary=False,
        reload_dataloaders_every_n_epochs=1, **options,
    )  # fmt: skip
    trainer.fit(module, datamodule=Order())
    assert not module._forward_hooks
    return right.curves


def test_right_answers_are_counted_in_every_epoch():
    assert counted(Port()) == {"accuracy": [0.8, 0.8], "val_accuracy": [1.0, 1.0]}


def test_one_hot_labels_are_classes_too():
    assert counted(Port(), (np.eye(3)[Y], np.eye(3)[Y[:2]]))["accuracy"] == [0.8, 0.8]


def test_one_probability_is_right_above_a_half():
    outputs, labels = torch.tensor([-1.0, 1.0, 1.0, -1.0, 1.0])[:, None], np.array([[0], [1], [1], [0], [0]])
    curves = counted(Port(outputs), (labels, labels[:2]), torch.sigmoid)
    assert curves == {"accuracy": [0.8, 0.8], "val_accuracy": [1.0, 1.0]}


@pytest.mark.parametrize(
    ("module", "labels"),
    [
        (Port(skips=True), (Y, Y[:2])),
        (Port(torch.ones(5, 3, 2)), (Y, Y[:2])),
        (Port(), (Y + 0.5, Y[:2])),
        (Port(), (np.ones((5, 2, 2)), Y[:2])),
    ],
)
def test_what_cannot_be_counted_has_no_accuracy(module, labels):
    assert counted(module, labels)["accuracy"] == []


def test_targets_with_weights_are_their_targets():
    rows = np.zeros(5, [("target", np.int64), ("weight", np.float32)])
    rows["target"] = Y
    assert counted(Port(), (rows, rows[:2])) == {"accuracy": [0.8, 0.8], "val_accuracy": [1.0, 1.0]}


def test_classes():
    assert classes_of(np.array([[1.0], [0.0]])).tolist() == [1, 0]
    assert predicted_classes((1, 2), lambda output: output) is None
