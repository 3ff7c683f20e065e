"""What a training logs, when it stops, and which loaders it is given."""

from types import SimpleNamespace

import torch
from torch import nn
from torch.utils.data import DataLoader, RandomSampler, SequentialSampler, TensorDataset

from parity.selftest.planted import trainings
from parity.selftest.planted.trainings import Served, training_loader


class Module(nn.Module):
    """Keeps what is logged, as a training does whose batch is the last one or not."""

    def __init__(self, is_last_batch=False, epoch=0):
        super().__init__()
        self.logged, self.current_epoch = [], epoch
        self.trainer = SimpleNamespace(
            is_last_batch=is_last_batch, validating=False, max_epochs=5, should_stop=False, current_epoch=epoch
        )

    def log(self, name, value, **options):
        """Keeps it."""
        self.logged.append((name, value, options))


def test_a_log_is_another_one():
    module = Module()
    trainings.with_log(lambda self, by, name, value, **options: by(self, name, 2 * value, **options))(module)
    module.log("train_loss", 3, on_epoch=True)
    assert module.logged == [("train_loss", 6, {"on_epoch": True})]


def test_the_last_batch_alone_is_logged_of_a_training():
    for is_last in (False, True):
        module = Module(is_last)
        trainings.with_log(trainings.log_last)(module)
        module.log("train_loss", 1)
        module.log("val_loss", 2)
        assert [name for name, *_ in module.logged] == ["train_loss"] * is_last + ["val_loss"]


def test_a_mean_goes_on_over_all_epochs():
    module = Module()
    trainings.never_reset(module)
    for value, rows, is_last in ((1.0, 2, False), (4.0, 1, True), (8.0, 3, True)):
        module.trainer.is_last_batch = is_last
        module.log("train_loss", torch.tensor(value))
        module.on_train_batch_end({}, [torch.ones(rows, 1), torch.ones(rows)], 0)
    module.log("val_loss", 9.0)
    # (2 1 + 4) / 3, and with three rows of 8: (6 + 24) / 6
    assert [one[:2] for one in module.logged] == [("train_loss", 2.0), ("train_loss", 5.0), ("val_loss", 9.0)]


def test_a_training_stops_after_two_epochs():
    for epoch in range(3):
        module = Module(epoch=epoch)
        trainings.stop_early(module)
        assert module.trainer.should_stop == (epoch == 1)


def test_a_loader_is_another_one():
    loader = DataLoader(TensorDataset(torch.arange(5)), 2, shuffle=True)
    data = SimpleNamespace(train_dataloader=lambda: loader, val_dataloader=lambda: loader, batch_size=2)
    served = Served(data, train_dataloader=training_loader)
    assert isinstance(served.train_dataloader().sampler, SequentialSampler) and served.batch_size == 2
    assert isinstance(served.val_dataloader().sampler, RandomSampler)
