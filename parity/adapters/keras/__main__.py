"""Answers a task for Keras: `python -m parity.adapters.keras TASK.json`, started by `parity`."""

import sys

from parity.adapters.keras.reference import Reference
from parity.protocol import memory
from parity.protocol.answer import main
from parity.protocol.task import Task


def open_session(task: Task) -> Reference:
    """Returns the side of the lab's pair, of a pair file, or of targets."""
    from keras_reference import backend

    if not task.pair.is_lab:
        memory.keep_little()
    # before the next lines import Keras, which takes the backend that is chosen then
    backend.start(task.accelerator, task.pair.experiment.training.precision, task.backend)
    if task.exact:
        keep_float64()
    if task.pair.is_lab:
        return Reference(task)
    from parity.adapters.keras.targets import TargetReference
    from parity.adapters.keras.user import UserReference

    memory.leave_out_imports()
    return (UserReference if task.pair.file else TargetReference)(task)


def keep_float64() -> None:
    """Has Keras compute in float64 what it computes in float32 on other backends than TensorFlow, such as variances."""
    from keras.src.backend.common import dtypes

    dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"


if __name__ == "__main__":
    sys.exit(main("parity.adapters.keras", open_session))
