"""Answers a task for Keras: `python -m parity.adapters.keras TASK.json`, started by `parity`."""

import sys

from parity.adapters.keras.reference import Reference
from parity.protocol import memory
from parity.protocol.answer import main
from parity.protocol.task import Task


def open_session(task: Task) -> Reference:
    """Returns the side of the lab's pair, of a pair file, or of targets."""
    if task.pair.is_lab:
        return Reference(task)
    from keras_reference import backend

    memory.keep_little()
    # before the next line imports Keras, which takes the backend that is chosen then
    backend.start(task.accelerator, task.pair.experiment.training.precision, task.backend)
    from parity.adapters.keras.targets import TargetReference
    from parity.adapters.keras.user import UserReference

    memory.leave_out_imports()
    return (UserReference if task.pair.file else TargetReference)(task)


if __name__ == "__main__":
    sys.exit(main("parity.adapters.keras", open_session))
