"""What the two trained models see: confusion matrices, the images they come closest to disagreeing on, mistakes."""

from dataclasses import dataclass

import numpy as np

from parity.protocol.records import Record
from parity.report.page import images

SHOWN = 6


@dataclass(frozen=True)
class Answers:
    """Both models' answers to the test images.

    Attributes:
        pixels: (N, 784) uint8.
        labels: (N,) int64.
        keras, lightning: (N, classes) probabilities, each with its own trained weights.
    """

    pixels: np.ndarray
    labels: np.ndarray
    keras: np.ndarray
    lightning: np.ndarray


def answers(keras: dict[str, Record], lightning: dict[str, Record]) -> Answers | None:
    """Takes the answers from the recordings; None where a side has none, or other ones."""
    if "interchange" not in keras or "interchange" not in lightning:
        return None
    ours, found = keras["interchange"], lightning["interchange"].own_probabilities
    if found is None or ours.images is None or found.shape != ours.probabilities.shape:
        return None
    if not (np.isfinite(found).all() and np.isfinite(ours.probabilities).all()):
        return None
    return Answers(ours.images, ours.labels, ours.probabilities, found)


def confusion(probabilities: np.ndarray, labels: np.ndarray) -> list[list[int]]:
    """Counts how many images of each digit (rows) got which class (columns)."""
    classes = probabilities.shape[1]
    counts = np.zeros((classes, classes), int)
    np.add.at(counts, (labels, probabilities.argmax(axis=1)), 1)
    return counts.tolist()


def matrices(found: Answers) -> list[dict]:
    """Returns both confusion matrices with their accuracies."""
    return [
        {
            "title": title,
            "counts": (counts := confusion(probabilities, found.labels)),
            "right": sum(counts[digit][digit] for digit in range(len(counts))),
            "images": len(found.labels),
            "largest_mistake": max(
                (value for row, line in enumerate(counts) for column, value in enumerate(line) if row != column),
                default=0,
            ),
        }
        for title, probabilities in (("Keras", found.keras), ("Lightning", found.lightning))
    ]


def disagreements(found: Answers) -> tuple[int, list[dict]]:
    """Returns how many images get two answers, and the images on which the two disagree or come closest to it.

    First those with two answers, the surest of them first; then those whose two likeliest classes are closest.
    """
    different = found.keras.argmax(axis=1) != found.lightning.argmax(axis=1)
    lead = np.minimum(*(leads(side) for side in (found.keras, found.lightning)))
    order = np.lexsort((np.where(different, -lead, lead), ~different))
    return int(different.sum()), [told(found, place) for place in order[:SHOWN]]


def leads(probabilities: np.ndarray) -> np.ndarray:
    """Returns by how much the likeliest class leads the second."""
    second, first = np.sort(probabilities, axis=1)[:, -2:].T
    return first - second


def worst_mistakes(found: Answers) -> list[dict]:
    """Returns the images on which both models together are surest of a wrong class."""
    mean = (found.keras + found.lightning) / 2
    rows = np.arange(len(mean))
    wrong = mean.argmax(axis=1) != found.labels
    sureness = np.where(wrong, mean.max(axis=1) - mean[rows, found.labels], -1)
    order = np.argsort(-sureness, kind="stable")[: min(SHOWN, int(wrong.sum()))]
    return [told(found, place) for place in order]


def told(found: Answers, place: int) -> dict:
    """Returns an image with both models' probabilities, as the page shows it."""
    sides = [
        {"title": title, "style": title.lower(), "class": int(row.argmax()), "probabilities": row.tolist()}
        for title, row in (("Keras", found.keras[place]), ("Lightning", found.lightning[place]))
    ]
    return {
        "number": int(place),
        "label": int(found.labels[place]),
        "picture": images.digit(found.pixels[place]),
        "sides": sides,
        "agree": sides[0]["class"] == sides[1]["class"],
    }


def examples(found: Answers) -> list[dict]:
    """Returns the first test image of every digit, for those who do not draw."""
    first = [int(np.flatnonzero(found.labels == digit)[0]) for digit in np.unique(found.labels)]
    return [{"label": int(found.labels[place]), "pixels": found.pixels[place].tolist()} for place in first]
