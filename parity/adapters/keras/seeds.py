"""Trains Keras's seeds of a study, one after the other, in a process that `parity` starts.

Every seed is the run of `python -m keras_reference.train --seed S`, to the bit: the same code, the frameworks and
the data loaded once, and 100 steps in one execution, which changes no number.
"""

import sys
from collections.abc import Callable
from dataclasses import replace

from mlp_spec.experiment import DataSpec, Experiment
from mlp_spec.support import command
from parity.protocol import seeds as study

MANY = 100  # steps per execution


def main(argv: list[str] | None = None) -> int:
    """Answers the job; returns the exit status."""
    return command.run(lambda: work(study.started_with(argv)))


def work(task: study.StudyJob) -> None:
    """Trains the job's seeds."""
    study.settle(task)
    from keras_reference import backend

    backend.start("cpu", task.experiment.training.precision)
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(task.threads)
    tf.config.threading.set_inter_op_parallelism_threads(task.threads)
    from keras_reference import data
    from mlp_spec.runs import environment

    digits = data.load(task.dataset, task.data_dir)
    task = replace(task, experiment=replace(task.experiment, data=DataSpec(digits.dataset)))
    arrays = data.preprocess(digits)
    study.train_all(task, environment.describe(*backend.PACKAGES), lambda one, alive: train_one(one, arrays, alive))


def train_one(experiment: Experiment, arrays, alive: Callable[[], None]):
    """Trains one seed as the command does; returns its `Results`."""
    import keras

    from keras_reference import train
    from mlp_spec.runs import folder as runs

    keras.backend.clear_session()  # the last seed's graphs would stay in memory
    model = train.build(experiment)
    model.steps_per_execution = MANY
    results = runs.Results()
    train.fit(model, arrays, experiment, results, after_epoch=lambda _: alive())
    return results


if __name__ == "__main__":
    sys.exit(main())
