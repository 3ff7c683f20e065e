"""Answers a task for Lightning: `python -m parity.adapters.torch TASK.json`, started by `parity`."""

import sys

from parity.adapters.torch.candidate import Candidate
from parity.protocol import memory
from parity.protocol.answer import main
from parity.protocol.task import Task


def open_session(task: Task) -> Candidate:
    """Returns the side of the lab's pair, of a pair file, or of targets."""
    if task.pair.is_lab:
        return Candidate(task)
    from lightning_mlp import train

    memory.keep_little()
    train.keep_compiled_code()  # before torch is imported, which asks for the folder then
    from parity.adapters.torch.targets import TargetCandidate

    memory.leave_out_imports()
    if task.undone or task.explained:
        from parity.adapters.torch.undo.candidate import Changed

        return Changed(task)
    return TargetCandidate(task)


if __name__ == "__main__":
    sys.exit(main("parity.adapters.torch", open_session))
