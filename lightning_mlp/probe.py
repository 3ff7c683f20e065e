"""Trains a parity run's Lightning side: `python -m lightning_mlp.probe job.json`, started by `parity`."""

import sys
from dataclasses import replace

from mlp_spec import canonical, command, environment, job, probing, runs
from mlp_spec.experiment import DataSpec


def probe(task: job.Job) -> None:
    """Trains through the shipped code from the canonical start, in the canonical order, and records it."""
    from lightning_mlp import device as devices
    from lightning_mlp import layers, train
    from lightning_mlp.data import MNISTDataModule

    spec = task.experiment.training
    device = devices.choose(task.accelerator)
    datamodule = MNISTDataModule(task.dataset, task.data_dir, spec.batch_size, seed=spec.seed)
    datamodule.setup("fit")
    digits = datamodule.digits
    datamodule.order = lambda epoch: canonical.epoch_order(spec.seed, epoch, len(datamodule.train_set))
    experiment = replace(task.experiment, data=DataSpec(digits.dataset))
    run = runs.RunFolder(task.output_dir)
    run.write_configuration(experiment, digits.source, device, environment.describe(*train.PACKAGES))
    job.send("start", device=device, dataset=digits.dataset)

    model = train.build(experiment)
    if spec.precision == "float64":
        model.double()  # as the trainer will; float64 weights must not pass through float32
    layers.load_weights(model, task.start_weights())
    initial = layers.weights(model)
    described = layers.describe(model, experiment.model.input_size)  # a diverged model describes nothing
    results = train.fit(
        model, datamodule, experiment, run, device, after_epoch=probing.report_epoch, show_progress=False
    )
    run.finish(results, digits, experiment, "Lightning")
    probing.leave_recording(
        run,
        "lightning",
        device,
        train.PACKAGES,
        experiment,
        data={
            "train": probing.fingerprint(*(tensor.numpy() for tensor in datamodule.train_set.tensors)),
            "test": probing.fingerprint(*(tensor.numpy() for tensor in datamodule.val_set.tensors)),
        },
        layers=described,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        initial=initial,
        final=layers.weights(model),
        results=results,
    )


if __name__ == "__main__":
    sys.exit(command.run(lambda: probe(job.Job.read(sys.argv[1]))))
