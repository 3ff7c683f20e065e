"""Trains Keras's seeds of a study, one after the other.

Every seed is the run of `python -m keras_reference.train --seed S`, to the bit: the same code, the frameworks and
the data loaded once, and 100 steps in one execution, which changes no number.
"""

from collections.abc import Callable

from mlp_spec.experiment import Experiment
from mlp_spec.runs import environment
from mlp_spec.runs.folder import Results
from parity.protocol.seeds import train_all
from parity.protocol.task import KERAS, Task

STEPS_PER_EXECUTION = 100


def train_seeds(task: Task) -> None:
    """Trains the task's seeds."""
    from keras_reference import backend

    backend.start("cpu", task.pair.experiment.training.precision)
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(task.seeds.threads)
    tf.config.threading.set_inter_op_parallelism_threads(task.seeds.threads)
    from keras_reference import data

    digits = data.load(task.pair.dataset, task.pair.data_dir)
    arrays = data.preprocess(digits)
    versions = environment.describe(*backend.PACKAGES)
    train_all(task, KERAS, digits.dataset, versions, lambda seeded, alive: train_one(seeded, arrays, alive))


def train_one(experiment: Experiment, arrays, alive: Callable[[], None]) -> Results:
    """Trains one seed as the command does; calls `alive` after every epoch."""
    import keras

    from keras_reference import train

    keras.backend.clear_session()  # the last seed's graphs would stay in memory
    model = train.build(experiment)
    model.steps_per_execution = STEPS_PER_EXECUTION
    results = Results()
    train.fit(model, arrays, experiment, results, after_epoch=lambda _: alive())
    return results


PARTS = {"seeds": train_seeds}
