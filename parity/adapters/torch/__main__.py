"""Answers a task for Lightning: `python -m parity.adapters.torch TASK.json`, started or forked by `parity`."""

import sys

from parity.adapters.torch.candidate import Candidate
from parity.protocol import memory
from parity.protocol.answer import main
from parity.protocol.serve import SERVE, serve
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


def import_all() -> bool:
    """Imports what answers a pair file's tasks; says whether it may be forked: not where a GPU was looked at."""
    from lightning_mlp import train

    memory.keep_little()
    train.keep_compiled_code()
    import torch

    from parity.adapters.torch import answer, targets  # noqa: F401
    from parity.adapters.torch.undo import candidate, trials  # noqa: F401

    return not torch.accelerator.is_available()


def answer_task() -> int:
    """Answers the task that the process was started with; returns the exit status."""
    return main("parity.adapters.torch", open_session)


if __name__ == "__main__":
    if sys.argv[1] == SERVE:
        sys.exit(serve(answer_task) if import_all() else 1)
    sys.exit(answer_task())
