"""The candidate of a pair file: a user's own LightningModule, put through what the reference went through.

It is given Keras's own rows, in the form in which the user's loader serves them; that the loader serves the same
values is checked on its own.
"""

import math
import time
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module

import lightning
import numpy as np
import torch
from torch import nn

from mlp_spec.support.errors import UserError
from parity.adapters.torch.candidate import Candidate, load_as_they_are
from parity.adapters.torch.tensors import Binding
from parity.protocol.answer import Session
from parity.protocol.pair_file import PairFile
from parity.protocol.task import Task, send
from parity.protocol.tensors import Arrays
from parity.protocol.user_data import CLOSE, INPUTS, SPLITS, TARGETS, Form, difference, find_form

# What `lightning_trainer()` may give: what changes the steps, and what is ours to say.
CLIPPING = ("gradient_clip_val", "gradient_clip_algorithm")
TRAINER = (*CLIPPING, "max_epochs", "accelerator", "devices", "enable_progress_bar")
MOST_ROWS = 2_000  # of a split that are compared at the quick level
EVAL_BATCH = 1000
# What a candidate's output may be, so that it is Keras's after all.
OUTPUTS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "what Keras predicts": lambda output: output,
    "logits": lambda output: output.softmax(dim=1),
    "a logit": torch.sigmoid,
    "log-probabilities": torch.exp,
}


