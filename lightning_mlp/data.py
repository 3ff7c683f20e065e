"""Data as a LightningDataModule, and MNIST as one: tensors in memory, sliced a whole batch at a time."""

import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import lightning
import numpy as np
import torch
from filelock import FileLock
from torch.utils.data import DataLoader, Sampler, TensorDataset

from mlp_spec.digits.load import ARRAYS, Digits, load_digits, patient_for
from mlp_spec.support.errors import UserError


class HeldDataModule(lightning.LightningDataModule):
    """Tensors in memory, on the device that trains; `val_set` validates every epoch.

    Args:
        train_set, val_set: their first axes are the samples'.
        batch_size: of training; the last batch of an epoch may be smaller.
        eval_batch_size: of validation; it changes the speed, not the means.
        seed: of the shuffle.
        order: returns the samples of an epoch (from 0) in order, (M,); if None, PyTorch shuffles them all.
        steps_per_execution: training batches per `training_step`, for a `ManySteps` module: the loader then returns a
            `Block` of them. If None, it returns one batch.
    """

    def __init__(
        self,
        train_set: "HeldDataset | None",
        val_set: "HeldDataset | None",
        batch_size: int = 32,
        eval_batch_size: int = 1000,
        seed: int = 0,
        order: Callable[[int], np.ndarray] | None = None,
        steps_per_execution: int | None = None,
    ):
        super().__init__()
        self.train_set, self.val_set = train_set, val_set
        self.batch_size, self.eval_batch_size = batch_size, eval_batch_size
        self.seed, self.order, self.steps_per_execution = seed, order, steps_per_execution

    def setup(self, stage: str | None = None) -> None:
        """Moves the tensors to the device that trains; Lightning calls it in every process."""
        device = self.trainer.strategy.root_device if self.trainer else torch.device("cpu")
        self.train_set, self.val_set = self.train_set.to(device), self.val_set.to(device)

    def train_dataloader(self) -> DataLoader:
        """Loads shuffled batches; Lightning sets the sampler's epoch."""
        device, share = self.train_set.device, self.share()
        order = self.order or self.shuffled
        batches = EpochBatches(len(self.train_set), self.batch_size, order, device, self.steps_per_execution, share)
        check_shares(batches.visited, self.batch_size, share[1])
        # batch_size=None: the sampler yields the indices of whole batches, and the data set slices a batch at once.
        return DataLoader(self.train_set, sampler=batches, batch_size=None)

    def val_dataloader(self) -> DataLoader:
        """Loads the validation samples in their own order."""
        batches = EpochBatches(len(self.val_set), self.eval_batch_size, share=self.share())
        return DataLoader(self.val_set, sampler=batches, batch_size=None)

    def share(self) -> tuple[int, int]:
        """Returns the rank of this process, and the number of processes that share every batch."""
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)

    def transfer_batch_to_device(self, batch, device, dataloader_idx):
        """Returns the batch unchanged: it is on the device already."""
        return batch

    def shuffled(self, epoch: int) -> torch.Tensor:
        """Draws an epoch's order from the seed and the epoch alone, so that a resumed run draws it again."""
        seed = int(np.random.SeedSequence([self.seed, epoch]).generate_state(1)[0])
        return torch.randperm(len(self.train_set), generator=torch.Generator().manual_seed(seed))


