"""A user's loaders: how Keras's rows lie in their batches, and whether they serve the same values.

The candidate is given Keras's own rows, in the form in which the user's loader serves them; that the loader serves the
same values is checked on its own.
"""

from collections.abc import Callable, Iterator
from itertools import islice

import numpy as np
import torch
from torch.utils import _pytree as tree
from torch.utils.data import RandomSampler, SequentialSampler, WeightedRandomSampler

from mlp_spec.support.errors import UserError
from parity.adapters.torch.by_value import differing, match, projections, rounding
from parity.adapters.torch.places import Place, side_by_side
from parity.adapters.torch.unused import repeated
from parity.protocol import memory
from parity.protocol.task import send
from parity.protocol.user_data import (
    CLOSE,
    INPUTS,
    SPLITS,
    TARGETS,
    columns_of,
    find_form,
    find_form_of_any,
    input_as_target,
    is_weight,
)

MOST_ROWS = 2_000  # of a split that are compared at the quick level
FEW_ROWS = 32  # that show how a batch is made
CHUNK = 1000  # rows that are compared at once
ENOUGH = 3  # times as many rows as Keras has: a loader that serves more is left
NAMES = {"train": "training", "test": "validation"}  # of the splits, for people


class UserRows:
    """A user's loaders of both splits.

    Args:
        given: what `lightning_data()` returned.
        arrays: Keras's rows, by the names of `SPLITS`.
        precision: of the experiment.
        what: how the function is called in a message.
        classes: that the model has, where labels are indices of them; 0 where they are anything else.

    Attributes:
        loaders: by split; none after `let_go`.
        datamodule: that was given; None for loaders.
        places: what stands in each tensor of a batch, in the order of its leaves.
        is_autoencoder: whether the target is an input; it need not stand in a batch.
        unused: some rows of each tensor that Keras is not given, by its number among the leaves.

    Raises:
        UserError: there are no loaders, or their rows have nothing to do with Keras's.
    """

    def __init__(self, given: object, arrays: dict[str, np.ndarray], precision: str, what: str, classes: int = 0):
        self.arrays, self.precision, self.what, self.classes = arrays, precision, what, classes
        self.datamodule = given if hasattr(given, "prepare_data") and not isinstance(given, torch.nn.Module) else None
        self.loaders = dict(zip(SPLITS, loaders_in(given, what), strict=True))
        self.places: dict[int, Place] = {}
        self.unused: dict[int, torch.Tensor] = {}
        self.find_places()
        self.sizes = {split: self.batch_size(split) for split in SPLITS}

    def let_go(self) -> None:
        """Lets the loaders go, and the user's rows with them: batches are made of Keras's."""
        self.loaders = {}

    def is_indexed(self, split: str) -> bool:
        """Says whether a loader's rows can be asked for by their number."""
        loader = self.loaders[split]
        dataset = getattr(loader, "dataset", None)
        by_number = hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__")
        return by_number and hasattr(loader, "collate_fn") and getattr(loader, "batch_sampler", None) is not None

    def count(self, split: str) -> int:
        """Returns how many rows a split has in Keras."""
        return len(self.arrays[SPLITS[split][0]])

    # ---- the form of batches

    def find_places(self) -> None:
        """Finds what stands in each tensor of the training loader's batches.

        Raises:
            UserError: an input or the target stands nowhere, or a tensor is neither.
        """
        self.batch, ordered = self.first_batch()
        leaves, self.tree = tree.tree_flatten(self.batch)
        sizes = [len(leaf) for leaf in leaves if torch.is_tensor(leaf) and leaf.ndim]
        rows = sizes[0] if sizes else 0
        tensors = {i: a.numpy() for i, a in enumerate(leaves) if torch.is_tensor(a) and a.ndim and len(a) == rows}
        if not tensors:
            raise UserError(f"{self.what}: a batch is a {type(self.batch).__name__} without tensors of one row or more")
        self.places = self.fitting(tensors, find_form, rows) if ordered else {}
        if not self.places or max(place.form.gap for place in self.places.values()) > CLOSE:
            unordered = self.fitting(tensors, find_form_of_any, None)
            if not ordered or all(place.form.gap == 0 for place in unordered.values()):
                self.places = unordered
        x, y = (self.arrays[key][:CHUNK] for key in SPLITS["train"])
        self.is_autoencoder = input_as_target(np.asarray(x), np.asarray(y)) is not None
        if self.is_autoencoder:  # what only has a shape like its target is none
            self.places = {i: p for i, p in self.places.items() if not p.part or p.form.gap <= CLOSE}
        self.places |= self.beside_each_other(tensors, rows if ordered else None)
        self.places = dict(sorted(self.places.items()))
        self.check_places(tensors)
        self.unused = {index: leaves[index] for index in tensors if index not in self.places}
        others = [f"one with rows of {tuple(rows.shape[1:])} that Keras is not given" for rows in self.unused.values()]
        send("note", text="batches: " + ", ".join([*map(str, self.places.values()), *others]))

    def columns(self, rows: int | None = None) -> list[tuple[int, str, np.ndarray]]:
        """Returns the first of Keras's training rows, or all, by part and name."""
        both = enumerate(SPLITS["train"])
        return [(part, *named) for part, key in both for named in columns_of(self.arrays[key][:rows]).items()]

    def fitting(self, tensors: dict[int, np.ndarray], find: Callable, rows: int | None) -> dict[int, Place]:
        """Returns what stands in each tensor: the nearest pairs of a tensor and an array come first."""
        found = {
            (index, part, name): form
            for index, tensor in tensors.items()
            for part, name, array in self.columns(rows)
            if (form := find((INPUTS, TARGETS)[part], array, tensor))
        }
        places: dict[int, Place] = {}
        for (index, part, name), form in sorted(found.items(), key=lambda item: item[1].gap):
            if index not in places and (part, name) not in {(place.part, place.name) for place in places.values()}:
                places[index] = Place(part, name, form, tensors[index].dtype)
        return dict(sorted(places.items()))

    def beside_each_other(self, tensors: dict[int, np.ndarray], rows: int | None) -> dict[int, Place]:
        """Returns where the inputs that stand nowhere by themselves stand side by side; empty if nowhere.

        Args:
            tensors: of the batch, by number.
            rows: how many of Keras's rows the batch holds; None where it may hold any.
        """
        taken = {name for place in self.places.values() for name in place.names}
        missing = {name: array for part, name, array in self.columns(rows) if not part and name not in taken}
        free = {index: tensor for index, tensor in tensors.items() if index not in self.places}
        return side_by_side(missing, free, is_ordered=rows is not None)

    def check_places(self, tensors: dict[int, np.ndarray]) -> None:
        """Checks that every input and the target stand somewhere; a target that is an input need not stand there twice.

        Raises:
            UserError: not so.
        """
        taken = {(place.part, name) for place in self.places.values() for name in place.names}
        shapes = " and ".join(str(array.shape[1:]) for array in tensors.values())
        for part, name, array in self.columns(1):
            if (part, name) not in taken and not (part and (self.is_autoencoder or is_weight(name))):
                key = f"{SPLITS['train'][part]}{f' ({name})' if name else ''}"
                raise UserError(
                    f"{self.what}: {key} has rows of {array.shape[1:]} in Keras's data, a batch here has rows of "
                    f"{shapes}; neither channels first nor flattening makes one of the other"
                )

    def refusal(self, tensor: torch.Tensor) -> str:
        """Says that a tensor is needed and Keras is not given it."""
        return (
            f"{self.what}: a batch has a tensor with rows of {tuple(tensor.shape[1:])} that are nowhere in "
            "Keras's data, and the training step depends on it; leave it out, or give it to Keras, too"
        )

    def first_batch(self) -> tuple[object, bool]:
        """Returns a batch, and whether its rows are Keras's first ones by their number."""
        if self.is_indexed("train"):
            dataset = self.loaders["train"].dataset
            return self.collated("train", range(min(FEW_ROWS, self.count("train"), len(dataset)))), True
        for batch in self.loaders["train"]:
            return batch, False
        raise UserError(f"{self.what}: the training loader is empty")

    # ---- Keras's rows as batches

    def inputs_of(self, images: np.ndarray) -> list[torch.Tensor]:
        """Turns Keras's rows into inputs, in the order in which they stand in a batch."""
        places = [place for place in self.places.values() if place.part == 0]
        return [torch.from_numpy(place.turned(images, self.precision)) for place in places]

    def batch_of(self, images: np.ndarray, labels: np.ndarray):
        """Makes a batch of Keras's rows, of the kind that the user's loader serves."""
        return self.filled(images, labels, self.inputs_of(images))

    def around(self, inputs: list[torch.Tensor]):
        """Makes a batch of inputs; its targets say nothing."""
        rows = np.zeros(len(inputs[0]), int)
        return self.filled(None, self.arrays[SPLITS["train"][1]][rows], inputs)

    def filled(self, images, labels: np.ndarray, inputs: list[torch.Tensor]):
        """Makes a batch of inputs and labels."""
        leaves, given = tree.tree_flatten(self.batch)[0], iter(inputs)
        for index, place in self.places.items():
            leaves[index] = torch.from_numpy(place.turned(labels, self.precision)) if place.part else next(given)
        for index, values in self.unused.items():
            leaves[index] = repeated(values, len(inputs[0]))
        return tree.tree_unflatten(leaves, self.tree)

    def split_batch(self, batch) -> tuple[list[torch.Tensor], torch.Tensor]:
        """Returns a batch's inputs and its target.

        Raises:
            UserError: the rows have weights, which a loss of output and target cannot be given.
        """
        leaves = tree.tree_flatten(batch)[0]
        inputs = [leaves[index] for index, place in self.places.items() if place.part == 0]
        targets = [leaves[index] for index, place in self.places.items() if place.part]
        if len(targets) != 1:
            has_weights = any(is_weight(place.name) for place in self.places.values())
            holds = "weights of rows" if has_weights else "several targets"
            raise UserError(
                f"{self.what}: a batch holds {holds}, which the loss of (module, loss, optimizer) is not "
                "given; write a LightningModule whose training_step takes them"
            )
        return inputs, targets[0]

    def batches(self, split: str, order: np.ndarray, size: int) -> Iterator:
        """Yields some of Keras's rows in batches."""
        x, y = (self.arrays[name] for name in SPLITS[split])
        served = 0
        for start in range(0, len(order), size):
            rows = order[start : start + size]
            batch, served = self.batch_of(x[rows], y[rows]), served + size * (x[:1].nbytes + y[:1].nbytes)
            if served > memory.LARGE:  # a pass in any order would soon hold all of their files
                memory.forget_pages(x)
                memory.forget_pages(y)
                served = 0
            yield batch

    def batch_size(self, split: str) -> int:
        """Returns how many rows a loader's batches have."""
        if split not in self.loaders:
            return self.sizes[split]
        size = getattr(self.loaders[split], "batch_size", None)
        size = size or getattr(getattr(self.loaders[split], "batch_sampler", None), "batch_size", None)
        return size or len(tree.tree_flatten(self.batch)[0][next(iter(self.places))])

    # ---- the user's rows beside Keras's

    def collated(self, split: str, numbers) -> object:
        """Returns some of the user's rows as a batch of the user's own loader."""
        loader = self.loaders[split]
        return loader.collate_fn([loader.dataset[int(number)] for number in numbers])

    def chunks(self, split: str, count: int) -> Iterator[list[np.ndarray]]:
        """Yields the user's rows, those of a data set by their numbers, else as they come."""
        if self.is_indexed(split):
            starts = range(0, count, CHUNK)
            batches = (self.collated(split, range(start, min(start + CHUNK, count))) for start in starts)
        else:  # one that has no end is left when it has served far too much
            most = ENOUGH if count == self.count(split) else 1
            batches = islice(self.loaders[split], most * (2 + count // max(1, self.batch_size(split))))
        for batch in batches:
            leaves = tree.tree_flatten(batch)[0]
            yield [leaves[index].numpy() for index in self.places]

    def describe(self, split: str, level: str) -> dict:
        """Compares the user's own rows with Keras's; returns what was found.

        Raises:
            UserError: they hold what is not a number, or there is no end of them.
        """
        loader, ours, by_number = self.loaders[split], self.count(split), self.is_indexed(split)
        total, count = len(loader.dataset) if by_number else ours, self.compared(split, level)
        different, largest, by_value, seen = 0, 0.0, [], 0
        for theirs in self.chunks(split, count):
            rows = slice(seen, seen + len(theirs[0]))
            seen = rows.stop
            self.check_rows(theirs, split, seen)
            by_value.append(projections(theirs))
            if by_number:
                wrong, gap = differing(self.expected(split, rows), theirs)
                different, largest = different + wrong, max(largest, gap)
        order = "the same" if by_number else "as they come"
        if different or not by_number:  # the same rows in another order are the same
            missing = self.nowhere(split, by_value)
            if by_number and not missing:
                order, largest = "another", 0.0
            different = missing if not (by_number and missing) else different
        if not by_number and (count == ours or seen < count):
            total = seen
        return {
            "samples": total,
            "compared": min(seen, count),
            "different": different,
            "largest": largest,
            "order": order,
            "forms": [str(place) for place in self.places.values()],
            "batch_size": self.batch_size(split),
            "drop_last": drops_last(loader),
            "random": self.is_random(split, count),
            "shuffles": shuffles(loader),
        }

    def check_rows(self, theirs: list[np.ndarray], split: str, seen: int) -> None:
        """Checks some of the user's rows by themselves.

        Args:
            theirs: what stands in each place.
            split: of which they are.
            seen: how many there were so far, these among them.

        Raises:
            UserError: they hold what is not a number, a label is no class, or there is no end of them.
        """
        what, ours = f"{self.what}: the {NAMES[split]} loader", self.count(split)
        has_end = hasattr(getattr(self.loaders[split], "dataset", None), "__len__")
        if seen > ENOUGH * ours and not has_end:
            raise UserError(f"{what} has served {seen:,} rows and goes on; Keras has {ours:,}. It must have an end")
        for place, array in zip(self.places.values(), theirs, strict=True):
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise UserError(f"{what} serves what is not a number (NaN or infinite), in the {place}")
            if (
                place.part
                and not is_weight(place.name)
                and array.ndim == 1
                and array.dtype.kind in "iu"
                and self.classes
            ):
                low, high = array.min(), array.max()
                if low < 0 or high >= self.classes:
                    labels = f"labels from {low} to {high}; the model has the classes 0 to {self.classes - 1}"
                    raise UserError(f"{what} serves {labels}")

    def expected(self, split: str, rows: slice) -> list[np.ndarray]:
        """Returns Keras's rows as they lie in a batch."""
        arrays = [self.arrays[name] for name in SPLITS[split]]
        turned = [place.turned(arrays[place.part][rows], self.precision) for place in self.places.values()]
        for array in arrays:
            memory.forget_pages(array)
        return turned

    def compared(self, split: str, level: str) -> int:
        """Returns how many rows of a split are compared."""
        ours = self.count(split)
        total = len(self.loaders[split].dataset) if self.is_indexed(split) else ours
        return min(total, ours, MOST_ROWS if level == "quick" else max(ours, 1))

    def nowhere(self, split: str, theirs: list[np.ndarray]) -> int:
        """Returns how many of the user's rows, as projections, are not among Keras's, by value."""
        ours, tolerance = [], 0.0
        for start in range(0, self.count(split), CHUNK):
            rows = self.expected(split, slice(start, start + CHUNK))
            ours.append(projections(rows))
            tolerance = max(tolerance, rounding(rows))
        return int((match(np.concatenate(ours), np.concatenate(theirs), tolerance) < 0).sum()) if theirs else 0

    def is_random(self, split: str, count: int) -> bool:
        """Says whether the same rows have other values when they are asked for again."""
        if not self.is_indexed(split):
            return False
        first, second = (tree.tree_flatten(self.collated(split, range(min(8, count))))[0] for _ in range(2))
        return not all(torch.equal(first[index], second[index]) for index in self.places)


def drops_last(loader) -> bool:
    """Says whether a loader leaves out rows that do not fill a batch."""
    return any(getattr(one, "drop_last", False) for one in (loader, getattr(loader, "batch_sampler", None)))


def shuffles(loader) -> bool | None:
    """Says whether a loader serves its rows in another order every time; None where that is not known."""
    sampler = getattr(loader, "sampler", None)
    known = {RandomSampler: True, WeightedRandomSampler: True, SequentialSampler: False}
    return known.get(type(sampler)) if getattr(loader, "batch_size", None) else None


def loaders_in(given: object, what: str) -> list:
    """Returns the two loaders that `lightning_data()` gave.

    Raises:
        UserError: it gave something else, or an empty data set.
    """
    if hasattr(given, "train_dataloader"):
        given.prepare_data()
        given.setup("fit")
        given = (given.train_dataloader(), given.val_dataloader())
    if isinstance(given, tuple | list) and len(given) == 3:  # the third is a test set's
        given = given[:2]
    if not isinstance(given, tuple | list) or len(given) != 2:
        kind = type(given).__name__ + (f" of {len(given)}" if isinstance(given, tuple | list) else "")
        raise UserError(f"{what} returned {kind}; it must return a LightningDataModule or (train_loader, val_loader)")
    loaders = [loader[0] if isinstance(loader, list | tuple) and len(loader) == 1 else loader for loader in given]
    for loader in loaders:
        if not hasattr(loader, "__iter__"):
            raise UserError(f"{what}: a {type(loader).__name__} is no loader of batches")
        dataset = getattr(loader, "dataset", loader)
        if hasattr(dataset, "__len__") and not len(dataset):
            raise UserError(f"{what}: a data set is empty")
    return loaders
