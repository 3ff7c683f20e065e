"""Faults in the examples' right ports: other values in the rows, or in the batches."""

from collections.abc import Callable
from functools import partial

import torch
from torch.utils.data import DataLoader, TensorDataset

from parity.selftest.planted.plant import BATCH_NORM, CNN, DIABETES, LSTM, Plant, override
from parity.selftest.planted.trainings import Served

DIGITS = (CNN, BATCH_NORM, LSTM)


def with_rows(change: Callable) -> Callable:
    """Returns what has both loaders serve `change(inputs, targets)`."""

    def loader(data, name: str) -> DataLoader:
        """Returns one of them."""
        own = getattr(data, name)()
        rows = TensorDataset(*change(*own.dataset.tensors))
        return DataLoader(rows, own.batch_size, shuffle=name == "train_dataloader")

    return partial(Served, **{name: partial(loader, name=name) for name in ("train_dataloader", "val_dataloader")})


def of_inputs(id: str, examples: tuple[str, ...], change: Callable, form: str = "") -> Plant:
    """Returns a plant that changes inputs."""
    return Plant(id, examples, ("inputs",), data=with_rows(lambda x, y: (change(x), y)), form=form)


def of_targets(id: str, examples: tuple[str, ...], change: Callable, form: str = "") -> Plant:
    """Returns a plant that changes targets."""
    return Plant(id, examples, ("targets",), data=with_rows(lambda x, y: (x, change(y))), form=form)


def centre(module, batch, dataloader_idx):
    """Centres the inputs of a batch."""
    x, y = batch
    return 2 * x - 1, y


ROWS = [
    of_inputs("pixels-256", (CNN,), lambda x: x * 255 / 256),
    of_inputs("pixels-unscaled", (BATCH_NORM,), lambda x: x * 255),
    of_inputs("pixels-centred", (CNN,), lambda x: 2 * x - 1),
    of_inputs("pixels-inverted", (LSTM,), lambda x: 1 - x),
    of_inputs("pixels-standardised", (BATCH_NORM,), lambda x: (x - 0.1307) / 0.3081),
    of_inputs("pixels-moved", DIGITS, lambda x: x.mT.contiguous()),
    of_inputs("inputs-scaled", (LSTM,), lambda x: x * 16),
    # each split by its own mean and deviation: the training's stay as they are
    of_inputs("inputs-scaled", (DIABETES,), lambda x: (x - x.mean(dim=0)) / x.std(dim=0, correction=0), form="split"),
    of_targets("labels-changed", (LSTM,), lambda y: (y + 1) % 10),
    of_targets("labels-changed", (CNN,), lambda y: torch.where(torch.arange(len(y)) % 100 == 7, 0, y), form="few"),
    of_targets("labels-changed", (DIABETES,), lambda y: y / 10, form="scaled"),
    Plant("batch-transfer", (CNN, BATCH_NORM), ("batches",), partial(override, on_after_batch_transfer=centre)),
]
