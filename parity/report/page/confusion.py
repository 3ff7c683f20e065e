"""Compares both models' predictions of the test images: confusion matrices, disagreements, the worst mistakes."""

from dataclasses import dataclass

import numpy as np

from parity.protocol.records import Record
from parity.report.page import images

GALLERY_SIZE = 6


@dataclass(frozen=True)
class Predictions:
    """Both models' predictions of the test images."""

    pixels: np.ndarray  # (N, 784) uint8
    labels: np.ndarray  # (N,) int64
    # keras, lightning: (N, classes) probabilities, each with its own trained weights
    keras: np.ndarray
    lightning: np.ndarray

    @property
    def sides(self) -> tuple[tuple[str, np.ndarray], ...]:
        """Both sides' names and probabilities."""
        return ("Keras", self.keras), ("Lightning", self.lightning)


def read_predictions(keras: dict[str, Record], lightning: dict[str, Record]) -> Predictions | None:
    """Takes the predictions from the recordings; None where a side has none, or none that can be compared."""
    if "interchange" not in keras or "interchange" not in lightning:
        return None
    reference, candidate = keras["interchange"], lightning["interchange"].own_probabilities
    if candidate is None or reference.images is None or candidate.shape != reference.probabilities.shape:
        return None
    if not (np.isfinite(candidate).all() and np.isfinite(reference.probabilities).all()):
        return None
    return Predictions(reference.images, reference.labels, reference.probabilities, candidate)


def count_confusions(probabilities: np.ndarray, labels: np.ndarray) -> list[list[int]]:
    """Counts how many images of each digit (rows) were given each class (columns)."""
    classes = probabilities.shape[1]
    counts = np.zeros((classes, classes), int)
    np.add.at(counts, (labels, probabilities.argmax(axis=1)), 1)
    return counts.tolist()


def describe_matrices(predictions: Predictions) -> list[dict]:
    """Returns both confusion matrices with their accuracies."""
    matrices = []
    for title, probabilities in predictions.sides:
        counts = count_confusions(probabilities, predictions.labels)
        mistakes = [count for digit, row in enumerate(counts) for answer, count in enumerate(row) if digit != answer]
        right = sum(row[digit] for digit, row in enumerate(counts))
        matrix = {"title": title, "counts": counts, "right": right, "images": len(predictions.labels)}
        matrices.append(matrix | {"largest_mistake": max(mistakes, default=0)})
    return matrices


def find_disagreements(predictions: Predictions) -> tuple[int, list[dict]]:
    """Returns on how many images the two disagree, and those on which they do or come closest to it.

    First those with two answers, the surest of them first; then those whose two likeliest classes are closest.
    """
    disagree = predictions.keras.argmax(axis=1) != predictions.lightning.argmax(axis=1)
    lead = np.minimum(lead_of_likeliest(predictions.keras), lead_of_likeliest(predictions.lightning))
    order = np.lexsort((np.where(disagree, -lead, lead), ~disagree))
    return int(disagree.sum()), [describe_image(predictions, index) for index in order[:GALLERY_SIZE]]


def lead_of_likeliest(probabilities: np.ndarray) -> np.ndarray:
    """Returns by how much the likeliest class leads the second, (N,)."""
    second, first = np.sort(probabilities, axis=1)[:, -2:].T
    return first - second


def find_worst_mistakes(predictions: Predictions) -> list[dict]:
    """Returns the images on which both models together are surest of a wrong class."""
    mean = (predictions.keras + predictions.lightning) / 2
    wrong = mean.argmax(axis=1) != predictions.labels
    sureness = np.where(wrong, mean.max(axis=1) - mean[np.arange(len(mean)), predictions.labels], -1)
    order = np.argsort(-sureness, kind="stable")[: min(GALLERY_SIZE, int(wrong.sum()))]
    return [describe_image(predictions, index) for index in order]


def describe_image(predictions: Predictions, index: int) -> dict:
    """Returns an image with both models' probabilities, as the page shows it."""
    sides = []
    for title, probabilities in predictions.sides:
        side = {"title": title, "style": title.lower(), "class": int(probabilities[index].argmax())}
        sides.append(side | {"probabilities": probabilities[index].tolist()})
    picture = images.draw_digit(predictions.pixels[index])
    return {"number": int(index), "label": int(predictions.labels[index]), "picture": picture, "sides": sides}


def select_examples(predictions: Predictions) -> list[dict]:
    """Returns the first test image of every digit, for those who do not draw."""
    digits, first_indices = np.unique(predictions.labels, return_index=True)
    return [
        {"label": int(digit), "pixels": predictions.pixels[index].tolist()}
        for digit, index in zip(digits, first_indices, strict=True)
    ]
