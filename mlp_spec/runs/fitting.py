"""Answers the lab's question from the curves: does the model under- or overfit?"""

import math

# A validation loss this far above its minimum has turned: the lab's `bigger` ends 25 % above, its
# `small` at the minimum. Epoch-to-epoch noise of `bigger` is near 4 % (standard deviation over seeds: 8 %
# of the final value).
RISE = 0.10
# A validation loss that is lowest in the last epoch, and fell by this share an epoch before it, has not
# finished learning: the lab's `small` falls by 3.6 % in its last epoch.
FALL = 0.01


def answer(history: dict[str, list[float]]) -> dict:
    """Answers whether the model under- or overfits, with the numbers that decide it.

    Args:
        history: the curves `loss`, `acc`, `val_loss`, `val_acc`, one number per epoch.

    Returns:
        `answer` (`underfits`, `overfits`, `fits` or `unclear`), `sentence` and `numbers`.
    """
    loss, val_loss = history["loss"], history["val_loss"]
    lowest = min(range(len(val_loss)), key=val_loss.__getitem__)
    # rise = val_loss_last / min(val_loss) - 1
    rise = val_loss[-1] / val_loss[lowest] - 1 if val_loss[lowest] > 0 else 0.0
    # fall = 1 - (val_loss_last / val_loss_first_of_window) ^ (1 / window), over the last three epochs
    window = min(3, len(val_loss) - 1)
    fall = 1 - (val_loss[-1] / val_loss[-1 - window]) ** (1 / window) if window and val_loss[-1 - window] > 0 else 0.0
    gap = history["acc"][-1] - history["val_acc"][-1]
    numbers = {
        "epochs": len(val_loss),
        "acc": history["acc"][-1],
        "val_acc": history["val_acc"][-1],
        "accuracy_gap": gap,
        "val_loss": val_loss[-1],
        "lowest_val_loss": val_loss[lowest],
        "lowest_val_loss_epoch": lowest + 1,
        "val_loss_rise_since_lowest": rise,
        "val_loss_fall_per_epoch_at_the_end": fall,
    }
    name, sentence = _decide(numbers, finite=all(map(math.isfinite, (*loss, *val_loss))))
    return {"answer": name, "sentence": sentence, "numbers": numbers}


def _decide(numbers: dict, finite: bool) -> tuple[str, str]:
    accuracies = f"{numbers['acc']:.2%} on the training and {numbers['val_acc']:.2%} on the test images"
    if not finite:
        return "unclear", "The loss is not a number any more: training diverged."
    if numbers["epochs"] < 2:
        return "unclear", f"One epoch cannot tell under- from overfitting (accuracy {accuracies})."
    if numbers["val_loss_rise_since_lowest"] > RISE:
        return "overfits", (
            f"The model overfits: its validation loss was lowest in epoch {numbers['lowest_val_loss_epoch']} "
            f"({numbers['lowest_val_loss']:.4f}) and has risen by {numbers['val_loss_rise_since_lowest']:.0%} since, "
            f"while the accuracy is {accuracies}."
        )
    still_falls = numbers["lowest_val_loss_epoch"] == numbers["epochs"]
    if still_falls and numbers["val_loss_fall_per_epoch_at_the_end"] > FALL:
        return "underfits", (
            f"The model underfits: its validation loss still falls by "
            f"{numbers['val_loss_fall_per_epoch_at_the_end']:.1%} an epoch, and the accuracy is {accuracies}. "
            "More epochs or a bigger model would learn more."
        )
    return "fits", (
        f"The model neither under- nor overfits clearly: its validation loss is level "
        f"({numbers['val_loss']:.4f}), and the accuracy is {accuracies}."
    )
