"""Answers a parity run for Lightning: `python -m parity.adapters.torch.answer job.json`, started by `parity`.

Everything is measured through Lightning's `Trainer`, with the Trainer, the module and the data module of the
training command, or with what a user puts in their places. What to answer comes from the reference's recordings.
"""

import sys
from dataclasses import replace

import numpy as np

from mlp_spec.runs import environment
from mlp_spec.runs import folder as runs
from mlp_spec.support import command
from parity.protocol import answer as probing
from parity.protocol import inputs as trials
from parity.protocol import targets
from parity.protocol import task as job


class Probe:
    """The candidate's side of the ladder.

    Args:
        task: what is asked.
    """

    def __init__(self, task: job.Job):
        from lightning_mlp import device as devices
        from lightning_mlp import train

        train.keep_compiled_code()
        self.task, self.experiment = task, task.experiment
        self.device = devices.choose(task.accelerator)
        spec = self.experiment.training
        self.seed, self.batch_size = spec.seed, spec.batch_size
        train.quieten()
        train.use_threads(self.device, self.experiment)
        job.send("start", device=self.device, dataset=self.experiment.data.dataset)

    # ---- building ----------------------------------------------------------------------------------------------

    def build(self, seed: int | None = None):
        """Builds the module: ours, or the user's own; on the fast path if that is asked for."""
        import lightning

        from lightning_mlp import train

        lightning.seed_everything(self.seed if seed is None else seed, verbose=False)
        module = targets.load(self.task.target) if self.task.target else None
        if self.task.steps_per_execution:
            module = train.fast_module(self.task.compiled, module)
        # TensorFlow alone rounds the optimizer's constants to float32, also in a float64 model
        exact = {"float32_constants": False} if self.task.backend != "tensorflow" and self.has_constants else {}
        model = train.build(self.experiment, module, **exact)
        if not isinstance(model, lightning.LightningModule):
            raise TypeError(f"the candidate is a {type(model).__name__}; it must be a LightningModule")
        return model.double() if self.experiment.training.precision == "float64" else model

    @property
    def has_constants(self) -> bool:
        """Whether the optimizer is Keras's and has constants that Keras casts."""
        return self.experiment.training.optimizer.name in ("sgd", "adam", "adamw")

    def datamodule(self, order=None, eval_batch_size: int = 1000, many: bool = False):
        """Builds the data module: ours, or the user's own, which must serve the prescribed order.

        `many` runs the steps per execution that are asked for; else, one, so that every batch can be fed.
        """
        import lightning

        from lightning_mlp.data import MNISTDataModule

        make = targets.load(self.task.datamodule) if self.task.datamodule else MNISTDataModule
        steps = self.task.steps_per_execution
        fast = {"steps_per_execution": steps if many else 1} if steps and not self.task.datamodule else {}
        made = make(
            dataset=self.experiment.data.dataset,
            data_dir=self.task.data_dir,
            batch_size=self.batch_size,
            eval_batch_size=eval_batch_size,
            seed=self.seed,
            order=order,
            **fast,
        )
        if not isinstance(made, lightning.LightningDataModule):
            raise TypeError(f"the candidate is a {type(made).__name__}; it must be a LightningDataModule")
        return made

    def bound(self, arrays: dict[str, np.ndarray], seed: int | None = None):
        """Builds a module that holds the given weights, and says where it holds them."""
        from parity.adapters.torch.record import Binding

        return Binding(self.build(seed), arrays)

    def fit(self, binding, callbacks: list, data=None, loader=None, epochs: int = 1, **options) -> None:
        """Trains by the Trainer of the training command."""
        from lightning_mlp import train

        spec = replace(self.experiment, training=replace(self.experiment.training, epochs=epochs))
        trainer = train.make_trainer(spec, self.device, callbacks, **options)
        trainer.fit(binding.module, train_dataloaders=loader, datamodule=data)
        binding.module.to("cpu")

    # ---- facts -------------------------------------------------------------------------------------------------

    def facts(self) -> tuple[dict, dict]:
        """Describes data, layers, versions."""
        from lightning_mlp import train
        from parity.adapters.torch import tensors as layers

        facts = self.task.reference("facts")
        samples = facts.metadata["data"]["train"]["samples"]
        data = self.datamodule(order=lambda epoch: np.arange(samples))
        data.prepare_data()
        data.setup("fit")
        binding = self.bound(weights_of(facts, "start/"))
        model = binding.module
        metadata = {
            "framework": "lightning",
            "level": self.task.level,
            "device": self.device,
            "environment": environment.describe(*train.PACKAGES),
            "experiment": self.experiment.to_dict(),
            "candidate": self.task.target,
            "candidate_datamodule": self.task.datamodule,
            "data": {"train": loaded(data.train_dataloader()), "test": loaded(data.val_dataloader())},
            "layers": [layer.to_dict() for layer in layers.describe(model, self.experiment.model.input_size)],
            "parameters": sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad),
        }
        return {f"start/{name}": array for name, array in binding.weights().items()}, metadata

    def initial(self) -> tuple[dict, dict]:
        """Draws weights from the module's own initialiser, as often as the reference did."""
        facts = self.task.reference("facts")
        start = weights_of(facts, "start/")
        draws = len(next(iter(self.task.reference("initial").arrays.values())))
        drawn = []
        for draw in range(draws):
            model = self.build(self.seed + draw)
            before = [value.detach().clone() for value in model.parameters()]
            from parity.adapters.torch.record import Binding

            binding = Binding(model, start)  # finds the places; then the module's own start comes back
            for value, own in zip(model.parameters(), before, strict=True):
                value.data.copy_(own)
            drawn.append(binding.weights())
        return probing.stacked(drawn), {}

    # ---- forward, loss, gradients ------------------------------------------------------------------------------

    def cases(self) -> tuple[dict, dict]:
        """Answers every case of the reference: probabilities, loss and gradients."""
        import torch

        from parity.adapters.torch.record import Feeder, GradientListener

        given = self.task.reference("cases")
        names = given.metadata["cases"]
        weights = [weights_of(given, f"{name}/weights/") for name in names]
        dtype = torch.float64 if self.experiment.training.precision == "float64" else torch.float32
        images = [torch.from_numpy(given.arrays[f"{name}/images"]).to(dtype) for name in names]
        labels = [torch.from_numpy(given.arrays[f"{name}/labels"]) for name in names]
        batches = list(zip(images, labels, strict=True))
        binding = self.bound(weights[0])
        listener = GradientListener(binding, unchanged=True)
        feeder = Feeder(binding, of_batch=lambda batch: weights[batch])
        self.fit(binding, [feeder, listener], loader=batches_of(batches), limit_val_batches=0)
        arrays = {}
        for place, name in enumerate(names):
            arrays[f"{name}/loss"] = np.array([listener.losses[place].item()])
            arrays |= {f"{name}/gradients/{key}": array for key, array in listener.gradients[place].items()}
            arrays[f"{name}/probabilities"] = self.predict(binding, weights[place], [images[place]])
        return arrays, {"cases": names}

    def predict(self, binding, weights: dict[str, np.ndarray], images: list) -> np.ndarray:
        """Predicts batches by the Trainer; logits become probabilities."""
        import torch

        from lightning_mlp import train

        binding.load(weights)
        trainer = train.make_trainer(self.experiment, self.device, [])
        binding.module.trainer = None
        found = trainer.predict(binding.module, batches_of(images))
        output = torch.cat([value.detach().cpu() for value in found])
        if output.ndim != 2 or output.shape[1] != self.experiment.model.num_classes:
            raise ValueError(
                f"predict_step returned {tuple(output.shape)}; it must be (batch, "
                f"{self.experiment.model.num_classes}) probabilities or logits"
            )
        sums = output.double().sum(dim=1)
        if not ((output >= 0).all() and torch.allclose(sums, torch.ones_like(sums), atol=1e-2)):
            output = output.softmax(dim=1)
        return (output.float() if output.dtype in (torch.bfloat16, torch.float16) else output).numpy()

    # ---- optimizer ---------------------------------------------------------------------------------------------

    def optimizer(self) -> tuple[dict, dict]:
        """Replays the reference's gradients through the module's own optimizer."""
        from parity.adapters.torch.record import Replay

        given = self.task.reference("optimizer")
        table, start = given.arrays["gradients"], weights_of(given, "start/")
        binding = self.bound(start)
        # the pixels do not matter: every step's gradients are replaced
        replay = Replay(binding, table)
        data = self.datamodule(order=lambda epoch: np.arange(len(table) * self.batch_size) % 1000)
        self.fit(binding, [replay], data=data, limit_train_batches=len(table), limit_val_batches=0)
        arrays = {f"weights/{name}": np.stack([step[name] for step in replay.seen]) for name in replay.seen[0]}
        kinds = [type(optimizer).__name__ for optimizer in flat(self.build().configure_optimizers())]
        return arrays, {"optimizers": kinds, "updates": replay.used}

    # ---- metrics -----------------------------------------------------------------------------------------------

    def metrics(self) -> tuple[dict, dict]:
        """Takes an epoch's means twice, over uneven batches, while the weights stay as they are."""
        from lightning_mlp.history import History
        from parity.adapters.torch.record import Feeder, Listener

        start = weights_of(self.task.reference("metrics"), "start/")
        samples = self.task.reference("facts").metadata["data"]["train"]["samples"]
        binding = self.bound(start)
        history, listener = History(), Listener(binding, sums=True)
        feeder = Feeder(binding, of_batch=lambda batch: start, of_validation=start)
        data = self.datamodule(lambda epoch: trials.metrics_order(epoch, samples, self.batch_size), trials.EVAL_BATCH)
        self.fit(binding, [feeder, listener, history], data=data, epochs=trials.METRICS_EPOCHS)
        arrays = {f"curve/{name}": np.array(curve) for name, curve in history.history.items()}
        arrays["sums"] = np.array(listener.sums)
        arrays["losses"] = listener.all_losses()
        return arrays, {}

    # ---- lockstep ----------------------------------------------------------------------------------------------

    def lockstep(self) -> tuple[dict, dict]:
        """Trains from the common start in the prescribed order."""
        binding, history, losses = self.trained(None)
        arrays = {f"curve/{name}": np.array(curve) for name, curve in history.history.items()}
        arrays |= {f"final/{name}": array for name, array in binding.weights().items()}
        metadata = {"epoch_seconds": history.epoch_seconds, "startup_seconds": 0.0}
        metadata["path"] = {
            "steps_per_execution": self.task.steps_per_execution,
            "compiled": self.task.compiled,
            "why_not": getattr(binding.module, "why_not", None),
        }
        return {**arrays, "losses": losses}, metadata

    def restarts(self) -> tuple[dict, dict]:
        """Trains once more, each epoch from the reference's weights, moments and step."""
        _, history, losses = self.trained(self.task.reference("lockstep"))
        return {"losses": losses}, {"epoch_seconds": history.epoch_seconds}

    def trained(self, snapshots) -> tuple:
        """Trains the plan's epochs, from the reference's snapshots where they are given.

        Returns:
            the module's binding, its history, and the batch losses (steps,).
        """
        from lightning_mlp.history import History
        from parity.adapters.torch.record import EpochEvents, Feeder, Listener

        facts = self.task.reference("facts")
        plan = trials.Plan(**facts.metadata["plan"])
        samples = facts.metadata["data"]["train"]["samples"]
        binding = self.bound(weights_of(facts, "start/"))
        history, listener = History(), Listener(binding)

        def put(trainer) -> None:
            epoch = trainer.current_epoch
            binding.load(weights_of(snapshots, f"snapshot_{epoch}/weights/"))
            moments = weights_of(snapshots, f"snapshot_{epoch}/moments/")
            step = snapshots.metadata["steps"][epoch]
            binding.load_moments(trainer.optimizers, moments, step, self.experiment.training.optimizer.learning_rate)

        def tell(curves: dict, seconds: list) -> None:
            probing.report_epoch(runs.Results(curves, seconds))

        feeder = Feeder(binding, of_epoch=put if snapshots else None)
        data = self.datamodule(lambda epoch: plan.order(self.seed, epoch, samples), many=True)
        callbacks = [feeder, listener, history, EpochEvents(history, tell)]
        self.fit(binding, callbacks, data=data, epochs=plan.epochs)
        return binding, history, listener.all_losses()

    # ---- interchange -------------------------------------------------------------------------------------------

    def interchange(self) -> tuple[dict, dict]:
        """Predicts the test images with the reference's trained weights, and with its own."""
        given = self.task.reference("interchange")
        weights = weights_of(given, "weights/")
        data = self.datamodule()
        data.prepare_data()
        data.setup("fit")
        images = [batch[0] for batch in data.val_dataloader()]
        binding = self.bound(weights)
        arrays = {"probabilities": self.predict(binding, weights, images)}
        own = job.recording_path(self.task.output_dir, "lockstep")
        if own.exists():
            from parity.protocol import recording

            final = weights_of(recording.read(own), "final/")
            arrays["own_probabilities"] = self.predict(binding, final, images)
        return arrays, {}


