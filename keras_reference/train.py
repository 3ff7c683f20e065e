"""Trains the lab's model in Keras: `python -m keras_reference.train`."""

import sys
import time
from collections.abc import Callable
from dataclasses import replace

STARTED = time.monotonic()

from mlp_spec import flags, optimizers  # noqa: E402
from mlp_spec.experiment import DataSpec, Experiment  # noqa: E402
from mlp_spec.runs import environment, resume  # noqa: E402
from mlp_spec.runs.folder import CURVES, Results, RunFolder  # noqa: E402
from mlp_spec.support import command  # noqa: E402
from mlp_spec.support.errors import UserError  # noqa: E402

PROG = "python -m keras_reference.train"
CHECKPOINT = "checkpoint.keras"


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    options = flags.parse(flags.TrainFlags, PROG, "Trains the lab's MLP in Keras.", argv)
    return command.run(lambda: train(options))


def train(options: flags.TrainFlags) -> None:
    """Trains with Keras's own initialiser and Keras's own shuffle."""
    from keras_reference import backend, checkpoint

    stamp = checkpoint.read_stamp(options.resume) if options.resume else None
    experiment = resume.experiment_of(options, stamp)
    check_supported(experiment)
    flags.check_folders(options.data_folder, options.output_dir)
    device = backend.start(options.accelerator, experiment.training.precision, backend.chosen())

    from keras_reference import data

    digits = data.load(options.dataset if stamp is None else experiment.data.dataset, options.data_folder)
    experiment = replace(experiment, data=DataSpec(digits.dataset))
    model = checkpoint.load(options.resume) if stamp else build(experiment)
    if options.steps_per_execution is not None:
        check_steps_per_execution(options.steps_per_execution)
        model.steps_per_execution = options.steps_per_execution

    run = RunFolder.create(options.output_dir, f"keras-{experiment.name}")
    run.write_configuration(
        experiment, digits.source, device, environment.describe(*backend.PACKAGES, backend.chosen())
    )
    model.summary()
    results = stamp.results if stamp else Results()

    def save_epoch(results: Results) -> None:
        run.write_results(results)
        checkpoint.save(model, resume.Stamp(experiment, results), run.path / CHECKPOINT)

    verbose = 1 if sys.stdout.isatty() else 2
    try:
        fit(model, data.preprocess(digits), experiment, results, after_epoch=save_epoch, verbose=verbose)
        print(run.finish(results, digits, experiment, "Keras"))
    except KeyboardInterrupt:
        saved = run.path / CHECKPOINT
        resume.keep_interrupted(run, saved, checkpoint.read_stamp, digits, "Keras", PROG, options.resume)


def check_supported(experiment: Experiment) -> None:
    """Checks that Keras has the experiment's optimizer."""
    name = experiment.training.optimizer.name
    if name in optimizers.LIGHTNING_ONLY:
        known = ", ".join(sorted(set(optimizers.OPTIMIZERS) - optimizers.LIGHTNING_ONLY))
        raise UserError(f"--optimizer {name} is PyTorch's own; Keras has: {known}")


def check_steps_per_execution(steps: int) -> None:
    """Checks that Keras's backend can run several steps in one execution."""
    import keras

    if steps > 1 and keras.backend.backend() == "torch":
        raise UserError(f"--steps-per-execution {steps}: Keras on torch runs one at a time; use another KERAS_BACKEND")


def build(experiment: Experiment):
    """Builds and compiles the model from Keras's own seeded initialiser."""
    import keras

    keras.utils.set_random_seed(experiment.training.seed)
    return build_unseeded(experiment)


def build_unseeded(experiment: Experiment):
    """Builds and compiles the model from Keras's own initialiser, whatever its seed is."""
    from keras_reference.model import build_model, compile_model

    spec = experiment.model
    model = build_model(spec.hidden_sizes, spec.activation, spec.input_size, spec.num_classes)
    numbers = optimizers.to_dict(experiment.training.optimizer)
    return compile_model(model, optimizer=numbers.pop("name"), **numbers)


def fit(
    model,
    arrays,
    experiment: Experiment,
    results: Results,
    after_epoch: Callable[[Results], None] = lambda results: None,
    before_epoch: Callable[[int], None] = lambda epoch: None,
    order: Callable[[int], object] | None = None,
    verbose: int = 0,
    **options,
) -> None:
    """Trains the epochs that `results` does not hold yet.

    One `fit` call an epoch, for two reasons: with a fixed seed, TensorFlow's `fit` repeats one shuffled
    order in *every* epoch of a call; and an interrupted run can then go on with the order it would have had.

    Args:
        model: a compiled Keras model.
        arrays: `keras_reference.data.Arrays`.
        experiment: batch size, epochs and seed.
        results: the finished epochs; every new one is appended.
        after_epoch: called with the results so far.
        before_epoch: called with the number of the epoch (from 0) that is about to start.
        order: returns an epoch's order of the samples, (M,); if None, Keras shuffles.
        verbose: Keras's: 0 silent, 1 bar, 2 a line an epoch.
        options: further keyword arguments of Keras's `fit`.
    """
    import keras

    from keras_reference.callbacks import CtrlC, EpochTimer, Progress

    spec = experiment.training
    results.startup_seconds = time.monotonic() - STARTED
    with CtrlC() as ctrl_c:
        timer = EpochTimer()
        callbacks = [ctrl_c, timer, Progress(spec.epochs, verbose)] if verbose else [ctrl_c, timer]
        for epoch in range(results.epochs, spec.epochs):
            before_epoch(epoch)
            if order is None:  # else nothing is drawn: seeding makes TensorFlow build every function again
                keras.utils.set_random_seed(epoch_seed(spec.seed, epoch))
            rows = slice(None) if order is None else order(epoch)
            history = model.fit(
                arrays.x_train[rows],
                arrays.y_train[rows],
                batch_size=spec.batch_size,
                initial_epoch=epoch,
                epochs=epoch + 1,
                shuffle=order is None,
                validation_data=(arrays.x_test, arrays.y_test),
                callbacks=callbacks,
                verbose=0,  # `Progress` shows Keras's bar, with the epochs of the run instead of this call's
                **options,
            ).history
            results.add_epoch({name: history[name][0] for name in CURVES}, timer.seconds)
            after_epoch(results)


def epoch_seed(seed: int, epoch: int) -> int:
    """Returns the seed of an epoch's shuffle, different for every run seed and epoch."""
    import numpy as np

    return int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0])


if __name__ == "__main__":
    sys.exit(main())
