"""A pass of a loader is an epoch's rows in their order, or the validation's."""

from types import SimpleNamespace

import numpy as np

from parity.adapters.torch.epochs import Epochs, Validation

Y = np.arange(50) % 7


class Served:
    """Serves rows by their numbers."""

    def batches(self, split, order, size):
        for start in range(0, len(order), size):
            yield split, Y[order[start : start + size]]

    def count(self, split):
        return 20

    def batch_size(self, split):
        return 8


SERVED = Served()


def test_every_pass_of_a_loader_is_the_epoch_that_the_trainer_is_in():
    loader = Epochs(SERVED, lambda epoch: np.arange(10) + epoch, 8)
    loader.module = SimpleNamespace(trainer=SimpleNamespace(current_epoch=3))
    assert len(loader) == 2
    passed = iter(loader)  # made early, as Lightning does
    loader.module.trainer.current_epoch = 4
    assert next(passed)[1].tolist() == Y[4:12].tolist()


def test_the_validation_is_served_in_batches_as_large_as_the_users():
    loader = Validation(SERVED)
    assert len(loader) == 3 and [len(labels) for _, labels in loader] == [8, 8, 4]
