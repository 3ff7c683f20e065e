"""The lab's two pictures: the first training image, and accuracy by epoch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mlp_spec.support.files import replacing

if TYPE_CHECKING:
    import numpy as np


def first_image(image: np.ndarray, label: int, path: str | Path) -> None:
    """Draws one training image (28, 28) uint8 with its label."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3, 3.3), layout="constrained")
    axes = figure.add_subplot(title=f"First training image: a {label}")
    axes.imshow(image, cmap="gray_r", vmin=0, vmax=255)
    axes.set(xticks=[0, 9, 18, 27], yticks=[0, 9, 18, 27])
    _save(figure, path)


def accuracy_by_epoch(history: dict[str, list[float]], subtitle: str, path: str | Path) -> None:
    """Draws `acc` and `val_acc` against the epoch, as the lab does."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot(xlabel="Epoch", ylabel="Accuracy")
    figure.suptitle("Model Accuracy by Epoch", fontsize=14)
    axes.set_title(subtitle, fontsize=9, color="0.35")
    for name, label in (("val_acc", "val_acc (test images)"), ("acc", "acc (training images)")):
        axes.plot(range(1, len(history[name]) + 1), history[name], marker="o", markersize=3.5, label=label)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.25)
    axes.legend(loc="lower right")
    _save(figure, path)


def _save(figure, path: str | Path) -> None:
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=120)
