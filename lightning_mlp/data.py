"""MNIST as a LightningDataModule: held once in memory, batches cut without per-sample work."""

import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import lightning
import numpy as np
import torch
from filelock import FileLock
from torch.utils.data import DataLoader, Sampler, TensorDataset

from mlp_spec.digits import load as data
from mlp_spec.support.errors import UserError


class MNISTDataModule(lightning.LightningDataModule):
    """The digits, scaled as in the lab; the test images validate every epoch.

    A batch is a pair: images (batch, 784) float32 in [0, 1], labels (batch,) int64.

    Args:
        dataset: `mnist`, `mnist-sample`, or `auto`: MNIST, and the offline sample if it cannot be had.
        data_dir: folder with MNIST's four files; downloaded by torchvision unless given.
        batch_size: training batch; the last batch of an epoch may be smaller.
        eval_batch_size: validation batch; decides speed, not the means.
        seed: of the shuffle.
        order: from the epoch (from 0) to the samples it visits, in order, (M,); PyTorch shuffles all unless given.
        steps_per_execution: training batches of one `training_step`, for a module that `ManySteps` makes: the
            loader gives a `Block`; unless given, one batch.

    Raises:
        UserError: from `prepare_data` or `setup`, when the digits cannot be had.
    """

    def __init__(
        self,
        dataset: str = "auto",
        data_dir: str | None = None,
        batch_size: int = 32,
        eval_batch_size: int = 1000,
        seed: int = 0,
        order: Callable[[int], np.ndarray] | None = None,
        steps_per_execution: int | None = None,
    ):
        super().__init__()
        self.steps_per_execution = steps_per_execution
        self.dataset, self.data_dir = dataset, data_dir
        self.batch_size, self.eval_batch_size = batch_size, eval_batch_size
        self.seed, self.order = seed, order
        self.digits: data.Digits | None = None

    def prepare_data(self) -> None:
        """Fetches what is not there yet; Lightning calls it on one process of a machine."""
        if self.digits is None:
            self.digits = data.load(self.dataset, self.data_dir, download)

    def setup(self, stage: str | None = None) -> None:
        """Builds the tensors, on the device that trains; Lightning calls it on every process."""
        self.prepare_data()
        device = self.trainer.strategy.root_device if self.trainer else torch.device("cpu")
        if not hasattr(self, "train_set"):
            self.train_set = hold(self.digits.train_images, self.digits.train_labels)
            self.val_set = hold(self.digits.test_images, self.digits.test_labels)
        self.train_set, self.val_set = self.train_set.to(device), self.val_set.to(device)

    def train_dataloader(self) -> DataLoader:
        """Loads shuffled batches; Lightning tells the sampler each epoch."""
        device, share = self.train_set.device, self.share()
        order = self.order or self.shuffled
        batches = EpochBatches(len(self.train_set), self.batch_size, order, device, self.steps_per_execution, share)
        check_shares(batches.visited, self.batch_size, share[1])
        # batch_size=None: the sampler gives whole batches of indices, and one indexing cuts one batch.
        return DataLoader(self.train_set, sampler=batches, batch_size=None)

    def val_dataloader(self) -> DataLoader:
        """Loads the test images in their own order."""
        batches = EpochBatches(len(self.val_set), self.eval_batch_size, share=self.share())
        return DataLoader(self.val_set, sampler=batches, batch_size=None)

    predict_dataloader = val_dataloader

    def share(self) -> tuple[int, int]:
        """Returns this process's rank, and the number of processes that share every batch."""
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)

    def transfer_batch_to_device(self, batch, device, dataloader_idx):
        """Returns the batch as it is: it was cut on the device."""
        return batch

    def shuffled(self, epoch: int) -> torch.Tensor:
        """Draws an epoch's order from the seed and the epoch alone, so that a resumed run finds it again."""
        seed = int(np.random.SeedSequence([self.seed, epoch]).generate_state(1)[0])
        return torch.randperm(len(self.train_set), generator=torch.Generator().manual_seed(seed))


class HeldDataset(TensorDataset):
    """Tensors held in memory, all on one device; one indexing cuts a whole batch, or a block of them."""

    def __getitem__(self, rows: "torch.Tensor | slice | list[torch.Tensor]") -> "tuple[torch.Tensor, ...] | Block":
        if isinstance(rows, list):
            return Block(self, rows)
        if isinstance(rows, slice):
            return tuple(tensor[rows] for tensor in self.tensors)
        return tuple(tensor.index_select(0, rows) for tensor in self.tensors)  # twice as fast as `tensor[rows]`

    @property
    def device(self) -> torch.device:
        """Where the tensors are."""
        return self.tensors[0].device

    def to(self, device: torch.device) -> "HeldDataset":
        """Returns the data set on a device."""
        return self if self.device == device else HeldDataset(*(tensor.to(device) for tensor in self.tensors))


