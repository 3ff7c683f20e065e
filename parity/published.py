"""What the lab printed: the four curves of both presets, on the full MNIST, one run each (Keras 2)."""

import json
from pathlib import Path

PRINTED = Path(__file__).parent / "lab_history.json"


def history(name: str) -> dict[str, list[float]] | None:
    """Returns the curves `loss`, `acc`, `val_loss`, `val_acc` that the lab printed for a preset, one number an epoch.

    None for any other experiment: the lab printed nothing of it.
    """
    return json.loads(PRINTED.read_text(encoding="utf-8")).get(name)
