"""Callbacks in Lightning's own Trainer: they put weights and gradients in place, record, and change nothing else."""

from types import SimpleNamespace

import lightning
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from lightning_mlp.history import History
from lightning_mlp.model import LitMLP
from mlp_spec.support.errors import UserError
from parity.adapters.torch.record import (
    BatchRecorder,
    EpochReporter,
    GradientInjector,
    GradientRecorder,
    WeightInjector,
    take_apart,
)
from parity.adapters.torch.tensors import Binding
from parity.protocol.answer import describe_batches
from parity.protocol.start import initial_weights
from parity.protocol.tensors import dense_table

TABLE = dense_table([(12, 6), (6, 3)])
DRAW = np.random.default_rng(0)
IMAGES, LABELS = DRAW.random((20, 12), np.float32), DRAW.integers(0, 3, 20)
STARTS = [initial_weights(TABLE, seed) for seed in range(3)]


def build(cls=LitMLP):
    torch.manual_seed(0)
    return cls(input_size=12, hidden_sizes=(6,), num_classes=3, learning_rate=0.1)


def fit(module, *callbacks, epochs=1, **options):
    """Trains three batches of 8, 8 and 4 rows by the Trainer."""
    loader = DataLoader(list(zip(torch.from_numpy(IMAGES), torch.from_numpy(LABELS), strict=True)), batch_size=8)
    trainer = lightning.Trainer(
        accelerator="cpu", max_epochs=epochs, callbacks=list(callbacks), logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0, **options,
    )  # fmt: skip
    trainer.fit(module, loader, loader)
    return module


def weights_of(module):
    return torch.cat([value.detach().ravel() for value in module.parameters()])


def test_recording_leaves_training_as_it_is():
    alone, recorded = fit(build(), epochs=2), build()
    recorder = GradientRecorder(Binding(recorded, TABLE), sums=True, unchanged=True)
    fit(recorded, recorder, epochs=2)
    assert torch.equal(weights_of(alone), weights_of(recorded))
    assert recorder.all_losses().shape == (6,) and len(recorder.gradients) == 6
    assert np.array_equal(np.array(recorder.sums[:3]), describe_batches(IMAGES, LABELS, 8))


def test_every_batch_gets_its_own_weights():
    module = build()
    binding = Binding(module, TABLE)
    recorder = GradientRecorder(binding)
    fit(module, WeightInjector(binding, of_batch=lambda batch: STARTS[batch]), recorder)
    for number, start in enumerate(STARTS):
        alone = build()
        Binding(alone, TABLE, start)
        rows = slice(number * 8, number * 8 + 8)
        loss = alone.training_step((torch.from_numpy(IMAGES[rows]), torch.from_numpy(LABELS[rows])), 0)
        assert recorder.losses[number].item() == loss.item()
        loss.backward()
        assert np.array_equal(recorder.gradients[number]["dense/kernel"], alone.layers[0].weight.grad.numpy().T)


def test_an_epochs_start_and_what_is_validated_are_put_in_place():
    module, history, seen = build(), History(), []
    binding = Binding(module, TABLE)
    injector = WeightInjector(
        binding, of_epoch=lambda trainer: seen.append(trainer.current_epoch), of_validation=STARTS[1]
    )
    fit(module, injector, history, epochs=3)
    assert seen == [0, 1, 2]
    assert len(set(history.history["val_loss"])) == 1
    own, *later = history.history["loss"]  # what was validated stays in place
    assert later[0] == later[1] != own


def test_gradients_are_put_in_place_and_the_weights_kept_after_each_step():
    module = build()
    binding = Binding(module, TABLE, {path: array * 0 for path, array in STARTS[0].items()})
    gradients = np.arange(3 * 997, dtype=np.float32).reshape(3, 997)
    injector = GradientInjector(binding, gradients)
    fit(module, injector)
    assert injector.updates == 3 and len(injector.weights) == 3
    # w = -.1 g; a value of the kernel, in Keras's layout, has the gradient of its place
    assert injector.weights[0]["dense/kernel"][:5] == pytest.approx([-0.1 * value for value in range(5)])
    assert injector.weights[1]["dense_1/bias"][:3] == pytest.approx([-0.1 * (2 * v + 997) for v in range(3)])


def test_weights_are_kept_with_what_the_module_makes_of_them_behind_the_step():
    class Bounded(LitMLP):
        def on_train_batch_end(self, outputs, batch, batch_idx):
            with torch.no_grad():
                self.layers[0].weight.clamp_(-0.5, 0.5)

    module = build(Bounded)
    injector = GradientInjector(Binding(module, TABLE), np.full((3, 997), 9.0, np.float32))
    fit(module, injector)
    assert [weights["dense/kernel"][:3].tolist() for weights in injector.weights] == [[-0.5, -0.5, -0.5]] * 3


def test_a_step_that_returns_no_loss_is_refused():
    with pytest.raises(UserError, match="training_step returned nothing, and no loss of one number; it must"):
        BatchRecorder().on_train_batch_end(None, None, None, (torch.zeros(2), torch.zeros(2)), 0)
    with pytest.raises(UserError, match="training_step returned dict"):
        BatchRecorder().on_train_batch_end(None, None, {"loss": torch.zeros(2)}, (torch.zeros(2), torch.zeros(2)), 0)


def test_a_step_that_writes_into_its_batch_is_refused():
    class Writes(LitMLP):
        def training_step(self, batch, batch_idx):
            batch[0].mul_(2)
            return super().training_step(batch, batch_idx)

    with pytest.raises(UserError, match="training_step wrote into the batch it was given"):
        fit(build(Writes), BatchRecorder(unchanged=True))


@pytest.mark.parametrize("batch", [torch.zeros(3), (torch.zeros(3),), {"a": 1}, (torch.zeros(3), [1, 2])])
def test_a_batch_that_is_no_pair_of_tensors_is_refused(batch):
    with pytest.raises(UserError, match="a batch must be a pair of tensors, images and labels"):
        take_apart(batch)
    images, labels = take_apart([torch.zeros(3), torch.ones(3)])
    assert images.sum() == 0 and labels.sum() == 3


def test_every_finished_epoch_is_reported():
    reports, history = [], History()
    reporter = EpochReporter(history, lambda curves, seconds: reports.append((len(curves["val_acc"]), len(seconds))))
    fit(build(), history, reporter, epochs=2)
    assert reports == [(1, 1), (2, 2)]


def test_a_batchs_loss_is_whole_where_gradients_are_accumulated():
    recorder, batch = BatchRecorder(), (torch.zeros(1), torch.zeros(1))
    for every, divided in ((1, 2.0), (4, 0.5)):  # Lightning divides it by the batches of an update
        trainer = SimpleNamespace(accumulate_grad_batches=every)
        recorder.on_train_batch_end(trainer, None, {"loss": torch.tensor(divided)}, batch, 0)
    assert recorder.all_losses().tolist() == [2.0, 2.0]
