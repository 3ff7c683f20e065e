"""The candidate's side: its module and data module are built as asked, ours or a user's, and predict as they are."""

from dataclasses import replace

import lightning
import numpy as np
import pytest
import torch

from keras_like.optimizers import KerasAdam
from lightning_mlp import train
from lightning_mlp.model import LitMLP
from mlp_spec.experiment import DataSpec, Experiment, ModelSpec, TrainingSpec
from mlp_spec.optimizers import Adam
from parity.adapters.torch.candidate import Candidate
from parity.pair import Pair
from parity.protocol.start import initial_weights
from parity.protocol.task import Task, received
from parity.protocol.tensors import dense_table

EXPERIMENT = Experiment(ModelSpec((6,)), TrainingSpec(Adam(), batch_size=16, seed=3), DataSpec("mnist-sample"))
TABLE = dense_table(list(EXPERIMENT.model.layer_sizes))


@pytest.fixture
def make_candidate(monkeypatch):
    """Makes candidates that leave this process's threads and environment alone."""
    monkeypatch.setattr(train, "keep_compiled_code", lambda: None)
    monkeypatch.setattr(train, "use_threads", lambda *_: None)

    def make(experiment=EXPERIMENT, backend="tensorflow", **options):
        return Candidate(Task((), "", Pair(experiment, "mnist-sample", **options), backend=backend))

    return make


def test_it_says_on_what_it_runs(make_candidate, capsys):
    candidate = make_candidate()
    (event,) = filter(None, map(received, capsys.readouterr().out.splitlines()))
    assert event == {"event": "start", "device": "cpu", "dataset": "mnist-sample"}
    assert (candidate.device, candidate.seed, candidate.batch_size) == ("cpu", 3, 16)


def test_our_module_is_built_from_its_seed(make_candidate):
    candidate = make_candidate()
    first, again, other = candidate.build(), candidate.build(3), candidate.build(4)
    assert isinstance(first, LitMLP) and isinstance(first.configure_optimizers(), KerasAdam)
    weights = [model.layers[0].weight for model in (first, again, other)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])


def test_the_models_precision_is_the_experiments(make_candidate):
    double = replace(EXPERIMENT, training=replace(EXPERIMENT.training, precision="float64"))
    assert {value.dtype for value in make_candidate(double).build().parameters()} == {torch.float64}
    # TensorFlow alone rounds the constants to float32
    assert make_candidate(double).build().hparams.float32_constants
    assert not make_candidate(double, backend="jax").build().hparams.float32_constants


def test_the_data_module_serves_the_prescribed_order(make_candidate):
    data = make_candidate().prepared_datamodule(order=lambda epoch: np.array([5, 3, 4]))
    (batch,) = list(data.train_dataloader())
    digits = data.digits
    assert np.array_equal(batch[1].numpy(), digits.train_labels[[5, 3, 4]])


def test_predictions_are_probabilities_also_of_logits(make_candidate):
    candidate = make_candidate()
    weights = initial_weights(TABLE, seed=0)
    images = torch.rand(8, 784, generator=torch.Generator().manual_seed(0))
    module = candidate.build()
    from parity.adapters.torch.tensors import Binding

    binding = Binding(module, TABLE)
    probabilities = candidate.predict(binding, weights, [images[:5], images[5:]])
    assert probabilities.shape == (8, 10) and np.allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    module.predict_step = module.forward
    assert np.allclose(candidate.predict(binding, weights, [images]), probabilities, atol=1e-6)
    module.predict_step = lambda batch: module(batch).argmax(dim=1)
    with pytest.raises(ValueError, match=r"predict_step returned \(8,\); it must be \(batch, 10\)"):
        candidate.predict(binding, weights, [images])


def test_it_is_trained_by_the_trainer_of_the_training_command(make_candidate, monkeypatch):
    asked = []

    class Trainer:
        def fit(self, module, train_dataloaders=None, datamodule=None):
            asked.append((module, train_dataloaders, datamodule))

    def make_trainer(experiment, device, callbacks, **options):
        asked.append((experiment.training.epochs, device, callbacks, options))
        return Trainer()

    monkeypatch.setattr(train, "make_trainer", make_trainer)
    from parity.adapters.torch.tensors import Binding

    binding = Binding(make_candidate().build(), TABLE)
    make_candidate().fit(binding, ["callback"], loader="batches", epochs=2, limit_val_batches=0)
    assert asked == [(2, "cpu", ["callback"], {"limit_val_batches": 0}), (binding.module, "batches", None)]
    assert isinstance(binding.module, lightning.LightningModule)
