"""Lightning's seeds of a study: each is stored with its curves, ours or a user's own module's."""

import pytest
import torch

from lightning_mlp.data import MNISTDataModule
from mlp_spec.experiment import DataSpec, Experiment, ModelSpec, TrainingSpec
from parity.adapters.torch.seeds import SeedData, limit_threads, train_one
from parity.pair import Pair
from parity.protocol.task import SeedsTask, Task

EXPERIMENT = Experiment(ModelSpec((4,)), TrainingSpec(epochs=1, batch_size=500), DataSpec("mnist-sample"))


class OwnData(MNISTDataModule):
    """A user's own data module."""


class Plain:
    """No LightningModule."""

    def __init__(self, **numbers):
        pass


@pytest.fixture(scope="module")
def digits():
    """The offline sample."""
    data = MNISTDataModule(dataset="mnist-sample")
    data.prepare_data()
    return data.digits


def make_task(**options) -> Task:
    pair = Pair(EXPERIMENT, "mnist-sample", **options)
    return Task(("seeds",), "", pair, seeds=SeedsTask((3,), "store", threads=1))


def test_a_seed_trains_all_epochs_and_tells_each(digits):
    task, alive = make_task(), []
    results = train_one(task, EXPERIMENT, SeedData(task.pair, digits), lambda: alive.append(1))
    assert results.epochs == len(alive) == 1 and 0 <= results.history["val_acc"][0] <= 1
    again = train_one(task, EXPERIMENT, SeedData(task.pair, digits), lambda: None)
    assert again.history == results.history


def test_a_candidate_that_is_no_lightningmodule_is_refused(digits):
    task = make_task(candidate=f"{__file__}:Plain")
    with pytest.raises(TypeError, match="the candidate is a Plain; it must be a LightningModule"):
        train_one(task, EXPERIMENT, SeedData(task.pair, digits), lambda: None)


def test_our_data_modules_tensors_are_made_once_and_a_users_own_each_time(digits):
    data = SeedData(make_task().pair, digits)
    first, second = data.build(EXPERIMENT), data.build(EXPERIMENT)
    assert first is not second and first.train_set is second.train_set
    own = SeedData(make_task(candidate_datamodule=f"{__file__}:OwnData").pair, digits).build(EXPERIMENT)
    assert type(own).__name__ == "OwnData" and own.train_set is None and own.batch_size == 500


def test_compiled_seeds_run_many_steps_at_once(digits):
    assert SeedData(make_task(compiled=True).pair, digits).build(EXPERIMENT).steps_per_execution == 100
    assert SeedData(make_task().pair, digits).build(EXPERIMENT).steps_per_execution is None


def test_threads_are_limited_and_never_raised(monkeypatch):
    set_to = []
    monkeypatch.setattr(torch, "set_num_threads", set_to.append)
    for threads, now in ((1, 4), (8, 2)):
        monkeypatch.setattr(torch, "get_num_threads", lambda now=now: now)
        limit_threads(SeedsTask((), "", threads=threads))
    assert set_to == [1, 2]
