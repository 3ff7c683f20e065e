"""What an epoch's number is of its batches is found from them; it becomes Keras's mean, and a training goes on."""

from types import SimpleNamespace

import lightning
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from parity.adapters.torch.logged import LoggedMetrics
from parity.adapters.torch.means import RightAnswers
from parity.adapters.torch.undo.difference import Built
from parity.adapters.torch.undo.logged import EPOCHS, RIGHT, UNDOS, Law, Watched

X, Y = torch.arange(10.0).reshape(10, 1) / 10 - 0.4, torch.tensor([0, 1] * 5)
BATCHES = [(X[start : start + 4], Y[start : start + 4]) for start in (0, 4, 8)]
CHANGES = {undo.id: undo.change for undo in UNDOS}


class Port(lightning.LightningModule):
    """Logs `law` of the losses of an epoch, and of its validation."""

    def __init__(self, law, stops=False):
        super().__init__()
        torch.manual_seed(0)
        self.net, self.law, self.stops = nn.Linear(1, 2), law, stops
        self.kept, self.right = [], []

    def forward(self, x):
        return self.net(x)

    def on_train_epoch_start(self):
        self.kept = self.kept if self.law == "goes on" else []

    def training_step(self, batch, batch_idx):
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.kept.append((len(batch[0]), loss.item()))
        self.log("mae", loss * 2, on_step=False, on_epoch=True, batch_size=1)
        return loss

    def on_validation_epoch_start(self):
        self.losses, self.right = [], []

    def validation_step(self, batch, batch_idx):
        output = self(batch[0])
        self.losses.append(F.cross_entropy(output, batch[1], reduction="sum").item())
        self.right.append((output.argmax(dim=1) == batch[1]).double().mean().item())

    def on_validation_epoch_end(self):
        self.log_dict({"val_loss": sum(self.losses) / len(X), "val_acc": np.mean(self.right)})

    def on_train_epoch_end(self):
        rows, losses = np.array(self.kept).T
        laws = {"right": rows @ losses / rows.sum(), "goes on": rows @ losses / rows.sum(), "last": losses[-1]}
        laws |= {"means": losses.mean(), "sum": losses.sum(), "of rows": losses.sum() / rows.sum()}
        self.log("train_loss", laws.get(self.law, losses.max() + 1))
        self.trainer.should_stop = self.stops and self.current_epoch == 1

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.5)


def watched(law, tmp_path, stops=False, goes_on=False) -> Watched:
    """Trains a port for three epochs; returns what was noted."""
    right = RightAnswers((Y.numpy(), Y.numpy()), lambda epoch: np.arange(10), lambda output: output)
    logged, kept = LoggedMetrics(), []
    compared = lambda names: [name for name in names if name != "lr"]  # noqa: E731
    watch = Watched(logged, right, compared, lambda batch: len(batch[0]), goes_on, kept.append)
    trainer = lightning.Trainer(
        max_epochs=3, callbacks=[logged, right, watch], logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0, accelerator="cpu",
        default_root_dir=tmp_path,
    )  # fmt: skip
    loaders = [torch.utils.data.DataLoader(BATCHES, batch_size=None) for _ in range(2)]
    trainer.fit(Port(law, stops), *loaders)
    assert kept == [watch]
    return watch


def undo(id: str, watch: Watched) -> list[str]:
    """Undoes a difference."""
    facts = SimpleNamespace(plan=SimpleNamespace(epochs=3))
    return CHANGES[id](Built(None, facts, 0, lambda number: {}, training=watch))


@pytest.mark.parametrize(
    ("law", "id", "text"),
    [
        ("means", "mean-of-means", "train_loss is sum(l) / batches of the steps' losses, Keras's is sum(n l) / sum(n)"),
        ("last", "last-batch-loss", "train_loss is the last batch's of the steps' losses"),
        ("sum", "loss-total", "train_loss is sum(l) of the steps' losses"),
        ("of rows", "loss-total", "train_loss is sum(l) / rows of the steps' losses"),
        ("goes on", "not-reset", "train_loss is taken over all epochs so far: reset"),
    ],
)
def test_the_law_of_an_epochs_loss_is_found_and_its_loss_is_keras_mean(law, id, text, tmp_path):
    watch = watched(law, tmp_path)
    right = watched("right", tmp_path).logged.kept["train_loss"]
    assert watch.logged.kept["train_loss"][1:] != pytest.approx(right[1:])
    for other in {*CHANGES} - {id, "mean-of-means"}:
        assert undo(other, watch) == []
    assert any(line.startswith(text) for line in undo(id, watch))
    assert watch.logged.kept["train_loss"] == pytest.approx(right) and undo(id, watch) == []


def test_metrics_of_steps_and_right_answers_have_laws_and_what_is_right_stays(tmp_path):
    watch = watched("right", tmp_path)
    before = {name: list(values) for name, values in watch.logged.kept.items()}
    lines = undo("mean-of-means", watch)
    assert len(lines) == 2 and lines[0].startswith("val_acc is sum(l) / batches of the shares of right answers")
    assert "mae is sum(l) / batches of mae" in lines[1] and "self.log('mae', ..., on_step=False" in lines[1]
    changed = {name for name, values in watch.logged.kept.items() if values != before[name]}
    assert changed == {"mae", "val_acc"}
    losses = watch.logged.kept["train_loss"]
    assert watch.logged.kept["mae"] == pytest.approx([2 * loss for loss in losses])
    assert watch.logged.kept["val_acc"] == pytest.approx(watch.right.curves["val_accuracy"])


def test_a_number_of_no_known_law_stays(tmp_path):
    watch = watched("largest", tmp_path)
    assert watch.law_of("train_loss") is None
    before = list(watch.logged.kept["train_loss"])
    assert not any("train_loss" in line for id in CHANGES for line in undo(id, watch))
    assert watch.logged.kept["train_loss"] == before


def test_two_laws_are_undone_one_after_the_other():
    epochs = [[(4, 1.0), (2, 4.0)], [(4, 0.5), (2, 2.0)]]
    law = Law(RIGHT, 1, True)
    assert law.ids == {"mean-of-means", "not-reset"} and law.of(epochs).tolist() == [2.5, 1.875]
    assert law._replace(number=0).of(epochs).tolist() == [2.0, 1.5]
    assert law._replace(goes_on=False).of(epochs).tolist() == [2.5, 1.25]


def test_a_training_that_the_module_stops_goes_on_where_that_is_undone(tmp_path):
    short, whole = watched("right", tmp_path, stops=True), watched("right", tmp_path, stops=True, goes_on=True)
    assert len(short.logged.epoch_seconds) == 2 and undo(EPOCHS, short) == []
    assert len(whole.logged.epoch_seconds) == 3
    (line,) = undo(EPOCHS, whole)
    assert line.startswith("test_logged.py, line ") and line.endswith("stops after 2 of 3 epochs: leave it out")