class UserCandidate(Candidate):
    """The candidate's side of the ladder, of a pair file; see `Candidate`."""

    def __init__(self, task: Task):
        from lightning_mlp import device as devices
        from lightning_mlp import train

        Session.__init__(self, task)
        self.device = devices.choose(task.accelerator)
        train.quieten()
        torch.set_flush_denormal(True)
        self.file = PairFile(task.pair.file)
        options = self.file.options("lightning_trainer", TRAINER)
        self.options = {name: options[name] for name in CLIPPING if name in options}
        self.built: weakref.WeakSet[nn.Module] = weakref.WeakSet()
        self.rates: list[float] = []
        self.loaders = self.find_loaders()
        self.arrays = {name: self.read(name) for names in SPLITS.values() for name in names}
        self.find_forms()
        self.output, self.flattening = "", ""
        first = self.build()
        assert self.build() is not first  # else it was refused
        send("start", device=self.device, dataset=self.experiment.data.dataset, epochs=self.facts.plan.epochs)

    def read(self, name: str) -> np.ndarray:
        """Returns one of Keras's arrays, which stays in its file."""
        return np.load(f"{self.task.reference_dir}/{name}.npy", mmap_mode="r")

    # ---- the module

    def build(self, seed: int | None = None):
        """Has the file build its module.

        Raises:
            UserError: it returned no LightningModule, or the same one again.
        """
        import_module("lightning").seed_everything(self.seed if seed is None else seed, verbose=False)
        module = self.file.call("lightning_module")
        what = f"{self.pair.file}: lightning_module() returned"
        if package_of(module) is None:
            raise UserError(f"{what} {type(module).__name__}; it must return a LightningModule")
        if module in self.built:
            raise UserError(f"{what} the same module again; it must build a new one each time")
        self.built.add(module)
        self.rates = without_chance(module)
        return module.double() if self.experiment.training.precision == "float64" else module

    def fit(self, binding, callbacks: list, data=None, loader=None, epochs: int = 1, **options) -> None:
        """Trains by the Trainer of the package that the module derives from."""
        package = package_of(binding.module)
        if isinstance(loader, Epochs):
            loader.module = binding.module
        trainer = package.Trainer(
            accelerator=self.device,
            devices=1,
            precision="64-true" if self.experiment.training.precision == "float64" else "32-true",
            max_epochs=epochs,
            callbacks=callbacks,
            logger=import_module(f"{package.__name__}.loggers.logger").DummyLogger(),
            enable_progress_bar=False,
            enable_checkpointing=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
            **{"limit_val_batches": 0, **self.options, **options},
        )
        trainer.fit(binding.module, train_dataloaders=loader)
        binding.module.to("cpu")

    def predict(self, binding, weights: Arrays, images: list) -> np.ndarray:
        """Predicts batches in evaluation mode, in the form in which Keras predicts.

        Args:
            binding: the module's parameters.
            weights: by path; they are loaded.
            images: batches of inputs, each as the module takes it.
        """
        binding.load(weights)
        module = binding.module.eval()
        function = getattr(self.file.module, "lightning_output", None)
        with torch.no_grad():
            outputs = [function(module, self.around(part)) if function else module(part) for part in images]
        module.train()
        output = torch.cat([output.detach().cpu() for output in outputs])
        return OUTPUTS[self.output](output).numpy() if self.output else output.numpy()

    def bind(self, arrays: Arrays, seed: int | None = None) -> Binding:
        """Builds a module that holds the given weights; finds, once, in which order it flattens.

        A port may flatten (C, H, W) as PyTorch lays an image out, or turn it to (H, W, C) first, as Keras does. The
        order whose output is nearer to Keras's is the module's.
        """
        table = self.facts.tensors
        if any(tensor.flattened for tensor in table) and not self.flattening:
            cases, gaps = self.task.reference("cases"), {}
            for name, one in {"(C, H, W)": table, "(H, W, C)": [replace(t, flattened=()) for t in table]}.items():
                gaps[name] = min(self.output_gaps(Binding(self.build(), one), cases).values()), one
            self.flattening, (_, one) = min(gaps.items(), key=lambda item: item[1][0])
            self.facts = replace(self.facts, tensors=one)
            send("note", text=f"features are flattened in the order {self.flattening}")
        return super().bind(arrays, seed)

    def find_output(self, binding, reference) -> None:
        """Finds, once, what the module's output is: logits, log-probabilities, or what Keras predicts.

        Raises:
            UserError: it has another shape than Keras's.
        """
        if not self.output:
            gaps = self.output_gaps(binding, reference)
            self.output = min(gaps, key=gaps.get)
            send("note", text=f"the module's output is {self.output}")

    def output_gaps(self, binding, reference) -> dict[str, float]:
        """Returns how far the module's output is from Keras's, whatever it may be, under the weights of one case.

        Raises:
            UserError: it has another shape than Keras's.
        """
        case = reference.cases["the start"]
        ours = reference.answers["the start"].probabilities
        output = torch.from_numpy(self.predict(binding, case.weights, [self.input_of(case.images)]))
        if output.shape != ours.shape:
            raise UserError(f"the module's output has the shape {tuple(output.shape)}, Keras's has {ours.shape}")
        sums = output.double().exp().sum(dim=-1) if output.ndim > 1 else torch.zeros(1)
        are_logarithms = bool(torch.allclose(sums, torch.ones_like(sums), atol=1e-3))
        unlikely = {"logits" if are_logarithms else "log-probabilities"} | ({"logits"} if output.ndim < 2 else set())
        return {name: difference(ours, turn(output).numpy()) for name, turn in OUTPUTS.items() if name not in unlikely}

    # ---- the data

    def find_loaders(self) -> dict:
        """Returns the loaders of both splits.

        Raises:
            UserError: `lightning_data()` gave something else, or what cannot be indexed.
        """
        data, what = self.file.call("lightning_data"), f"{self.pair.file}: lightning_data()"
        if hasattr(data, "train_dataloader"):
            data.prepare_data()
            data.setup("fit")
            data = (data.train_dataloader(), data.val_dataloader())
        if not isinstance(data, tuple | list) or len(data) != 2:
            kind = type(data).__name__
            raise UserError(
                f"{what} returned {kind}; it must return a LightningDataModule or (train_loader, val_loader)"
            )
        for loader in data:
            dataset = getattr(loader, "dataset", None)
            if not hasattr(dataset, "__getitem__") or not hasattr(dataset, "__len__"):
                kind = type(dataset if dataset is not None else loader).__name__
                raise UserError(f"{what}: {kind} has no rows that can be asked for by their number")
            if not len(dataset):
                raise UserError(f"{what}: a data set is empty")
        return dict(zip(SPLITS, data, strict=True))

    def rows(self, split: str, numbers) -> list[torch.Tensor]:
        """Returns some of the user's rows as a batch of the user's own loader, its tensors alone.

        Raises:
            UserError: a batch is no pair of tensors.
        """
        loader = self.loaders[split]
        items = [loader.dataset[int(number)] for number in numbers]
        self.batch = loader.collate_fn(items)
        parts = list(self.batch.values()) if isinstance(self.batch, dict) else self.batch
        if not isinstance(parts, tuple | list) or len(parts) != 2 or not all(map(torch.is_tensor, parts)):
            kind = type(self.batch).__name__
            raise UserError(
                f"{self.pair.file}: a batch is a {kind}; one input and one target, both tensors, can be compared"
            )
        return list(parts)

    def find_forms(self) -> None:
        """Finds how Keras's rows lie in the user's batches.

        Raises:
            UserError: their shapes have nothing to do with each other.
        """
        numbers = range(min(32, len(self.arrays["x_train"]), len(self.loaders["train"].dataset)))
        parts = [part.numpy() for part in self.rows("train", numbers)]
        self.dtypes = [part.dtype for part in parts]
        self.forms: list[Form] = []
        for name, forms, part in zip(SPLITS["train"], (INPUTS, TARGETS), parts, strict=True):
            ours = np.asarray(self.arrays[name][: len(numbers)])
            form = find_form(forms, ours, part)
            if form is None:
                raise UserError(
                    f"{self.pair.file}: {name} has rows of {ours.shape[1:]} in keras_data() and of {part.shape[1:]} in "
                    "lightning_data(); neither channels first nor flattening makes one of the other"
                )
            self.forms.append(form)
        send("note", text=f"inputs are {self.forms[0].name}, targets {self.forms[1].name}")

    def describe_data(self) -> dict[str, dict]:
        """Compares the user's own rows with Keras's; returns what was found, by split."""
        return {split: self.describe_split(split) for split in SPLITS}

    def describe_split(self, split: str) -> dict:
        """Compares a split's rows."""
        loader, names = self.loaders[split], SPLITS[split]
        total, ours = len(loader.dataset), len(self.arrays[names[0]])
        count = min(total, ours, MOST_ROWS if self.task.level == "quick" else total)
        different, largest = 0, 0.0
        for start in range(0, count, EVAL_BATCH):
            numbers = range(start, min(start + EVAL_BATCH, count))
            wrong = np.zeros(len(numbers), bool)
            for name, forms, form, part in zip(
                names, (INPUTS, TARGETS), self.forms, self.rows(split, numbers), strict=True
            ):
                expected = forms[form.name](np.asarray(self.arrays[name][start : numbers.stop])).astype(np.float64)
                gaps = np.abs(part.numpy().astype(np.float64) - expected).reshape(len(numbers), -1).max(axis=1)
                wrong |= ~(gaps <= CLOSE * (np.abs(expected).max() or 1.0))
                largest = max(largest, float(np.nan_to_num(gaps, nan=np.inf).max()))
            different += int(wrong.sum())
        again = [self.rows(split, range(min(8, count))) for _ in range(2)]
        return {
            "samples": total,
            "compared": count,
            "different": different,
            "largest": largest,
            "forms": [form.name for form in self.forms],
            "batch_size": loader.batch_size,
            "drop_last": bool(loader.drop_last),
            "random": not all(map(torch.equal, *again)),
        }

    def input_of(self, images: np.ndarray) -> torch.Tensor:
        """Turns Keras's rows into inputs as the module takes them."""
        return self.turned(images, INPUTS, 0)

    def turned(self, array: np.ndarray, forms: dict, part: int) -> torch.Tensor:
        """Turns Keras's rows into the candidate's."""
        array = np.ascontiguousarray(forms[self.forms[part].name](np.asarray(array)))
        kind = self.dtypes[part]
        if np.issubdtype(kind, np.floating):
            kind = np.dtype(self.experiment.training.precision)
        return torch.from_numpy(array.astype(kind))

    def batch_of(self, images: np.ndarray, labels: np.ndarray):
        """Makes a batch of Keras's rows, of the kind that the user's loader serves."""
        return self.packed([self.turned(images, INPUTS, 0), self.turned(labels, TARGETS, 1)])

    def around(self, inputs: torch.Tensor):
        """Makes a batch of inputs for `lightning_output()`; its targets say nothing."""
        return self.packed([inputs, self.turned(self.arrays["y_train"][np.zeros(len(inputs), int)], TARGETS, 1)])

    def packed(self, parts: list[torch.Tensor]):
        """Packs inputs and targets as the user's loader does."""
        if isinstance(self.batch, dict):
            return dict(zip(self.batch, parts, strict=True))
        return type(self.batch)(parts) if type(self.batch) in (tuple, list) else tuple(parts)

    def batches(self, order: np.ndarray) -> Iterator:
        """Yields the batches of an epoch."""
        for start in range(0, len(order), self.batch_size):
            rows = order[start : start + self.batch_size]
            yield self.batch_of(self.arrays["x_train"][rows], self.arrays["y_train"][rows])

    def replayed(self, steps: int) -> dict:
        """Returns what `fit` trains on where only the number of steps counts."""
        row = [self.arrays[name][:1] for name in SPLITS["train"]]
        return {"loader": load_as_they_are([self.batch_of(*row)] * steps)}

    def epochs(self, orders: Callable[[int], np.ndarray], epochs: int) -> dict:
        """Returns what `fit` trains on: an epoch's rows in their order."""
        return {"loader": Epochs(self, orders), "epochs": epochs}

    def rate_of(self, trainer) -> float:
        """Returns the learning rate of the module's own optimizer."""
        return trainer.optimizers[0].param_groups[0]["lr"]

    def reporters(self) -> tuple:
        """Returns what keeps the seconds of every epoch, as the callback that does it."""
        timer = EpochTimer()
        return timer, [timer]

    def describe_layers(self, model) -> list:
        """Describes nothing: its tensors say what a model of any kind is made of."""
        return []

    def validation_inputs(self) -> Iterator[torch.Tensor]:
        """Yields the validation rows as inputs."""
        for start in range(0, len(self.arrays["x_test"]), EVAL_BATCH):
            yield self.input_of(self.arrays["x_test"][start : start + EVAL_BATCH])