class MNISTDataModule(HeldDataModule):
    """The digits, scaled as in the lab; the test images validate every epoch.

    A batch is a pair: images (batch, 784) float32 in [0, 1], labels (batch,) int64.

    Args:
        dataset: `mnist`, `mnist-sample`, or `auto`: MNIST, and the offline sample if it cannot be loaded.
        data_dir: folder with MNIST's four files; if None, torchvision downloads them.
        batch_size, eval_batch_size, seed, order, steps_per_execution: see `HeldDataModule`.

    Raises:
        UserError: from `prepare_data` or `setup`, when the digits cannot be loaded.
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
        super().__init__(None, None, batch_size, eval_batch_size, seed, order, steps_per_execution)
        self.dataset, self.data_dir = dataset, data_dir
        self.digits: Digits | None = None

    def prepare_data(self) -> None:
        """Downloads or reads the digits; Lightning calls it in one process of a machine."""
        if self.digits is None:
            self.digits = load_digits(self.dataset, self.data_dir, download)

    def setup(self, stage: str | None = None) -> None:
        """Builds the tensors on the device that trains; Lightning calls it in every process."""
        self.prepare_data()
        if self.train_set is None:
            self.train_set = hold(self.digits.train_images, self.digits.train_labels)
            self.val_set = hold(self.digits.test_images, self.digits.test_labels)
        super().setup(stage)


class HeldDataset(TensorDataset):
    """Tensors in memory, all on one device; indexing returns a whole batch, or a block of batches."""

    def __getitem__(self, rows: "torch.Tensor | slice | list[torch.Tensor]") -> "tuple[torch.Tensor, ...] | Block":
        if isinstance(rows, list):
            return Block(self, rows)
        if isinstance(rows, slice):
            return tuple(tensor[rows] for tensor in self.tensors)
        return tuple(tensor.index_select(0, rows) for tensor in self.tensors)  # twice as fast as `tensor[rows]`

    @property
    def device(self) -> torch.device:
        """The device of the tensors."""
        return self.tensors[0].device

    def to(self, device: torch.device) -> "HeldDataset":
        """Returns the data set on a device."""
        return self if self.device == device else HeldDataset(*(tensor.to(device) for tensor in self.tensors))


class Block:
    """Several batches, which are sliced as they are iterated.

    Args:
        dataset: the data set.
        rows: the rows of each batch, (B,).
    """

    def __init__(self, dataset: HeldDataset, rows: list[torch.Tensor]):
        self.dataset, self.rows = dataset, rows

    def __iter__(self) -> Iterator[tuple[torch.Tensor, ...]]:
        return (self.dataset[rows] for rows in self.rows)


class EpochBatches(Sampler):
    """Splits an epoch's order of samples into the rows of each batch.

    Args:
        samples: how many samples there are.
        batch_size: rows of a batch; the last one may have fewer.
        order: returns the samples of an epoch in order, (M,); if None, all samples in their own order.
        device: of the rows.
        block: yield lists of this many batches; the last list may be shorter. If None, yield single batches.
        share: rank and number of the processes that share every batch; each gets its own part.
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
        self.visited = samples if order is None else len(order(0))  # the same number in every epoch
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
        # A generator, so that the order is drawn with the first batch: on a resume, Lightning creates the iterator
        # before it sets the epoch.
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
    """Checks that processes can split every batch of an epoch equally: only then is the mean of their means right.

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
    """Converts (N, 28, 28) and (N,) uint8 to (N, 784) float32 in [0, 1] and (N,) int64."""
    # A division, as in Keras: multiplying by 1/255 rounds 126 of the 256 pixel values differently.
    pixels = torch.from_numpy(images.reshape(-1, 784).astype(np.float32)).div_(255)
    return HeldDataset(pixels, torch.from_numpy(labels.astype(np.int64)))


def download() -> dict[str, np.ndarray]:
    """torchvision.datasets.MNIST."""
    from torchvision.datasets import MNIST

    class SafeMNIST(MNIST):  # by default, the folder is named after the class
        mirrors = tuple(url for url in MNIST.mirrors if url.startswith("https://"))
        raw_folder = property(lambda self: os.path.join(self.root, "MNIST", "raw"))

    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "torchvision"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(cache / "MNIST.lock"), patient_for(20):  # the processes of a distributed run start together
            train, test = (SafeMNIST(cache, train=train, download=True) for train in (True, False))
    except (OSError, RuntimeError, ValueError) as error:  # torchvision does not verify its cache
        raise RuntimeError(f"{error} (if {cache} holds a broken download, remove it)") from error
    arrays = (train.data.numpy(), train.targets.numpy(), test.data.numpy(), test.targets.numpy())
    return {name: array.astype(np.uint8) for name, array in zip(ARRAYS, arrays, strict=True)}