class Block:
    """Batches that are cut when they are asked for.

    Args:
        dataset: what they are cut from.
        rows: of each batch, (B,).
    """

    def __init__(self, dataset: HeldDataset, rows: list[torch.Tensor]):
        self.dataset, self.rows = dataset, rows

    def __iter__(self) -> Iterator[tuple[torch.Tensor, ...]]:
        return (self.dataset[rows] for rows in self.rows)


class EpochBatches(Sampler):
    """Cuts an epoch's order of samples into the rows of each batch.

    Args:
        samples: how many samples there are.
        batch_size: rows of a batch; the last one may have fewer.
        order: from the epoch to the samples it visits, in order, (M,); all in their own order unless given.
        device: where the rows are needed.
        block: how many batches are given at once, as a list; the last list may be shorter. Unless given, no list.
        share: rank and number of the processes that share every batch; a process gets its own part of each.
    """

    def __init__(
        self,
        samples: int,
        batch_size: int,
        order: Callable[[int], object] | None = None,
        device: torch.device | str = "cpu",
        block: int | None = None,
        share: tuple[int, int] = (0, 1),
    ):
        self.samples, self.batch_size, self.order, self.device = samples, batch_size, order, device
        self.block, self.share = block, share
        self.visited = samples if order is None else len(order(0))  # every epoch visits as many
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Chooses the epoch (from 0) of the next iteration; Lightning calls it."""
        self.epoch = epoch

    @property
    def batches(self) -> int:
        """How many batches an epoch has."""
        return math.ceil(self.visited / self.batch_size)

    def __len__(self) -> int:
        return math.ceil(self.batches / (self.block or 1))

    def __iter__(self) -> Iterator[torch.Tensor | slice | list[torch.Tensor]]:
        # A generator, so that the order is drawn with the first batch: when Lightning resumes, it makes the
        # iterator before it says which epoch it is for.
        if self.order is None:
            for start in range(0, self.samples, self.batch_size):
                part = self.part(min(self.batch_size, self.samples - start))
                yield slice(start + part.start, start + part.stop)
            return
        rows = torch.as_tensor(self.order(self.epoch)).to(self.device).split(self.batch_size)
        if self.share[1] > 1:
            rows = [batch[self.part(len(batch))] for batch in rows]
        if self.block is None:
            yield from rows
        else:
            yield from (list(rows[start : start + self.block]) for start in range(0, len(rows), self.block))

    def part(self, size: int) -> slice:
        """Returns this process's part of a batch of `size`."""
        rank, processes = self.share
        return slice(size * rank // processes, size * (rank + 1) // processes)


def check_shares(samples: int, batch_size: int, processes: int) -> None:
    """Checks that processes can share every batch of an epoch equally, so that the mean of their means is the mean.

    Raises:
        UserError: a batch, or the smaller last one, cannot be shared.
    """
    for size in {batch_size, samples % batch_size or batch_size}:
        if size % processes:
            raise UserError(
                f"{processes} processes cannot share a batch of {size} equally (--batch-size {batch_size}, "
                f"{samples} samples an epoch); take a --batch-size that leaves a multiple of {processes}"
            )


def hold(images: np.ndarray, labels: np.ndarray) -> HeldDataset:
    """Turns (N, 28, 28) and (N,) uint8 into (N, 784) float32 in [0, 1] and (N,) int64."""
    # A division, as in Keras: multiplying by 1/255 rounds 126 of the 256 pixel values differently.
    pixels = torch.from_numpy(images.reshape(-1, 784).astype(np.float32)).div_(255)
    return HeldDataset(pixels, torch.from_numpy(labels.astype(np.int64)))


def download() -> dict[str, np.ndarray]:
    """torchvision.datasets.MNIST."""
    from torchvision.datasets import MNIST

    class SafeMNIST(MNIST):  # the folder is named after the class unless told otherwise
        mirrors = tuple(url for url in MNIST.mirrors if url.startswith("https://"))
        raw_folder = property(lambda self: os.path.join(self.root, "MNIST", "raw"))

    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "torchvision"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(cache / "MNIST.lock"), data.patient_for(20):  # processes that train together start together
            train, test = (SafeMNIST(cache, train=train, download=True) for train in (True, False))
    except (OSError, RuntimeError, ValueError) as error:  # torchvision does not check what it has cached
        raise RuntimeError(f"{error} (if {cache} holds a broken download, remove it)") from error
    arrays = (train.data.numpy(), train.targets.numpy(), test.data.numpy(), test.targets.numpy())
    return {name: array.astype(np.uint8) for name, array in zip(data.ARRAYS, arrays, strict=True)}
