"""Answers a parity run for Keras: `python -m parity.adapters.keras.answer job.json`, started by `parity`.

Everything is measured through `model.fit` and `model.predict`, on the model that the training command
trains. Each part is measured once as it is, and again for every variant that differs in rounding only.
"""

import sys
from dataclasses import replace
from functools import cached_property

import numpy as np

from mlp_spec import optimizers
from mlp_spec.experiment import DataSpec, Experiment
from mlp_spec.runs import environment
from mlp_spec.runs import folder as runs
from mlp_spec.support import command
from parity.protocol import answer as probing
from parity.protocol import inputs as trials
from parity.protocol import start as canonical
from parity.protocol import task as job

EXECUTION_STEPS = 100  # batches in one call where only the noise floor is measured: the same bits, sooner
EVAL_BATCH = 1000


class Probe:
    """The reference's side of the ladder.

    Args:
        task: what is asked.
    """

    def __init__(self, task: job.Job):
        from keras_reference import backend

        self.device = backend.start(task.accelerator, task.experiment.training.precision, task.backend)
        from keras_reference import data
        from parity.adapters.keras import describe as own

        self.packages = ("keras", task.backend, "numpy")
        self.digits = data.load(task.dataset, task.data_dir)
        self.arrays = data.preprocess(self.digits)
        self.task = replace(task, experiment=replace(task.experiment, data=DataSpec(self.digits.dataset)))
        if task.target:
            model = own.build(task.target)
            self.task = replace(self.task, experiment=own.describe(model, self.task.experiment))
            if own.takes_indices(model):
                indices = (self.digits.train_labels.astype(np.int64), self.digits.test_labels.astype(np.int64))
                self.arrays = replace(self.arrays, y_train=indices[0], y_test=indices[1])
        self.seed = self.experiment.training.seed
        self.batch_size = self.experiment.training.batch_size
        self.start = canonical.initial_weights(self.experiment.model, self.seed, self.experiment.training.precision)
        self.plan = trials.Plan.of(self.experiment, task.level, len(self.arrays.x_train))
        job.send("start", device=self.device, dataset=self.digits.dataset)

    @property
    def experiment(self) -> Experiment:
        """What is trained, with the data set that was found."""
        return self.task.experiment

    def build(self):
        """Builds the model: the lab's, or the user's own."""
        from keras_reference import train
        from parity.adapters.keras import describe as own

        if self.task.target is None:
            return train.build(self.experiment)
        import keras

        keras.utils.set_random_seed(self.seed)
        return own.build(self.task.target)

    def load(self, model, weights: dict[str, np.ndarray], state: list[np.ndarray] | None = None) -> None:
        """Fills a model's weights, and its optimizer's state: the given one, or none at all."""
        from parity.adapters.keras import record as listen
        from parity.adapters.keras import tensors as layers

        layers.load_weights(model, weights)
        if state is None:  # everything from 0, except the learning rate
            rate = model.optimizer.learning_rate
            state = [
                value if variable is rate else np.zeros_like(value)
                for variable, value in zip(model.optimizer.variables, listen.state(model), strict=True)
            ]
        listen.load_state(model, state)

    @cached_property
    def model(self):
        """The model that is trained as the lab trains it, with its batch losses kept."""
        return self.listening(1)

    @cached_property
    def twin(self):
        """The same model for the noise floor: many batches in one call."""
        return self.listening(EXECUTION_STEPS if self.task.backend != "torch" else 1)

    def listening(self, execution_steps: int):
        """Builds a model whose batch losses are kept."""
        from parity.adapters.keras import record as listen

        model = self.build()
        model.optimizer.build(model.trainable_variables)
        listen.listen(model, self.plan.steps(self.batch_size))
        model.steps_per_execution = min(execution_steps, self.plan.steps(self.batch_size))
        return model

    @cached_property
    def recorder(self):
        """The same model and loss, with gradients written down in place of every step."""
        from parity.adapters.keras import record as listen

        model = self.build()
        model.compile(optimizer=listen.GradientRecorder(), loss=model.loss, metrics=["acc"])
        model.optimizer.build(model.trainable_variables)
        listen.listen(model, 1)
        return model

    # ---- facts -------------------------------------------------------------------------------------------------

    def facts(self) -> tuple[dict, dict]:
        """Describes data, layers, initialisers, versions."""
        from parity.adapters.keras import tensors as layers

        model = self.build()
        dense = layers.dense_layers(model)
        metadata = {
            "framework": "keras",
            "backend": self.task.backend,
            "level": self.task.level,
            "device": self.device,
            "environment": environment.describe(*self.packages),
            "experiment": self.experiment.to_dict(),
            "data": {
                split: probing.fingerprint(getattr(self.arrays, f"x_{split}"), getattr(self.digits, f"{split}_labels"))
                for split in ("train", "test")
            },
            "data_source": self.digits.source,
            "plan": vars(self.plan),
            "layers": [layer.to_dict() for layer in layers.describe(model)],
            "parameters": model.count_params(),
            "initializers": [
                {kind: layers.initializer(getattr(layer, f"{kind}_initializer")) for kind in ("kernel", "bias")}
                for layer in dense
            ],
        }
        return {f"start/{name}": array for name, array in self.start.items()}, metadata

    def initial(self) -> tuple[dict, dict]:
        """Draws weights from the framework's own initialiser, many times."""
        import keras

        from keras_reference import train
        from parity.adapters.keras import describe as own
        from parity.adapters.keras import tensors as layers

        draws = []
        for draw in range(trials.initial_draws(self.experiment.model)):
            seeded = replace(self.experiment, training=replace(self.experiment.training, seed=self.seed + draw))
            if self.task.target is None:
                model = train.build(seeded)
            else:
                keras.utils.set_random_seed(self.seed + draw)
                model = own.build(self.task.target)
            draws.append(layers.weights(model))
        return probing.stacked(draws), {}

    # ---- forward, loss, gradients ------------------------------------------------------------------------------

    def cases(self) -> tuple[dict, dict]:
        """Answers every case: probabilities, loss and gradients."""
        arrays = {}
        spec = self.experiment.model
        images = self.arrays.x_train[: trials.CASE_BATCH]
        found = trials.cases(spec, self.start, images, self.digits.train_labels[: len(images)].astype(np.int64))
        for case in found:
            for name, array in case.weights.items():
                arrays[f"{case.name}/weights/{name}"] = array
            arrays[f"{case.name}/images"], arrays[f"{case.name}/labels"] = case.images, case.labels
            for name, answer in self.answer(case).items():
                arrays[f"{case.name}/{name}"] = answer
            for variant in trials.variants():
                order = variant.order(np.arange(len(case.images)), len(case.images), self.seed)
                other = replace(
                    case,
                    weights=variant.weights(case.weights, self.seed),
                    images=case.images[order],
                    labels=case.labels[order],
                )
                for name, answer in self.answer(other).items():
                    back = answer[np.argsort(order)] if name == "probabilities" else answer
                    arrays[f"variant_{variant.number}/{case.name}/{name}"] = back
        return arrays, {"cases": [case.name for case in found]}

    def answer(self, case: trials.Case) -> dict[str, np.ndarray]:
        """Puts one batch through `predict` and `fit`."""
        from parity.adapters.keras import record as listen
        from parity.adapters.keras import tensors as layers

        model = self.recorder
        layers.load_weights(model, case.weights)
        labels = case.labels if self.arrays.y_train.ndim == 1 else np.eye(10, dtype=np.float32)[case.labels]
        size = len(case.images)
        probabilities = model.predict(case.images, batch_size=size, verbose=0)
        model.fit(case.images, labels, batch_size=size, shuffle=False, verbose=0)
        answers = {"probabilities": np.asarray(probabilities), "loss": listen.losses(model)}
        for place, gradient in enumerate(model.optimizer.gradients()):
            answers[f"gradients/dense_{place // 2}/{('kernel', 'bias')[place % 2]}"] = gradient
        return answers

    # ---- optimizer ---------------------------------------------------------------------------------------------

    def optimizer(self) -> tuple[dict, dict]:
        """Replays the fixed gradients; records the weights after every step."""
        from parity.adapters.keras import record as listen

        model = self.build()
        model.optimizer.build(model.trainable_variables)
        table = trials.replay_gradients(self.experiment.training.precision)
        listen.replay(model, table)
        start = trials.replay_start(self.start)
        arrays = {"gradients": table, **{f"start/{name}": array for name, array in start.items()}}
        arrays |= self.replayed(model, start)
        for variant in trials.variants():
            if variant.kind == "nudged":  # there are no rows to permute
                found = self.replayed(model, variant.weights(start, self.seed))
                arrays |= {f"variant_{variant.number}/{name}": array for name, array in found.items()}
        return arrays, {"optimizer": optimizers.to_dict(self.experiment.training.optimizer)}

    def replayed(self, model, start: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Replays from a start: (REPLAY_STEPS, values) of every tensor, and the sums over whole tensors."""
        from parity.adapters.keras import record as listen
        from parity.adapters.keras import tensors as layers

        self.load(model, start)
        seen = []
        images, labels = self.arrays.x_train[: trials.REPLAY_STEPS], self.arrays.y_train[: trials.REPLAY_STEPS]
        watch = listen.Watch(lambda: seen.append(probing.replayed(layers.weights(model))))
        model.fit(images, labels, batch_size=1, shuffle=False, verbose=0, callbacks=[watch])
        return {f"weights/{name}": np.stack([step[name] for step in seen]) for name in seen[0]}

    # ---- metrics -----------------------------------------------------------------------------------------------

    def metrics(self) -> tuple[dict, dict]:
        """Takes an epoch's means twice, over uneven batches, while the weights stay as they are."""
        from keras_reference import train
        from parity.adapters.keras import tensors as layers

        runs_of = {"": (self.start, None)}
        for variant in trials.variants():
            runs_of[f"variant_{variant.number}/"] = (variant.weights(self.start, self.seed), variant)
        arrays = {f"start/{name}": array for name, array in self.start.items()}
        samples = len(self.arrays.x_train)
        training = replace(self.experiment.training, epochs=trials.METRICS_EPOCHS)
        for prefix, (weights, variant) in runs_of.items():
            layers.load_weights(self.recorder, weights)

            def order(epoch: int, variant=variant) -> np.ndarray:
                rows = trials.metrics_order(epoch, samples, self.batch_size)
                return rows if variant is None else variant.order(rows, self.batch_size, self.seed, epoch)

            results = runs.Results()
            options = {} if variant is None else {"validation_batch_size": EVAL_BATCH}
            train.fit(
                self.recorder, self.arrays, replace(self.experiment, training=training), results, order=order, **options
            )
            arrays |= {f"{prefix}curve/{name}": np.array(curve) for name, curve in results.history.items()}
        for epoch in range(trials.METRICS_EPOCHS):
            rows = trials.metrics_order(epoch, samples, self.batch_size)
            arrays[f"batches/{epoch}"] = probing.batch_sums(
                self.arrays.x_train[rows], self.digits.train_labels[rows], self.batch_size
            )
        return arrays, {}

    # ---- lockstep ----------------------------------------------------------------------------------------------

    def lockstep(self) -> tuple[dict, dict]:
        """Trains from the common start, as the training command does, and keeps every epoch's snapshot."""
        from keras_reference import train
        from parity.adapters.keras import record as listen
        from parity.adapters.keras import tensors as layers

        arrays, losses = {}, []
        self.states = []  # for the restarts
        model, results = self.model, runs.Results()
        self.load(model, self.start)

        def before(epoch: int) -> None:
            self.states.append((layers.weights(model), listen.state(model)))
            arrays.update({f"snapshot_{epoch}/weights/{key}": a for key, a in self.states[-1][0].items()})
            arrays.update({f"snapshot_{epoch}/moments/{key}": a for key, a in listen.moments(model).items()})

        def after(results: runs.Results) -> None:
            losses.append(listen.losses(model))
            probing.report_epoch(results)

        training = replace(self.experiment.training, epochs=self.plan.epochs)
        train.fit(
            model,
            self.arrays,
            replace(self.experiment, training=training),
            results,
            after_epoch=after,
            before_epoch=before,
            order=self.order,
        )
        arrays |= {f"curve/{name}": np.array(curve) for name, curve in results.history.items()}
        arrays["losses"] = np.concatenate(losses)
        self.final, self.losses = layers.weights(model), arrays["losses"]
        arrays |= {f"final/{name}": array for name, array in self.final.items()}
        metadata = {
            "steps": [int(state[0]) for _, state in self.states],
            "epoch_seconds": results.epoch_seconds,
            "startup_seconds": results.startup_seconds,
        }
        return arrays | self.kept_batches(), metadata

    def order(self, epoch: int) -> np.ndarray:
        """The prescribed order of an epoch."""
        return self.plan.order(self.seed, epoch, len(self.arrays.x_train))

    def floor(self) -> tuple[dict, dict]:
        """Trains the runs that differ from the free run in rounding only: the noise floor."""
        arrays, self.horizon_reached = {}, False
        for variant in trials.variants():
            arrays |= self.varied(variant, self.losses)
        return arrays, {"horizon_reached": self.horizon_reached}

    def varied(self, variant: trials.Variant, losses: np.ndarray) -> dict[str, np.ndarray]:
        """Trains once more from a start, or with rows, that differ in rounding; up to the chaos horizon."""
        from keras_reference import train
        from parity.adapters.keras import record as listen

        self.load(self.twin, variant.weights(self.start, self.seed))
        seen, results = [], runs.Results()
        for epoch in range(self.plan.epochs):
            training = replace(self.experiment.training, epochs=epoch + 1)
            train.fit(
                self.twin, self.arrays, replace(self.experiment, training=training), results,
                order=lambda epoch: variant.order(self.order(epoch), self.batch_size, self.seed, epoch),
                validation_batch_size=EVAL_BATCH,
            )  # fmt: skip
            seen.append(listen.losses(self.twin))
            job.send("alive", what=f"noise floor, run {variant.number + 1}, epoch {epoch + 1}")
            gap = np.abs(np.concatenate(seen) - losses[: len(seen) * len(seen[0])]).max()
            if not gap <= trials.HORIZON:
                self.horizon_reached = True
                break
        found = {"losses": np.concatenate(seen)} | {f"curve/{key}": np.array(c) for key, c in results.history.items()}
        return {f"variant_{variant.number}/{key}": array for key, array in found.items()}

    def kept_batches(self) -> dict[str, np.ndarray]:
        """Keeps the pixels of the first batches of every epoch: causes are searched for with them."""
        kept = {}
        for epoch in range(self.plan.epochs):
            steps = trials.SIMULATED_STEPS if epoch == 0 else trials.SIMULATED_RESTART
            rows = self.order(epoch)[: steps * self.batch_size]
            kept[f"batches_{epoch}/images"] = self.digits.train_images[rows].reshape(len(rows), -1)
            kept[f"batches_{epoch}/labels"] = self.digits.train_labels[rows]
        return kept

    def restarts(self) -> tuple[dict, dict]:
        """Trains every epoch once more from its own snapshot, for the noise floor of restarted epochs."""
        from keras_reference import train
        from parity.adapters.keras import record as listen

        arrays = {"losses": self.losses}  # the reference, restarted from its own snapshots, is itself
        # the batch losses alone are judged here: few test images will do
        shortened = replace(self.arrays, x_test=self.arrays.x_test[:EVAL_BATCH], y_test=self.arrays.y_test[:EVAL_BATCH])
        for variant in trials.variants():
            seen, results = [], runs.Results()

            def before(epoch: int, variant=variant) -> None:
                weights, state = self.states[epoch]
                self.load(self.twin, variant.weights(weights, self.seed + epoch), state)

            def after(results: runs.Results, seen=seen, variant=variant) -> None:
                seen.append(listen.losses(self.twin))
                job.send("alive", what=f"noise floor of restarts, run {variant.number + 1}, epoch {results.epochs}")

            training = replace(self.experiment.training, epochs=self.plan.epochs)
            train.fit(
                self.twin, shortened, replace(self.experiment, training=training), results,
                after_epoch=after, before_epoch=before, validation_batch_size=EVAL_BATCH,
                order=lambda epoch, variant=variant: variant.order(
                    self.order(epoch), self.batch_size, self.seed, epoch
                ),
            )  # fmt: skip
            arrays[f"variant_{variant.number}/losses"] = np.concatenate(seen)
        return arrays, {}

    # ---- interchange -------------------------------------------------------------------------------------------

    def interchange(self) -> tuple[dict, dict]:
        """Predicts the test images with the trained weights."""
        from parity.adapters.keras import tensors as layers

        arrays = {f"weights/{name}": array for name, array in self.final.items()}
        arrays["labels"] = self.digits.test_labels.astype(np.int64)
        arrays["images"] = self.digits.test_images.reshape(len(arrays["labels"]), -1)  # to be looked at in reports
        asked = {"": self.final}
        for variant in trials.variants():
            if variant.kind == "nudged":
                asked[f"variant_{variant.number}/"] = variant.weights(self.final, self.seed)
        for prefix, weights in asked.items():
            layers.load_weights(self.model, weights)
            found = self.model.predict(self.arrays.x_test, batch_size=EVAL_BATCH, verbose=0)
            arrays[f"{prefix}probabilities"] = np.asarray(found)
        return arrays, {}


def main(path: str) -> None:
    """Goes through the job's parts."""
    task = job.Job.read(path)
    probing.go_through(Probe(task))


if __name__ == "__main__":
    sys.exit(command.run(lambda: main(sys.argv[1])))
