"""The candidate of a pair: builds its LightningModule and data module, trains them by the lab's own Trainer."""

from dataclasses import replace
from functools import cached_property
from typing import ClassVar

import numpy as np

from mlp_spec.experiment import Experiment
from mlp_spec.runs.folder import Results
from parity.protocol.answer import Session, report_epoch
from parity.protocol.records import Facts
from parity.protocol.task import Task, send
from parity.protocol.tensors import Arrays

KERAS_CONSTANTS = ("sgd", "adam", "adamw")  # optimizers with constants that TensorFlow rounds to float32


class Candidate(Session):
    """The candidate's side of the ladder.

    Args:
        task: what is asked.

    Attributes:
        device: `cpu` or `gpu`.
        rates: of the layers that drop by chance, which are set to 0.
        draws, unsilenced: what else draws in a step, and why that is random even so.
        kept: what changes in a step beside weights, where the reference keeps states; None if that is not known.
        accumulation: the Trainer's argument that makes an update of several batches, where there is one.
    """

    accumulation: ClassVar[dict[str, int]] = {}
    kept: list[str] | None = None

    def __init__(self, task: Task):
        from lightning_mlp import device as devices
        from lightning_mlp import train

        train.keep_compiled_code()
        super().__init__(task)
        self.device, self.rates, self.draws, self.unsilenced = devices.choose(task.accelerator), [], [], ""
        train.quieten()
        devices.exact_products()
        train.use_threads(self.device, self.experiment)
        send("start", device=self.device, dataset=self.experiment.data.dataset)

    @cached_property
    def facts(self) -> Facts:
        """The reference's facts."""
        return self.task.reference("facts")

    @property
    def samples(self) -> int:
        """How many training samples there are."""
        return self.facts.data["train"]["samples"]

    def build(self, seed: int | None = None):
        """Builds our module, on the fast path if that is asked for."""
        import lightning

        from lightning_mlp import train

        lightning.seed_everything(self.seed if seed is None else seed, verbose=False)
        module = train.fast_module(self.pair.compiled) if self.pair.steps_per_execution else None
        model = train.build(self.experiment, module, **constants_of(self.experiment, self.task.backend))
        return model.double() if self.experiment.training.precision == "float64" else model

    def build_datamodule(self, order=None, eval_batch_size: int = 1000, many: bool = False):
        """Builds our data module, which serves the prescribed order.

        `many` runs the steps per execution that are asked for; else, one, so that every batch gets its own weights.
        """
        from lightning_mlp.data import MNISTDataModule

        steps = self.pair.steps_per_execution
        fast = {"steps_per_execution": steps if many else 1} if steps else {}
        return MNISTDataModule(
            dataset=self.experiment.data.dataset,
            data_dir=self.pair.data_dir,
            batch_size=self.batch_size,
            eval_batch_size=eval_batch_size,
            seed=self.seed,
            order=order,
            **fast,
        )

    def prepared_datamodule(self, order=None):
        """Builds the data module and has it load its data."""
        datamodule = self.build_datamodule(order)
        datamodule.prepare_data()
        datamodule.setup("fit")
        return datamodule

    def describe_data(self) -> dict[str, dict]:
        """Describes all that the data module serves, of both splits."""
        from parity.adapters.torch import describe

        samples = self.samples
        data = self.prepared_datamodule(order=lambda epoch: np.arange(samples))
        loaders = {"train": data.train_dataloader(), "test": data.val_dataloader()}
        return {split: describe.describe_loader(loader) for split, loader in loaders.items()}

    def describe_layers(self, model) -> list:
        """Describes the dense layers."""
        from parity.adapters.torch import describe

        return describe.describe_layers(model, self.experiment.model.input_size)

    def input_of(self, images: np.ndarray):
        """Turns images into what the module predicts."""
        import torch

        return torch.from_numpy(images).to(getattr(torch, self.experiment.training.precision))

    def batch_of(self, images: np.ndarray, labels: np.ndarray) -> tuple:
        """Makes a training batch."""
        import torch

        return self.input_of(images), torch.from_numpy(labels)

    def replayed(self, steps: int) -> dict:
        """Returns what `fit` trains on where only the number of steps counts: the pixels do not matter."""
        order = np.arange(steps * self.batch_size) % 1000
        return {"data": self.build_datamodule(order=lambda epoch: order), "limit_train_batches": steps}

    def epochs(self, orders, epochs: int) -> dict:
        """Returns what `fit` trains on: an epoch's rows in their order."""
        return {"data": self.build_datamodule(orders, many=True), "epochs": epochs}

    def rate_of(self, trainer) -> float:
        """Returns the learning rate that Keras's moments were made with."""
        return self.experiment.training.optimizer.learning_rate

    def reporters(self) -> tuple:
        """Returns what keeps curves and seconds of every epoch, and the callbacks that fill it and report."""
        from lightning_mlp.history import History
        from parity.adapters.torch.record import EpochReporter

        history = History()
        reporter = EpochReporter(history, lambda curves, seconds: report_epoch(Results(curves, seconds)))
        return history, [history, reporter]

    def path(self, module) -> dict:
        """Returns on which path a trained module was trained."""
        return {
            "steps_per_execution": self.pair.steps_per_execution,
            "compiled": self.pair.compiled,
            "why_not": getattr(module, "why_not", None),
        }

    def validation_inputs(self) -> list:
        """Returns the test images in batches."""
        return [batch[0] for batch in self.prepared_datamodule().val_dataloader()]

    def bind(self, arrays: Arrays, seed: int | None = None):
        """Builds a module that holds the given weights, and says where it holds them."""
        from parity.adapters.torch.tensors import Binding

        return Binding(self.build(seed), self.facts.tensors, arrays)

    def fit(self, binding, callbacks: list, data=None, loader=None, epochs: int = 1, **options) -> None:
        """Trains by the Trainer of the training command."""
        from lightning_mlp import train

        experiment = replace(self.experiment, training=replace(self.experiment.training, epochs=epochs))
        trainer = train.make_trainer(experiment, self.device, callbacks, **options)
        trainer.fit(binding.module, train_dataloaders=loader, datamodule=data)
        binding.module.to("cpu")

    def find_output(self, binding, reference) -> None:
        """Finds what the module's output is; that of the lab is told in `predict`."""

    def predict(self, binding, weights: Arrays, images: list) -> np.ndarray:
        """Predicts batches by the Trainer; logits become probabilities.

        Raises:
            ValueError: the module's prediction has another shape than (batch, classes).
        """
        import torch

        from lightning_mlp import train

        binding.load(weights)
        trainer = train.make_trainer(self.experiment, self.device, [])
        binding.module.trainer = None
        predictions = trainer.predict(binding.module, load_as_they_are(images))
        output = torch.cat([prediction.detach().cpu() for prediction in predictions])
        classes = self.experiment.model.num_classes
        if output.ndim != 2 or output.shape[1] != classes:
            raise ValueError(
                f"predict_step returned {tuple(output.shape)}; it must be (batch, {classes}) probabilities or logits"
            )
        sums = output.double().sum(dim=1)
        if not ((output >= 0).all() and torch.allclose(sums, torch.ones_like(sums), atol=1e-2)):
            output = output.softmax(dim=1)
        return (output.float() if output.dtype in (torch.bfloat16, torch.float16) else output).numpy()

    def train(self, snapshots: list | None = None) -> tuple:
        """Trains the plan's epochs, each from the reference's snapshot where they are given.

        Returns:
            the module's binding, its history, and the batch losses (steps,).
        """
        from parity.adapters.torch.record import BatchRecorder, WeightInjector
        from parity.adapters.torch.states import kept_states

        plan = self.facts.plan
        binding = self.bind(self.facts.start)
        recorder = BatchRecorder()

        def restart(trainer) -> None:
            snapshot = snapshots[trainer.current_epoch]
            with kept_states(binding.module):  # they go on from where this run has left them
                binding.load(snapshot.weights)
            rate = self.rate_of(trainer)
            binding.load_moments(trainer.optimizers, snapshot.moments, snapshot.step, rate)

        injector = WeightInjector(binding, of_epoch=restart if snapshots else None)
        history, reporters = self.reporters()
        trained = self.epochs(lambda epoch: plan.order(self.seed, epoch, self.samples), plan.epochs)
        if snapshots and not self.facts.stateful:
            trained.pop("validation", None)  # restarted epochs are judged by their batches alone
        self.fit(binding, [injector, recorder, *reporters], **trained)
        return binding, history, recorder.all_losses()


def constants_of(experiment: Experiment, backend: str) -> dict:
    """Returns how our module rounds its optimizer's constants: as TensorFlow does, also in float64; others do not."""
    is_exact = backend != "tensorflow" and experiment.training.optimizer.name in KERAS_CONSTANTS
    return {"float32_constants": False} if is_exact else {}


def load_as_they_are(batches: list):
    """Loads given batches as they are."""
    from torch.utils.data import DataLoader

    return DataLoader(batches, batch_size=None, shuffle=False)
