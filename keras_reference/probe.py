"""Trains a parity run's Keras side: `python -m keras_reference.probe job.json`, started by `parity`."""

import sys
from dataclasses import replace

from mlp_spec import canonical, command, environment, job, probing, resume, runs
from mlp_spec.experiment import DataSpec


def probe(task: job.Job) -> None:
    """Trains through the shipped code from the canonical start, in the canonical order, and records it."""
    from keras_reference import backend, checkpoint, train

    device = backend.start(task.accelerator, task.experiment.training.precision)

    from keras_reference import data, layers

    digits = data.load(task.dataset, task.data_dir)
    experiment = replace(task.experiment, data=DataSpec(digits.dataset))
    arrays = data.preprocess(digits)
    run = runs.RunFolder(task.output_dir)
    run.write_configuration(experiment, digits.source, device, environment.describe(*backend.PACKAGES))
    job.send("start", device=device, dataset=digits.dataset)

    model = train.build(experiment)
    layers.load_weights(model, task.start_weights())
    initial = layers.weights(model)
    results = runs.Results()
    train.fit(
        model,
        arrays,
        experiment,
        run,
        results,
        after_epoch=probing.report_epoch,
        order=lambda epoch: canonical.epoch_order(experiment.training.seed, epoch, len(arrays.x_train)),
    )
    checkpoint.save(model, resume.Stamp(experiment, results), run.path / train.CHECKPOINT)
    run.finish(results, digits, experiment, "Keras")
    probing.leave_recording(
        run,
        "keras",
        device,
        backend.PACKAGES,
        experiment,
        data={
            "train": probing.fingerprint(arrays.x_train, arrays.y_train.argmax(axis=1)),
            "test": probing.fingerprint(arrays.x_test, arrays.y_test.argmax(axis=1)),
        },
        layers=layers.describe(model),
        parameters=model.count_params(),
        initial=initial,
        final=layers.weights(model),
        results=results,
    )


if __name__ == "__main__":
    sys.exit(command.run(lambda: probe(job.Job.read(sys.argv[1]))))
