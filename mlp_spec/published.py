"""The curves that the lab printed: one run of each preset, with Keras 2."""

import json
from pathlib import Path

FILE = Path(__file__).with_name("lab_history.json")


def history(name: str) -> dict[str, list[float]] | None:
    """Returns the lab's printed `loss`, `acc`, `val_loss` and `val_acc`, one number per epoch.

    Args:
        name: a preset's name, as `Experiment.name` gives it; the lab trained them on the full MNIST.

    Returns:
        the four curves, or None if the lab did not print them.
    """
    return json.loads(FILE.read_text(encoding="utf-8")).get(name)
