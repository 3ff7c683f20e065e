"""Lightning as tutorials write it: the preset's layers and optimizer, and it learns the full MNIST."""

import json

import pytest
import torch
from conftest import run_python

from benchmarks import bench
from benchmarks.contenders.tutorial import make_module
from mlp_spec.experiment import PRESETS


@pytest.mark.parametrize(("preset", "kind"), [("small", torch.optim.SGD), ("bigger", torch.optim.Adam)])
def test_the_module_has_the_presets_layers_and_optimizer(preset, kind):
    experiment = PRESETS[preset]
    module = make_module(experiment)
    sizes = [(layer.in_features, layer.out_features) for layer in module.layers if isinstance(layer, torch.nn.Linear)]
    assert tuple(sizes) == experiment.model.layer_sizes
    assert type(module.configure_optimizers()) is kind
    assert module.configure_optimizers().defaults["lr"] == experiment.training.optimizer.learning_rate
    assert module(torch.rand(2, 1, 28, 28)).shape == (2, 10)


@pytest.mark.full
def test_it_learns_the_full_mnist(full_mnist, tmp_path):
    flags = ["--dataset", "mnist", "--data-dir", full_mnist, "--epochs", "1", "--output-dir", tmp_path / "run"]
    ended = run_python("-m", bench.CONTENDERS["tutorial"].module, *flags)
    assert ended.status == 0, ended
    assert json.loads((tmp_path / "run" / "history.json").read_text())["val_acc"][0] > 0.6
