"""Answers a task for Keras: `python -m parity.adapters.keras TASK.json`, started by `parity`."""

import sys

from parity.adapters.keras.reference import Reference
from parity.protocol.answer import main

if __name__ == "__main__":
    sys.exit(main("parity.adapters.keras", Reference))
