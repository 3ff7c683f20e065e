"""The lab's data: reshape to (N, 784), cast to float32, divide by 255; labels one-hot."""

from dataclasses import dataclass

import keras
import numpy as np

from mlp_spec.digits.load import ARRAYS, Digits, load_digits, patient_for


@dataclass(frozen=True)
class Arrays:
    """The arrays for `fit`."""

    x_train: np.ndarray  # (N, 784) float32 in [0, 1]
    y_train: np.ndarray  # (N, 10) one-hot
    x_test: np.ndarray  # (M, 784) float32 in [0, 1]
    y_test: np.ndarray  # (M, 10) one-hot


def load(dataset: str = "auto", folder: str | None = None) -> Digits:
    """Loads the digits from a folder, or with Keras's own loader.

    Raises:
        UserError: the digits of `dataset` cannot be loaded.
    """
    return load_digits(dataset, folder, download)


def download() -> dict[str, np.ndarray]:
    """keras.datasets.mnist."""
    with patient_for(20):
        (train_images, train_labels), (test_images, test_labels) = keras.datasets.mnist.load_data()
    return dict(zip(ARRAYS, (train_images, train_labels, test_images, test_labels), strict=True))


def preprocess(digits: Digits) -> Arrays:
    """Scales the images and encodes the labels one-hot."""
    return Arrays(
        x_train=scale(digits.train_images),
        y_train=keras.utils.to_categorical(digits.train_labels, 10),
        x_test=scale(digits.test_images),
        y_test=keras.utils.to_categorical(digits.test_labels, 10),
    )


def scale(images: np.ndarray) -> np.ndarray:
    """Flattens (N, 28, 28) uint8 pixels to (N, 784) float32 in [0, 1]."""
    return images.reshape(-1, 784).astype("float32") / 255