def weights_of(found, prefix: str) -> dict[str, np.ndarray]:
    """Takes the arrays under a prefix out of a recording."""
    return {name.removeprefix(prefix): array for name, array in found.arrays.items() if name.startswith(prefix)}


def batches_of(batches: list):
    """Loads given batches as they are."""
    from torch.utils.data import DataLoader

    return DataLoader(batches, batch_size=None, shuffle=False)


def loaded(loader) -> dict:
    """Describes all that a loader serves, and how it is cut."""
    import torch

    from parity.adapters.torch.record import batches_in, pair

    images, labels = zip(*(pair(one) for batch in loader for one in batches_in(batch)), strict=True)
    flat = torch.cat([batch.reshape(len(batch), -1) for batch in images])
    return probing.fingerprint(flat.numpy(), torch.cat(labels).numpy())


def flat(found) -> list:
    """Returns the optimizers that `configure_optimizers` returned, in whatever form."""
    import torch

    if isinstance(found, torch.optim.Optimizer):
        return [found]
    if isinstance(found, dict):
        return flat(found["optimizer"])
    return [optimizer for one in found or [] if not hasattr(one, "get_last_lr") for optimizer in flat(one)]


def main(path: str) -> None:
    """Goes through the job's parts."""
    probing.go_through(Probe(job.Job.read(path)))


if __name__ == "__main__":
    sys.exit(command.run(lambda: main(sys.argv[1])))