class EpochTimer(lightning.Callback):
    """Keeps the seconds of every epoch, and reports each.

    Attributes:
        history: nothing: a module logs what it likes.
        epoch_seconds: wall seconds.
    """

    def __init__(self):
        self.history: dict = {}
        self.epoch_seconds: list[float] = []

    def on_train_epoch_start(self, trainer, pl_module):
        """Starts the clock."""
        self.started = time.monotonic()

    def on_train_epoch_end(self, trainer, pl_module):
        """Stops it."""
        self.epoch_seconds.append(time.monotonic() - self.started)
        send("epoch", epoch=len(self.epoch_seconds), seconds=self.epoch_seconds[-1], metrics={})


class Epochs:
    """A loader whose passes are the epochs of a training.

    Args:
        candidate: makes the batches.
        orders: from the epoch to its rows in order.

    Attributes:
        module: what is trained; its Trainer knows the epoch.
    """

    def __init__(self, candidate: UserCandidate, orders: Callable[[int], np.ndarray]):
        self.candidate, self.orders, self.module = candidate, orders, None

    def __len__(self):
        return math.ceil(len(self.orders(0)) / self.candidate.batch_size)

    def __iter__(self):
        # the epoch is asked for with the first batch: Lightning makes iterators before
        yield from self.candidate.batches(self.orders(self.module.trainer.current_epoch))


def package_of(module: object):
    """Returns the package whose LightningModule an object derives from: `lightning.pytorch` or `pytorch_lightning`."""
    for cls in type(module).__mro__:
        if cls.__name__ == "LightningModule" and cls.__module__.split(".")[0] in ("lightning", "pytorch_lightning"):
            old = cls.__module__.startswith("pytorch_lightning")
            return import_module("pytorch_lightning" if old else "lightning.pytorch")
    return None


def without_chance(module: nn.Module) -> list[float]:
    """Sets the rates of dropout to 0; returns what they were, in the order of registration."""
    layers = [layer for layer in module.modules() if isinstance(layer, nn.modules.dropout._DropoutNd)]
    rates = [layer.p for layer in layers]
    for layer in layers:
        layer.p = 0.0
    return rates
