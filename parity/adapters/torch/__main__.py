"""Answers a task for Lightning: `python -m parity.adapters.torch TASK.json`, started by `parity`."""

import sys

from parity.adapters.torch.candidate import Candidate
from parity.protocol.answer import main

if __name__ == "__main__":
    sys.exit(main("parity.adapters.torch", Candidate))
