"""Training on a GPU; reported as not run where there is none."""

import pytest
import torch

from lightning_mlp import train
from lightning_mlp.data import MNISTDataModule
from lightning_mlp.device import exact_products
from lightning_mlp.history import History
from mlp_spec.experiment import PRESETS

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="NOT RUN: needs a CUDA GPU")


def trained(preset, block=None, compiled=False):
    experiment = PRESETS[preset]
    data = MNISTDataModule("mnist-sample", steps_per_execution=block)
    torch.manual_seed(0)
    model = train.build(experiment, train.fast_module(compiled) if block else None)
    history = History()
    train.make_trainer(experiment, "gpu", [history], limit_train_batches=None).fit(model, data)
    return model, data, history.history


@needs_gpu
@pytest.mark.gpu
@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("preset", PRESETS)
def test_captured_steps_are_the_default_path_to_rounding(preset, compiled):
    _, data, curves = trained(preset)
    assert data.train_set.device.type == "cuda"
    model, _, same = trained(preset, 100, compiled)
    assert model.why_not is None and model.whole_step.graph is not None
    for name, values in curves.items():
        assert same[name] == pytest.approx(values, abs=2e-3), name


@needs_gpu
@pytest.mark.gpu
def test_a_gpu_takes_the_fast_path_without_further_flags(tmp_path, capfd):
    flags = ["--accelerator", "gpu", "--dataset", "mnist-sample", "--epochs", "1"]
    assert train.main([*flags, "--output-dir", str(tmp_path / "run")]) == 0
    assert "Captured in" in capfd.readouterr().out


def test_float32_products_stay_exact_unless_asked_for():
    """TF32 (10 bits) is off in PyTorch's products by default, and neither Lightning nor we turn it on."""
    train.make_trainer(PRESETS["small"], "cpu", [])
    assert torch.get_float32_matmul_precision() == "highest"
    assert not torch.backends.cuda.matmul.allow_tf32


def test_convolutions_are_exact_where_they_are_compared(monkeypatch):
    """TF32 is on in cuDNN's convolutions by default."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    exact_products()
    assert not torch.backends.cudnn.allow_tf32


@needs_gpu
@pytest.mark.gpu
def test_a_convolution_on_a_gpu_is_exact_to_rounding(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    images, kernels = torch.randn(8, 16, 12, 12), torch.randn(8, 16, 3, 3)
    right = torch.nn.functional.conv2d(images.double(), kernels.double())

    exact_products()
    ours = torch.nn.functional.conv2d(images.cuda(), kernels.cuda()).cpu()
    assert float((ours - right).abs().max() / right.abs().max()) < 1e-6
