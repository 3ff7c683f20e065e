"""MNISTDataModule: shapes, scaling, batches, shuffling, and Lightning's hooks around it."""

import lightning
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from lightning_mlp.data import EpochBatches, MNISTDataModule, download, hold
from lightning_mlp.model import LitMLP


@pytest.fixture(scope="module")
def module():
    module = MNISTDataModule("mnist-sample")
    module.setup("fit")
    return module


def test_a_batch_is_a_pair_of_float_images_and_integer_labels(module):
    images, labels = next(iter(module.train_dataloader()))
    assert (images.shape, images.dtype) == ((32, 784), torch.float32)
    assert (labels.shape, labels.dtype) == ((32,), torch.int64)
    assert images.min() >= 0 and 0.9 < images.max() <= 1


def test_every_sample_is_seen_once_an_epoch_and_the_partial_batch_is_kept():
    module = MNISTDataModule("mnist-sample", batch_size=48)
    module.setup()
    batches = list(module.train_dataloader())
    assert [len(labels) for _, labels in batches] == [48] * 83 + [16]
    assert len(module.train_dataloader()) == 84
    seen = torch.cat([images for images, _ in batches])
    assert torch.equal(seen.sum(dim=1).sort().values, module.train_set.tensors[0].sum(dim=1).sort().values)


def test_images_and_labels_stay_together(module):
    images, labels = module.train_set.tensors
    module.order = lambda epoch: np.arange(3999, -1, -1)
    first = next(iter(module.train_dataloader()))
    module.order = None
    assert torch.equal(first[0], images[-32:].flip(0)) and torch.equal(first[1], labels[-32:].flip(0))


def test_validation_is_whole_and_in_order(module):
    labels = torch.cat([labels for _, labels in module.val_dataloader()])
    assert torch.equal(labels, module.val_set.tensors[1])


def test_epochs_are_shuffled_differently_and_a_seed_repeats_them(module):
    again, reseeded = MNISTDataModule("mnist-sample"), MNISTDataModule("mnist-sample", seed=1)
    again.setup(), reseeded.setup()
    orders = [module.shuffled(0), module.shuffled(1), reseeded.shuffled(0)]
    assert torch.equal(orders[0], again.shuffled(0))
    assert all(torch.equal(order.sort().values, torch.arange(4000)) for order in orders)
    assert not torch.equal(orders[0], orders[1]) and not torch.equal(orders[0], orders[2])


@pytest.mark.filterwarnings("ignore:Be aware that when using")
def test_lightning_tells_the_sampler_each_epoch_also_after_a_resume(tmp_path):
    def fit(epochs, checkpoint=None):
        epochs_seen, path = [], checkpoint and tmp_path / checkpoint
        saving = [] if path else [ModelCheckpoint(tmp_path, "{epoch}", save_top_k=-1, save_on_train_epoch_end=True)]
        module = MNISTDataModule("mnist-sample", batch_size=1000)
        module.order = lambda epoch: (epochs_seen.append(epoch), np.arange(4000))[1]
        trainer = lightning.Trainer(
            accelerator="cpu", max_epochs=epochs, logger=False, default_root_dir=tmp_path, enable_progress_bar=False,
            enable_model_summary=False, num_sanity_val_steps=0, callbacks=saving, enable_checkpointing=bool(saving),
        )  # fmt: skip
        trainer.fit(LitMLP(hidden_sizes=(2,)), module, ckpt_path=path, weights_only=True)
        return epochs_seen[1:]  # the first question was how many samples an epoch visits

    assert fit(4) == [0, 1, 2, 3]
    assert fit(4, "epoch=0.ckpt") == [1, 2, 3]
    assert fit(4, "epoch=2.ckpt") == [3]


def test_lightnings_transfer_hooks_see_every_batch():
    seen = []

    class Listening(MNISTDataModule):
        def transfer_batch_to_device(self, batch, device, dataloader_idx):
            seen.append(len(batch))
            return super().transfer_batch_to_device(batch, device, dataloader_idx)

    trainer = lightning.Trainer(
        accelerator="cpu", max_epochs=1, limit_train_batches=4, num_sanity_val_steps=0, logger=False,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(LitMLP(), Listening("mnist-sample"))
    assert seen == [2] * (4 + 1)


def test_pixels_are_divided_not_multiplied():
    pixels = np.arange(256, dtype=np.uint8)
    images = np.zeros((1, 28, 28), np.uint8)
    images.reshape(-1)[:256] = pixels
    scaled = hold(images, np.zeros(1, np.uint8)).tensors[0][0, :256].numpy()
    np.testing.assert_array_equal(scaled, pixels.astype(np.float32) / np.float32(255))
    multiplied = pixels.astype(np.float32) * np.float32(1 / 255)
    assert np.count_nonzero(scaled != multiplied) == 126


def test_batches_cut_the_order():
    batches = EpochBatches(5, 2, lambda epoch: np.array([4, 3, 2, 1, 0]) if epoch else np.arange(5))
    assert [batch.tolist() for batch in batches] == [[0, 1], [2, 3], [4]]
    batches.set_epoch(1)
    assert [batch.tolist() for batch in batches] == [[4, 3], [2, 1], [0]]


def test_downloads_use_https_only(monkeypatch, tmp_path):
    from torchvision.datasets import mnist

    urls = []

    def refuse(url, *args, **kwargs):
        urls.append(url)
        raise RuntimeError("no network")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(mnist, "download_and_extract_archive", refuse)
    with pytest.raises(RuntimeError, match="no network"):
        download()
    assert urls and all(url.startswith("https://") for url in urls)
    assert any(url.startswith("http://") for url in mnist.MNIST.mirrors), "torchvision mended its list: simplify"


@pytest.mark.full
def test_torchvisions_loader_gives_the_same_digits(full_mnist, monkeypatch, tmp_path):
    import gzip
    from pathlib import Path

    from mlp_spec.digits.load import Digits, load_digits

    raw = tmp_path / "torchvision" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for path in Path(full_mnist).glob("*.gz"):
        (raw / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    digits = load_digits("mnist", None, download)
    assert isinstance(digits, Digits) and digits.source == "torchvision.datasets.MNIST"
